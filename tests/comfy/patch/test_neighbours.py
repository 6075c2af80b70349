"""What else sits on the model: it acts inside the boxes as it does outside, and the boxes act beside it."""

from __future__ import annotations

import comfy.ldm.modules.attention as comfy_attention
import pytest
import torch

from devtools import tiny_models

STEPS = 2


def attn2_changes(base, layers, change) -> dict[str, torch.Tensor]:
    """change(weight) of every attn2 layer named in ``layers``, by the UNet's own key."""
    return {
        name: change(weight)
        for name, weight in base.weights.items()
        if ".attn2." in name and name.split(".")[-2] in layers
    }


def as_lora(changes: dict[str, torch.Tensor]) -> dict[str, tuple]:
    """A ModelPatcher's patches that add the changes."""
    return {f"diffusion_model.{name}": ("diff", (change,)) for name, change in changes.items()}


def test_a_lora_on_attn2_acts_inside_the_boxes(model, base, apply, two_boxes, sample):
    """The same picture as from a model that has the change in its weights."""
    changes = attn2_changes(base, ("to_q", "to_k", "to_v"), lambda weight: 0.5 * weight.roll(1, 0))
    patched = model.clone()
    patched.add_patches(as_lora(changes))
    got = sample(apply(patched, two_boxes))
    assert not torch.allclose(got, sample(apply(model, two_boxes)), atol=1e-3) and not torch.allclose(
        got, sample(patched), atol=1e-3
    )
    baked = {name: weight + changes.get(name, 0) for name, weight in base.weights.items()}
    other = tiny_models.patcher(tiny_models.sd15_model(weights=baked))
    assert torch.allclose(got, sample(apply(other, two_boxes)), atol=1e-3, rtol=1e-5)


def test_a_patch_on_the_context_acts_inside_the_boxes(model, base, apply, two_boxes, sample):
    """Half the context, as a hypernetwork might leave it, is half of to_k and to_v."""
    halved = model.clone()
    halved.set_model_attn2_patch(lambda n, context, value, options: (n, 0.5 * context, 0.5 * value))
    baked = model.clone()
    baked.add_patches(as_lora(attn2_changes(base, ("to_k", "to_v"), lambda weight: -0.5 * weight)))
    inside = sample(apply(halved, two_boxes))
    assert torch.allclose(inside, sample(apply(baked, two_boxes)), atol=1e-3, rtol=1e-5)
    assert not any(torch.allclose(inside, sample(other), atol=1e-3) for other in (apply(model, two_boxes), halved))


class IPAdapter:
    """Cross-attention plus attention on image tokens, its rows picked by cond_or_uncond; keys and values per block."""

    def __init__(self, seed: int = 9, inside: bool = True) -> None:
        self.seed, self.inside, self.calls = seed, inside, []

    def tokens(self, width: int, conditional: bool) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.seed + conditional)
        return torch.randn(1, 4, width, generator=generator)

    def __call__(self, q, k, v, options):
        chunks, heads = options["cond_or_uncond"], options["n_heads"]
        rows, size = q.shape[0] // len(chunks), options["original_shape"]
        assert size[0] == q.shape[0] and q.shape[0] % len(chunks) == 0
        height = size[2] / (size[2] * size[3] / q.shape[1]) ** 0.5  # how such packs find the map of the tokens
        assert abs(height - round(height)) < 1e-6 and q.shape[1] % round(height) == 0
        out = comfy_attention.optimized_attention(q, k, v, heads)
        self.calls.append((tuple(chunks), q.shape[1]))
        if not self.inside and size[2] == size[3]:
            return out
        image = torch.cat([self.tokens(q.shape[2], index == 0).expand(rows, -1, -1) for index in chunks])
        return out + comfy_attention.optimized_attention(q, image, image, heads)

    def on(self, model):
        patched = model.clone()
        for name, number in (
            [("input", n) for n in (1, 2, 4, 5, 7, 8)] + [("middle", 0)] + [("output", n) for n in range(3, 12)]
        ):
            # A function: up to ComfyUI 0.12 clone() deep-copies callable objects, and the calls would be noted in the
            # copy and not here.
            patched.set_model_attn2_replace(lambda q, k, v, options: self(q, k, v, options), name, number)
        return patched


