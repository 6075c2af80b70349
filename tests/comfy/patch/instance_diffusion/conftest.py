"""InstanceDiffusion for the tests' tiny UNet, and a look at what its patches are given."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest
import torch

from devtools import tiny_models


@pytest.fixture(scope="module")
def hashfill(root):
    return by_path(root / "tests" / "golden" / "instancediffusion" / "hashfill.py")


@pytest.fixture(scope="module")
def reference(root):
    """The literal sampler."""
    return by_path(root / "tests" / "reference" / "instance_diffusion.py")


def by_path(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def config_of(pack):
    """The fusers and ScaleU that a UNet of SD1.x's kind wants."""
    config = pack.module("roictrl_core.instance_diffusion.config")

    def make(unet, heads=8):
        base, mult = unet["model_channels"], unet["channel_mult"]
        widths = {320: base * mult[0], 640: base * mult[1], 1280: base * mult[2]}
        sd15 = config.InstanceDiffusionConfig()
        return config.InstanceDiffusionConfig(
            fusers=tuple((name, widths[channels]) for name, channels in sd15.fusers),
            heads=heads,
            scaleu=tuple([base * mult[3]] * 3 + [base * mult[2]] * 4 + [base * mult[1]] * 3 + [base * mult[0]] * 2),
            text_width=unet["context_dim"],
            token_width=unet["context_dim"],
            hidden_width=32,
        )

    return make


@pytest.fixture(scope="module")
def trained(pack, hashfill, config_of):
    """INSTANCE_DIFFUSION for the tests' tiny SD1.x UNet, hash-filled so that every gate is open."""
    config = config_of(tiny_models.SD15)
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


@pytest.fixture(scope="module")
def given_unet(pack):
    """given_unet(unet, patcher, grounding, scale, settings) -> a function (x, t, text).

    The UNet with our patches at one row, its grounding and the fusers' strength given in place of a layout's.
    """
    module = pack.module("nodes.patch.methods.instance_diffusion")
    rows, memo = pack.module("nodes.patch.rows"), pack.module("nodes.patch.memo").Memo

    class Given(module.InstanceDiffusionSession):
        def __init__(self, patcher, given, scale, settings):
            run = SimpleNamespace(control=SimpleNamespace(strength=1.0), memo=memo(), say=lambda code, **values: None)
            super().__init__(SimpleNamespace(network=patcher.model, settings=settings), run)
            self.given, self.scale = given, scale

        def grounding(self, subject):
            return self.given

        def _scale(self, call):
            return self.scale

    def run(unet, patcher, given, scale, settings):
        host = pack.module("nodes.patch.hosts").UNet(unet)
        session, install = Given(patcher, given, scale, settings), host.installer("test")

        def evaluate(x, t, text):
            size = (1, *x.shape[-2:])
            points = session(
                SimpleNamespace(
                    host=host, options={}, rows=rows.Rows((rows.Chunk(0, "negative", slots=((),)),), 1, size)
                )
            )
            options = install(host, {"cond_or_uncond": [0]}, points, size, memo(), session.run.say)
            return unet(x, t, context=text, transformer_options=options)

        return evaluate

    return run


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
