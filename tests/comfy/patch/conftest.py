"""Tiny models that ComfyUI samples with, an adapter with open gates, and one way to run a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from devtools import tiny_models
from devtools.goldens import metadata_of, tensors_of

LATENT = (1, 4, 16, 24)  # height 16, width 24: not square, so that x and y cannot be mixed up
STEPS = 2


@pytest.fixture(autouse=True)
def no_gradients():
    """Nodes execute in inference mode; a test that trains leaves it by itself."""
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def base() -> SimpleNamespace:
    """A random SD1.x UNet of 32 channels, a copy of its weights (a loaded LoRA changes the model's own), and a CLIP."""
    model = tiny_models.sd15_model()
    weights = {name: tensor.clone() for name, tensor in model.diffusion_model.state_dict().items()}
    return SimpleNamespace(model=model, weights=weights, patcher=tiny_models.patcher(model), clip=tiny_models.clip())


@pytest.fixture
def model(base):
    """A ModelPatcher of its own around the base."""
    return base.patcher.clone()


@pytest.fixture(scope="session")
def adapter(adapter_for):
    """ROICTRL for the base."""
    return adapter_for(tiny_models.SD15)


@pytest.fixture(scope="session")
def adapter_for(pack) -> Callable:
    """adapter_for(unet_config) -> ROICTRL: random, with open gates."""

    def make(unet):
        config = pack.module("roictrl_core.config").AdapterConfig.for_unet(unet)
        network = pack.module("roictrl_core.adapter").ROICtrlAdapter(config)
        state = tiny_models.randomize(network, seed=2).state_dict()
        state.update({key: torch.tensor(0.8) for key in state if ".alpha_" in key})
        file = pack.module("roictrl_core.checkpoint").AdapterFile(config, state, {}, "a random adapter")
        return pack.module("nodes.weights").adapter_patcher(file)

    return make


@pytest.fixture(scope="session")
def layout(pack) -> Callable:
    """layout((box, caption, settings...), ...) -> Layout of the test's latent."""
    module = pack.module("roictrl_core.layout")

    def make(*instances):
        made = tuple(
            module.Instance(box=tuple(box), caption=caption, **(more[0] if more else {}))
            for box, caption, *more in instances
        )
        return module.Layout(width=LATENT[3] * 8, height=LATENT[2] * 8, instances=made)

    return make


@pytest.fixture(scope="session")
def two_boxes(layout):
    return layout(((0.05, 0.1, 0.5, 0.9), "a red fox"), ((0.4, 0.2, 0.95, 0.8), "a blue bird"))


@pytest.fixture(scope="session")
def apply(pack, base, adapter) -> Callable:
    """Apply ROICtrl as the node executes it."""
    node = pack.module("nodes.apply").ApplyROICtrl
    return lambda model, layout, **settings: node.execute(
        model, settings.pop("adapter", adapter), settings.pop("clip", base.clip), layout, **settings
    )[0]


@pytest.fixture(scope="session")
def apply_prompts(pack, base) -> Callable:
    """Apply ROI Prompts as the node executes it."""
    node = pack.module("nodes.roi_prompts").ApplyROIPrompts
    return lambda model, layout, **settings: node.execute(model, settings.pop("clip", base.clip), layout, **settings)[0]


@pytest.fixture(scope="session")
def gligen(pack, base):
    """A GLIGEN for the tiny UNet and CLIP: core's modules, random, their gates open."""
    import comfy.gligen

    host = pack.module("nodes.patch.hosts.unet").UNet(base.model.diffusion_model)
    fusers = []
    for block in host.blocks:
        width = block.channels
        fuser = tiny_models.randomize(comfy.gligen.GatedSelfAttentionDense(width, 64, 8, width // 8), seed=block.number)
        fuser.load_state_dict({**fuser.state_dict(), "alpha_attn": torch.tensor(0.7), "alpha_dense": torch.tensor(0.7)})
        fusers.append(fuser)
    position = tiny_models.randomize(comfy.gligen.PositionNet(64, 64), seed=3)
    return tiny_models.patcher(comfy.gligen.Gligen(fusers, position, 64))


@pytest.fixture(scope="session")
def apply_gligen(pack, base, gligen) -> Callable:
    """Apply GLIGEN as the node executes it, in all steps."""
    node = pack.module("nodes.gligen").ApplyGLIGEN

    def run(model, layout, **settings):
        given = {"gligen": gligen, "clip": base.clip, "end_percent": 1.0, **settings}
        return node.execute(model, given.pop("gligen"), given.pop("clip"), layout, **given)[0]

    return run


@pytest.fixture(scope="session")
def encode(base) -> Callable:
    """CLIP Text Encode."""
    return lambda text: base.clip.encode_from_tokens_scheduled(base.clip.tokenize(text))


@pytest.fixture(scope="session")
def prompts(encode) -> tuple:
    """positive, negative."""
    with torch.inference_mode():
        return encode("a photo of a forest"), encode("blurry")


@pytest.fixture(scope="session")
def sample(prompts) -> Callable:
    """KSampler's own way to a latent: Euler, two steps, CFG 5."""
    import comfy.sample

    def run(model, positive=None, negative=None, *, shape=LATENT, cfg=5.0, seed=0, steps=STEPS, **more):
        latent = torch.zeros(shape)
        noise = comfy.sample.prepare_noise(latent, seed)
        return comfy.sample.sample(
            model,
            noise,
            steps,
            cfg,
            "euler",
            "normal",
            prompts[0] if positive is None else positive,
            prompts[1] if negative is None else negative,
            latent,
            disable_pbar=True,
            seed=seed,
            **more,
        )

    return run


class Golden:
    """The golden files. file: a name -> its path."""

    def __init__(self, file: Callable[[str], Path]) -> None:
        self.file = file

    def load(self, name: str) -> dict[str, torch.Tensor]:
        """Tensors, float16 ones as float32."""
        return tensors_of(self.file(name))

    def metadata(self, name: str) -> dict:
        return metadata_of(self.file(name))


@pytest.fixture(scope="session")
def golden(golden_file) -> Golden:
    """Every golden file, by name; the test is skipped where it is not at hand."""
    return Golden(golden_file)


@pytest.fixture
def prepared(pack, monkeypatch) -> list:
    """What the methods with captions made of the calls since somebody emptied it, one entry for each Apply."""
    found = []
    for kind in (
        pack.module("nodes.patch.methods.roictrl").ROICtrl,
        pack.module("nodes.patch.methods.roi_prompts").ROIPrompts,
    ):

        def noting(self, instances, reading, order, *args, fuse=kind.fuse):
            found.append(SimpleNamespace(instances=instances, reading=reading, chunks=reading.rows.chunks))
            return fuse(self, instances, reading, order, *args)

        monkeypatch.setattr(kind, "fuse", noting)
    return found


@pytest.fixture
def spy(prepared) -> Callable:
    """spy(model) -> (model, calls).

    Every UNet call with its sigma and what our methods prepared for it (nothing: left alone).
    """
    from comfy.patcher_extension import WrappersMP

    def watch(model):
        calls, watched = [], model.clone()

        def wrapper(executor, x, t, *args, **kwargs):
            options = args[3] if len(args) > 3 else args[2]
            ours = prepared[:]
            prepared.clear()
            calls.append(
                SimpleNamespace(
                    sigma=float(options["sigmas"][0]),
                    indices=options["cond_or_uncond"],
                    rows=x.shape[0],
                    size=tuple(x.shape[-2:]),
                    ours=ours,
                    roles=[chunk.role for chunk in ours[0].chunks] if ours else None,
                )
            )
            return executor(x, t, *args, **kwargs)

        watched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test.spy", wrapper)
        return watched, calls

    return watch


@pytest.fixture
def one_call(base) -> Callable:
    """one_call(model, x, t, positive, negative) -> the UNet's raw output.

    Of one evaluation at timestep t, as a sampler makes it.
    """
    import comfy.samplers

    def run(model, x, t, positive, negative=None):
        sampling, outputs = base_sampling(model), []
        sigma = sampling.sigma(torch.tensor([float(t)]))
        noised = x * (sigma**2 + sampling.sigma_data**2) ** 0.5  # the model divides it out again

        def sampler(denoise, _, sigmas, extra_args=None, callback=None, disable=None):
            return denoise(noised, sigma.expand(len(x)), **extra_args)

        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive, negative or positive)
        guider.set_cfg(1.0 if negative is None else 2.0)
        hook = model.model.diffusion_model.register_forward_hook(lambda module, inputs, output: outputs.append(output))
        try:
            guider.sample(
                torch.zeros_like(x),
                torch.zeros_like(x),
                comfy.samplers.KSAMPLER(sampler),
                torch.tensor([float(sigma), 0.0]),
            )
        finally:
            hook.remove()
        return torch.cat(outputs)

    return run


def base_sampling(model):
    return model.get_model_object("model_sampling")


@pytest.fixture
def lora_file(comfy):
    """lora_file(name, tensors) -> name, in models/loras."""

    def write(name, tensors):
        folder = comfy.base / "models" / "loras"
        folder.mkdir(parents=True, exist_ok=True)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / name)
        return name

    return write


@pytest.fixture
def add_lora(pack):
    """Instance LoRA as the node executes it."""
    node = pack.module("nodes.instance_lora").InstanceLoRA
    return lambda layout, instance, name, **settings: node.execute(layout, instance, name, **settings)[0]