def test_an_ip_adapter_acts_inside_the_boxes(model, apply, two_boxes, sample):
    outside, everywhere = IPAdapter(inside=False), IPAdapter()
    pictures = [sample(apply(adapter.on(model), two_boxes)) for adapter in (outside, everywhere)]
    assert not torch.allclose(*pictures, atol=1e-3)
    # The map's own call has both chunks; inside, each chunk's ROIs come alone, on the grids of the four levels.
    assert {(chunks, tokens) for chunks, tokens in everywhere.calls if len(chunks) == 1} == {
        ((index,), side * side) for index in (0, 1) for side in (25, 19, 13, 7)
    }


def test_an_ip_adapter_that_changes_nothing(model, apply, two_boxes, sample):
    plain, tokens = model.clone(), set()

    def attend(q, k, v, options):
        tokens.add(q.shape[1])
        return comfy_attention.optimized_attention(q, k, v, options["n_heads"])

    for number in (1, 2, 4, 5, 7, 8):
        plain.set_model_attn2_replace(attend, "input", number, 0)
    assert torch.allclose(sample(apply(plain, two_boxes)), sample(apply(model, two_boxes)), atol=1e-4)
    assert {16 * 24, 8 * 12, 4 * 6} == tokens  # it was called on the maps; inside the boxes it would add nothing either


def test_an_attention_override_acts_inside_the_boxes(model, apply, two_boxes, sample):
    seen = set()

    def override(attention, *args, **kwargs):
        seen.add(args[0].shape[1])
        return attention(*args, **kwargs)

    patched = apply(model, two_boxes).clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = override
    assert torch.equal(sample(patched), sample(apply(model, two_boxes)))
    assert {25 * 25, 19 * 19, 13 * 13, 7 * 7} <= seen


@pytest.fixture
def other_caption(layout, two_boxes):
    """The two boxes, the first with another caption."""
    first, second = two_boxes.instances
    return layout((first.box, "a green car at night"), (second.box, second.caption))


@pytest.mark.parametrize("nodes", ["apply", "apply_prompts"])
def test_an_override_that_knows_places_gets_those_of_the_boxes(nodes, request, model, two_boxes, sample):
    put, told = request.getfixturevalue(nodes), []

    def override(attention, q, k, v, *args, **kwargs):
        options = kwargs["transformer_options"]
        h, w = options["activations_shape"][-2:]
        told.append((len(options["cond_or_uncond"]), len(options["uuids"]), q.shape[0], options["original_shape"][0]))
        return attention(q, k, v, *args, **kwargs) * torch.ones(h * w, 1)  # as a regional one weighs its own cells

    patched = put(model, two_boxes).clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = override
    assert torch.allclose(sample(patched), sample(put(model, two_boxes)), atol=1e-4)
    assert told and all(rows % chunks == 0 and chunks == uuids and rows == shape for chunks, uuids, rows, shape in told)


@pytest.mark.parametrize("nodes", ["apply", "apply_prompts"])
@pytest.mark.parametrize("kind", ["override", "patch"])
def test_attention_that_does_not_read_the_text_leaves_the_captions(
    nodes, kind, request, model, two_boxes, other_caption, sample, encode, caplog
):
    put, fixed = request.getfixturevalue(nodes), encode("a stone")[0][0]

    def deaf(model):
        model = model.clone()
        if kind == "patch":
            model.set_model_attn2_patch(lambda n, k, v, o: (n, *(fixed.expand(len(n), -1, -1),) * 2))
        else:

            def override(attention, q, k, v, *args, **kwargs):
                return q if k.shape[1] != q.shape[1] else attention(q, k, v, *args, **kwargs)

            model.model_options["transformer_options"]["optimized_attention_override"] = override
        return model

    one, two = (sample(deaf(put(model, boxes))) for boxes in (two_boxes, other_caption))
    assert not torch.allclose(one, two, atol=1e-2)
    assert caplog.text.count("does not read the text that it is handed") == 2


