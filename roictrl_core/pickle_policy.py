"""Which classes and functions a pickle of weights may name. None of them is ever looked up, whatever the answer.

Understood or harmless names are what torch itself writes. Foreign ones mean that a file holds more than weights: its
reader decides, as the official InstanceDiffusion checkpoint has some and an adapter has none. Names that run code are
refused by every reader.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

import torch

from .pickles import Damaged, Name

# Names that a file of weights may hold besides the calls that are understood; what they stand for is left out.
# Names that a file of weights may hold besides the calls that are understood; what they stand for is left out.
HARMLESS = {
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_meta_tensor_no_storage",
    "torch._tensor._rebuild_from_type_v2",
    "torch.nn.parameter.Parameter",
    "torch.device",
    "torch.Generator",
    "_codecs.encode",
    *(
        f"{module}.{name}"
        for module in ("builtins", "__builtin__")
        for name in ("set", "frozenset", "bytearray", "complex")
    ),
    "collections.Counter",
}

HOSTILE = (
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "shutil",
    "socket",
    "runpy",
    "importlib",
    "ctypes",
    "pty",
    "webbrowser",
    "code",
    "marshal",
)
HOSTILE_BUILTINS = ("eval", "exec", "execfile", "compile", "open", "__import__", "input", "breakpoint")


def foreign_among(names: Iterable[Name], understood: Container[str], storages: Container[str]) -> list[str]:
    """Classes and functions that are no part of weights, in alphabetical order.

    understood: full names of the calls that the reader knows; storages: torch's storage classes that it knows.
    """

    def is_torchs(name: Name) -> bool:
        if str(name) in understood or str(name) in HARMLESS:
            return True
        return name.module.split(".")[0] == "torch" and (
            name.name in storages or isinstance(getattr(torch, name.name, None), torch.dtype)
        )

    return sorted({str(name) for name in names if not is_torchs(name)})


def refuse_code(foreign: Iterable[str]) -> None:
    """Nothing of it would run here, but no file of weights names such a thing. Raises Damaged."""
    for name in foreign:
        module, _, rest = name.partition(".")
        if module in HOSTILE or module in ("builtins", "__builtin__") and rest in HOSTILE_BUILTINS:
            raise Damaged(f"it asks for {name}, which weights have no use for")
