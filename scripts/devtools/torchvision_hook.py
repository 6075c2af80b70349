"""Copied into the virtual environment's site-packages and run at start-up by a .pth line.
Costs nothing until torchvision is imported.

A torch without CUDA beside PyPI's torchvision, which was compiled for CUDA: its compiled part does not load,
and the import fails with `operator torchvision::nms does not exist`. Naming the two operators first lets it go on
in pure Python. Where the compiled part does load, nothing is named.
torchaudio has no build for every such torch: without one an empty module stands in, and only audio nodes are lost.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import pathlib
import sys

OPERATORS = ("nms", "qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


class TorchvisionFinder(importlib.abc.MetaPathFinder):
    """Finds nothing itself: it names the operators just before torchvision is imported."""

    def __init__(self):
        self.library = None  # the operators live as long as this object

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            import torch

            spec = importlib.util.find_spec("torchvision")
            if torch.version.cuda is None and spec is not None and not loads(torch, spec):
                self.library = torch.library.Library("torchvision", "FRAGMENT")
                for name in OPERATORS:
                    self.library.define(name + SCHEMA)
                torch._roictrl_torchvision = self
        return None


def loads(torch, spec):
    """Whether torchvision's compiled part fits this torch; loading it here is what torchvision would do next."""
    folder = pathlib.Path(spec.origin).parent
    files = [file for suffix in importlib.machinery.EXTENSION_SUFFIXES for file in folder.glob("_C" + suffix)] or list(
        folder.glob("_C.*")
    )
    try:
        for file in files:
            torch.ops.load_library(str(file))
    except (ImportError, OSError, RuntimeError):
        return False
    return bool(files)


class TorchaudioStub(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last in line: only asked where no real torchaudio is installed."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "torchaudio" or fullname.startswith("torchaudio."):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__version__ = "0.0.0"


sys.meta_path.insert(0, TorchvisionFinder())
sys.meta_path.append(TorchaudioStub())