def test_a_controlnet_on_the_same_model(model, apply, two_boxes, sample, spy, prompts):
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.ops

    config = {
        key: value for key, value in tiny_models.SD15.items() if key not in ("out_channels", "transformer_depth_output")
    }
    network = comfy.cldm.cldm.ControlNet(**config, hint_channels=3, operations=comfy.ops.disable_weight_init)
    control = comfy.controlnet.ControlNet(tiny_models.randomize(network, seed=4), load_device=torch.device("cpu"))
    control.set_cond_hint(torch.rand(1, 3, 128, 192, generator=torch.Generator().manual_seed(0)), 1.0, (0.0, 1.0))
    positive = [[text, {**extra, "control": control, "control_apply_to_uncond": True}] for text, extra in prompts[0]]
    patched, calls = spy(apply(model, two_boxes))
    both = sample(patched, positive=positive)
    assert len(calls) == 2 and all(call.ours for call in calls)
    assert not torch.allclose(both, sample(apply(model, two_boxes)), atol=1e-3)
    assert not torch.allclose(both, sample(model, positive=positive), atol=1e-3)


def test_a_gligen_patch_that_runs_before_the_capture(
    pack, model, base, gligen, adapter, apply, two_boxes, sample, prompts
):
    """GLIGEN's middle_patch joins the list at the UNet call; the h that the fuser gets has gone through it."""
    seen = []
    text = torch.randn(1, 64, generator=torch.Generator().manual_seed(0))
    positive = [[cond, {**extra, "gligen": ("position", gligen, [(text, 8, 12, 0, 0)])}] for cond, extra in prompts[0]]

    class Noting(pack.module("nodes.patch.methods.roictrl").ROICtrl):
        def fuse(self, instances, reading, order):
            fuse = super().fuse(instances, reading, order)

            def noting(h, a, n, spot):
                seen.append((h.clone(), n.clone(), spot.block))
                return fuse(h, a, n, spot)

            return noting

    slots, _ = pack.module("nodes.slots").slots_of(
        pack.module("nodes.patch.hosts").host_of(model), base.clip, two_boxes, 30, "", 0
    )
    control = pack.module("nodes.patch.control").Control("test", slots)
    patched = pack.module("nodes.patch.hooks").attach(model, control, Noting(adapter.model, adapter))
    assert not torch.allclose(sample(patched, positive=positive), sample(apply(model, two_boxes)), atol=1e-3)
    for h, n, block in seen:  # n is norm2 of the state that attn2 starts from
        assert torch.allclose(block.module.norm2(h), n, atol=1e-6)
    assert len(seen) == 16 * 2 * STEPS


