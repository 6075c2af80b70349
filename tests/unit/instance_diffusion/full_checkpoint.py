"""Write the official checkpoint's shape, 13.6 GB of zeros sparse on disk, with foreign objects in `config_dict`.

python full_checkpoint.py KEYS TARGET        # KEYS: tests/golden/instancediffusion/keys.txt
"""

from __future__ import annotations

import collections
import sys
import types
from pathlib import Path

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

TEXT_ENCODER, AUTOENCODER = 123_060_480, 83_653_863  # parameters
MARKED = {
    "position_net.null_point_feature": 0.25,
    "scaleu_b_11": 0.5,
    "output_blocks.11.1.transformer_blocks.0.fuser.alpha_attn": 0.75,
}


def published_shapes(keys: Path) -> dict[str, dict[str, tuple[int, ...]]]:
    """section -> key -> shape"""
    sections: dict[str, dict[str, tuple[int, ...]]] = {}
    for line in keys.read_text().splitlines():
        if line.startswith("===="):
            section = line.split()[1].rstrip(":")
        elif line.count("\t") == 1 and section in ("position_net", "fuser", "scaleu", "base"):
            key, shape = line.split("\t")
            sections.setdefault(section, {})[key] = tuple(int(n) for n in shape.strip("()").split(",") if n)
    return sections


def foreign_config():
    """What a pickled omegaconf DictConfig looks like, without the package: classes that the reader does not have."""
    module = types.ModuleType("omegaconf.dictconfig")
    for name in ("DictConfig", "ContainerMetadata"):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    sys.modules.update({"omegaconf": types.ModuleType("omegaconf"), module.__name__: module})
    metadata, config = module.ContainerMetadata(), module.DictConfig()
    metadata.__dict__.update(ref_type=dict, object_type=None, flags=collections.defaultdict(list, {"a": [1]}))
    config.__dict__.update(_metadata=metadata, _parent=None, _content={"yaml": "train", "steps": 500_000})
    return config


def write(keys: Path, target: Path) -> None:
    sections = published_shapes(keys)
    everything = {key: shape for section in sections.values() for key, shape in section.items()}
    trained = [shape for name in ("position_net", "fuser", "scaleu") for shape in sections[name].values()]
    with FakeTensorMode():
        checkpoint = {
            "model": {key: torch.empty(shape) for key, shape in everything.items()},
            "text_encoder": {"weight": torch.empty(TEXT_ENCODER)},
            "autoencoder": {"weight": torch.empty(AUTOENCODER)},
            "diffusion": {"betas": torch.empty(1000)},
            "opt": {
                "state": {
                    i: {m: torch.empty(shape) for m in ("exp_avg", "exp_avg_sq")} for i, shape in enumerate(trained)
                }
            },
            "scheduler": {"last_epoch": 410_000},
            "iters": 410_000,
            "ema": {key: torch.empty(shape) for key, shape in everything.items()},
        }
    checkpoint["config_dict"] = foreign_config()
    with torch.serialization.skip_data(materialize_fake_tensors=True):
        torch.save(checkpoint, target)
    for name in ("omegaconf", "omegaconf.dictconfig"):
        del sys.modules[name]


def mark(target: Path) -> None:
    """Fill some tensors, the EMA's with MARKED and the model's with its negative."""
    names = torch.serialization.get_unsafe_globals_in_checkpoint(target)
    stand_ins = [((lambda *a: {}) if "defaultdict" in name else type("Stand", (), {}), name) for name in names]
    with torch.serialization.safe_globals(stand_ins):
        tree = torch.load(target, map_location="meta", weights_only=True)
    with open(target, "rb+") as file:
        for group, sign in (("ema", 1), ("model", -1)):
            for key, value in MARKED.items():
                tensor = tree[group][key]
                file.seek(tensor.untyped_storage()._checkpoint_offset)
                file.write(torch.full(tensor.shape, sign * value).numpy().tobytes())


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
    mark(Path(sys.argv[2]))
