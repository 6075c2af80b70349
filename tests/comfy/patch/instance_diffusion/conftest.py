"""InstanceDiffusion for the tests' tiny UNet, and a look at what its patches are given."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest
import torch

from devtools import tiny_models
from devtools.golden_unets import fusers_of
from devtools.goldens import load_hashfill


@pytest.fixture(scope="module")
def hashfill():
    return load_hashfill()


@pytest.fixture(scope="module")
def reference(root):
    """The literal sampler."""
    path = root / "tests" / "reference" / "instance_diffusion.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(pack, hashfill):
    """INSTANCE_DIFFUSION for the tests' tiny SD1.x UNet, hash-filled so that every gate is open."""
    config = fusers_of(tiny_models.SD15)
    network = pack.module("roictrl_core.instance_diffusion.model").InstanceDiffusion(config, device="meta")
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = {key: hashfill.make("comfy." + key, shape) for key, shape in shapes.items()}
    return pack.module("nodes.weights").instance_diffusion_patcher(config, weights)


@pytest.fixture(scope="module")
def use(pack, base, trained):
    """Apply InstanceDiffusion as the node executes it."""
    node = pack.module("nodes.instance_diffusion").ApplyInstanceDiffusion
    return lambda model, layout, **settings: node.execute(model, trained, base.clip, layout, **settings)[0]


@pytest.fixture(scope="module")
def all_formats(pack, layout):
    masks = pack.module("roictrl_core.masks")
    mask = torch.zeros(64, 96, dtype=torch.bool)
    mask[20:50, 40:90] = True
    return layout(
        (
            (0.05, 0.1, 0.5, 0.9),
            "a red fox",
            {"point": (0.2, 0.3), "scribble": (((0.1, 0.2), (0.4, 0.8)), ((0.3, 0.3),))},
        ),
        ((0.4, 0.2, 0.95, 0.8), "a blue bird", {"mask": masks.RunLengthMask.from_array(mask.numpy())}),
    )


@pytest.fixture
def spy(pack, monkeypatch):
    """spy(model) -> (model, calls): the patches and cond lists of every UNet call, and the subjects of its rows."""
    from comfy.patcher_extension import WrappersMP

    module, prepared = pack.module("nodes.patch.methods.instance_diffusion"), []
    begin = module.InstanceDiffusionSession.__call__

    def noting(self, call):
        part = call.rows.count // len(call.rows.branches)
        prepared.append(SimpleNamespace(subjects=module.subjects(call.rows)[::part]))
        return begin(self, call)

    monkeypatch.setattr(module.InstanceDiffusionSession, "__call__", noting)

    def watch(model):
        calls, watched = [], model.clone()

        def wrapper(executor, x, t, *args, **kwargs):
            options = args[3] if len(args) > 3 else args[2]
            calls.append(
                SimpleNamespace(
                    rows=x.shape[0],
                    indices=options["cond_or_uncond"],
                    ours=prepared[:],
                    middle_patches=options.get("patches", {}).get("middle_patch", []),
                    output_patches=options.get("patches", {}).get("output_block_patch", []),
                )
            )
            prepared.clear()
            return executor(x, t, *args, **kwargs)

        watched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test.spy", wrapper)
        return watched, calls

    return watch