def test_a_batch_changing_patch_is_left_alone(model, apply, two_boxes, sample, caplog):
    """AttentionCouple's way: attn2_patch doubles the batch, its output patch halves it.

    The boxes act on what is left.
    """
    coupled = model.clone()
    coupled.set_model_attn2_patch(
        lambda n, context, value, o: (n.repeat(2, 1, 1), context.repeat(2, 1, 1), value.repeat(2, 1, 1))
    )
    coupled.set_model_attn2_output_patch(lambda n, o: n[: n.shape[0] // 2])
    assert torch.allclose(sample(apply(coupled, two_boxes)), sample(apply(model, two_boxes)), atol=1e-4)
    assert caplog.text.count("changes the batch") == 1


def test_tokens_that_are_not_the_maps(model, apply, two_boxes, sample, caplog):
    """A pack that works on fewer tokens than the map has, and says so."""

    def fewer(x, options):
        rows, channels, height, width = options["activations_shape"]
        options["activations_shape"] = [rows, channels, height, width + 1]
        return x

    merging = model.clone()
    merging.set_model_patch(fewer, "middle_patch")
    assert torch.equal(sample(apply(merging, two_boxes)), sample(model))
    assert caplog.text.count("changes the batch or the tokens before cross-attention") == 1


def test_tiles_whose_place_is_unknown_are_refused(model, apply, two_boxes, sample):
    def tiles(apply_model, args):
        x, t, c = args["input"], args["timestep"], args["c"]
        left, right = (apply_model(part, t, **c) for part in x.chunk(2, dim=3))
        return torch.cat([left, right], 3)

    tiled = model.clone()
    tiled.set_model_unet_function_wrapper(tiles)
    sample(tiled)
    with pytest.raises(ValueError, match="Apply ROICtrl: the model is run on 12 x 16 pieces of a 24 x 16 latent"):
        sample(apply(tiled, two_boxes))


def test_a_pass_over_another_latent_goes_through_untouched(model, apply, two_boxes, sample, prompts, caplog):
    import comfy.samplers

    passes = []

    def extra_pass(args):
        for smaller in (args["input"][..., ::2, ::2], args["input"][..., ::2, :]):
            passes.append(
                comfy.samplers.calc_cond_batch(
                    args["model"], [args["cond"]], smaller, args["sigma"], args["model_options"]
                )[0]
            )
        return args["denoised"]

    patched = apply(model, two_boxes).clone()
    patched.set_model_sampler_post_cfg_function(extra_pass)
    assert torch.equal(sample(patched), sample(apply(model, two_boxes)))
    assert torch.isfinite(passes[0]).all()
    # Tiles have many sizes; what is said of them is said once.
    assert (
        caplog.text.count("A sampling pass over a 12 x 8 latent, where the picture's is 24 x 16")
        == caplog.text.count("A sampling pass over a")
        == 1
    )


def test_a_reference_image_through_the_same_unet_goes_untouched(model, apply, two_boxes, sample):
    """Reference packs run the UNet on other latents inside the sampler's own call."""
    from comfy.patcher_extension import WrappersMP

    outputs, pictures = {}, {}

    def reference(name):
        def wrapper(executor, x, t, context, y, control, options, **kwargs):
            outputs[name] = executor(torch.ones(x.shape[0], 4, 8, 8), t, context, y, control, dict(options), **kwargs)
            return executor(x, t, context, y, control, options, **kwargs)

        return wrapper

    for name, patched in (("base", model.clone()), ("boxes", apply(model, two_boxes).clone())):
        patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "test.reference", reference(name))
        pictures[name] = sample(patched, steps=1)
    assert torch.equal(outputs["base"], outputs["boxes"]) and not torch.equal(pictures["base"], pictures["boxes"])


def test_per_layer_text(model, apply, layout, base, sample, prompts):
    """ED-LoRA: the same text in every layer is plain text; another in one layer is not."""
    box, (text, extra) = (0.1, 0.1, 0.9, 0.9), prompts[0][0]
    layers = text[:, None].repeat(1, 16, 1, 1)
    other = layers.clone()
    other[:, 7] = prompts[1][0][0]

    def node_layout(own):
        return layout((box, "", {"conditioning": [[own, {}]]}))

    plain = sample(apply(model, node_layout(text)))
    assert torch.allclose(sample(apply(model, node_layout(layers))), plain, atol=1e-4)
    assert not torch.allclose(sample(apply(model, node_layout(other))), plain, atol=1e-3)
    assert torch.allclose(sample(apply(model, node_layout(text)), positive=[[layers, extra]]), plain, atol=1e-4)
    with pytest.raises(ValueError, match="text for 3 transformer layers"):
        sample(apply(model, node_layout(text)), positive=[[layers[:, :3], extra]])


def test_scheduled_lora_hooks_are_read_afresh(model, base, apply, two_boxes, sample, spy, prompts):
    """Weight hooks change attn2 between steps: keys and values are not kept."""
    import comfy.hooks
    import comfy.sd

    name = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    weight, name = base.weights[name], f"diffusion_model.{name}"
    hooks = comfy.hooks.HookGroup()
    hook = comfy.hooks.WeightHook(strength_model=1.0, strength_clip=0.0)
    hook.weights, hook.need_weight_init = {name: ("diff", (weight.roll(1, 0),))}, False
    hooks.add(hook)
    positive = [[text, {**extra, "hooks": hooks}] for text, extra in prompts[0]]
    patched, calls = spy(apply(model, two_boxes))
    hooked = sample(patched, positive=positive)
    assert calls and all(call.ours[0].reading.cache is None for call in calls)
    assert not torch.allclose(hooked, sample(patched), atol=1e-4)
