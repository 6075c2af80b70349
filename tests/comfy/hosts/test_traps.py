"""Reference pictures, masks and patches of other packs: what the families' specialities ask of a host."""

from __future__ import annotations

import pytest
import torch
from comfy.patcher_extension import WrappersMP

from devtools import tiny_dits
from devtools.pack import pack_module
from devtools.tiny_families import BOXES, attach, error, here, optioned, watching


def hidden(family, model=None):
    """A caption that no token reads: its text is in the call, and the picture is the plain one."""
    points, control = pack_module("nodes.patch.points"), pack_module("nodes.patch.control")
    text = control.Text(family.text(21, 9)[0][0][0])

    def session(call):
        rows = tuple(range(len(call.rows)))
        return points.Points(text=lambda size: [points.Segment(text, rows, torch.zeros(size, dtype=torch.bool))])

    return attach(model or family.patcher, session)


def test_a_hidden_caption_changes_nothing(joint):
    """Neither places nor refiners know of it."""
    run = {"batch": 2, "negative": joint.text(6, 9)}
    assert error(joint.sample(hidden(joint), **run), joint.sample(**run)) < 1e-6


def test_a_hidden_caption_beside_a_padded_prompt(joint):
    """The mask of its text is cut for each segment."""
    run = {"positive": padded(joint.text(5)), "steps": 1}
    try:
        plain = joint.sample(**run)
    except RuntimeError:
        pytest.skip("this ComfyUI runs no such prompt in this family")
    assert error(joint.sample(hidden(joint), **run), plain) < 1e-6


def padded(prompt) -> list:
    """Whose last three tokens are said to be none."""
    tensor, others = prompt[0]
    return [[tensor, {**others, "attention_mask": (torch.arange(tensor.shape[1]) < tensor.shape[1] - 3)[None].long()}]]


@pytest.mark.parametrize(
    "name, same", [(name, same) for name in here(["qwen_image", "flux", "flux2"]) for same in (1, 0)]
)
def test_reference_pictures(name, same, tiny):
    """One of the picture's size has the boxes too, another none."""
    family = tiny(name)
    size = tiny_dits.SIZE if same else (12, 8)
    reference = torch.randn(tiny_dits.latent(name, size=size).shape, generator=torch.Generator().manual_seed(4))
    prompt = [[tensor, {**others, "reference_latents": [reference]}] for tensor, others in family.text(5)]
    run = {"positive": prompt, "steps": 1, "cfg": 1.0}
    block = (getattr(family.module, "double_blocks", None) or family.module.transformer_blocks)[0]
    with watching(block) as found:
        family.sample(**run)
        family.sample(family.apply(family.layout((BOXES[1], "22 9"))), **run)
    before, after = (tensors[0 if "flux" in name else 1][0] for tensors in found)
    change = (after - before).abs()
    changed = (change > 1e-4 * change.max()).any(-1)
    rows, columns = family.host.kind.grid(tiny_dits.latent(name).shape)
    picture, behind = changed.split([rows * columns, len(changed) - rows * columns])
    assert picture.any() and not picture.all() and len(behind)
    assert torch.equal(picture, behind) if same else not behind.any()


@pytest.mark.parametrize("name", here(["z_image"]))
def test_reference_pictures_that_bring_text_are_refused(name, tiny):
    family = tiny(name)
    reference = torch.zeros(tiny_dits.latent(name).shape)
    prompt = [[tensor, {**others, "reference_latents": [reference]}] for tensor, others in family.text(5)]
    if torch.equal(family.sample(positive=prompt, steps=1), family.plain(steps=1)):
        pytest.skip("this ComfyUI has none for the family")
    with pytest.raises(ValueError, match="reference pictures and boxes do not go together"):
        family.sample(family.apply(), positive=prompt, steps=1)


def test_a_mask_of_flux_over_text_and_picture(tiny):
    """As Redux's: prompt and image keep it, and captions have none."""
    family, count = tiny("flux"), tiny_dits.TEXT + 80
    mask = torch.randn(1, count, count, generator=torch.Generator().manual_seed(2))
    more = {"attention_mask": mask, "attention_mask_img_shape": (8, 10)}
    prompt = [[tensor, {**others, **more}] for tensor, others in family.text(5)]
    run = {"positive": prompt, "steps": 1, "cfg": 1.0}
    plain = family.sample(**run)
    assert error(plain, family.plain(steps=1, cfg=1.0)) > 1e-3
    assert error(family.sample(hidden(family), **run), plain) < 1e-6
    assert error(family.sample(family.apply(), **run), plain) > 1e-3


@pytest.mark.parametrize("name", here(["flux", "flux2"]))
def test_text_that_another_node_adds_stops_with_a_sentence(name, tiny):
    """As USO's style reference does."""

    def prepend(args):
        args["txt"] = torch.cat([args["txt"][:, :2], args["txt"]], 1)
        args["txt_ids"] = torch.cat([args["txt_ids"][:, :2], args["txt_ids"]], 1)
        return args

    family = tiny(name)
    model = optioned(family.patcher, patches={"post_input": [prepend]})
    assert error(family.sample(model), family.plain()) > 5e-5
    with pytest.raises(ValueError, match="read .* tokens, and prompt, captions and picture have"):
        family.sample(family.apply(model=model))
    assert torch.equal(family.sample(), family.plain())


@pytest.mark.parametrize("name", here(["flux", "qwen_image", "wan21"]))
def test_blocks_that_another_pack_replaces_are_said(name, tiny, caplog):
    """Where captions stand in the text everybody would read them, so that is an error."""
    family = tiny(name)
    names = [("double_block", i) for i in range(2)] + [("single_block", i) for i in range(2)]
    replaced = {name: lambda args, extra: {key: args[key] for key in ("img", "txt") if key in args} for name in names}
    model = optioned(family.patcher, patches_replace={"dit": replaced})
    if family.joint:
        with pytest.raises(ValueError, match="Apply ROI Prompts: the model's attention does not go through ComfyUI's"):
            family.sample(family.apply(model=model))
        return
    family.sample(family.apply(model=model))
    assert caplog.text.count("In the first step no block of the model came by where the boxes act") == 1


@pytest.mark.parametrize("name", here(["flux", "wan21"]))
def test_steps_that_a_cache_skips_are_no_fault(name, tiny, caplog):
    family, kept = tiny(name), []
    model = family.patcher.clone()

    def wrapper(executor, *args, **kwargs):
        kept.append(executor(*args, **kwargs)) if not kept else None
        return kept[0]

    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "test.cache", wrapper)
    family.sample(family.apply(model=model), steps=3, cfg=1.0)
    assert len(kept) == 1 and "In the first step" not in caplog.text


def test_tokens_that_another_node_adds_to_the_picture_are_said(tiny, caplog):
    """Those blocks leave the boxes out; the others have them."""
    family = tiny("wan21")

    def longer(module, args, kwargs):
        return (torch.cat([args[0][:, :1], args[0]], 1), *args[1:]), kwargs

    blocks = [block.module for block in family.host.blocks]
    for some in (blocks, blocks[:1]):
        hooks = [module.register_forward_pre_hook(longer, with_kwargs=True) for module in some]
        hooks += [module.register_forward_hook(lambda module, args, output: output[:, 1:]) for module in some]
        try:
            plain, boxed = family.sample(), family.sample(family.apply())
        finally:
            for hook in hooks:
                hook.remove()
        assert torch.equal(plain, boxed) is (some is blocks)
        assert caplog.text.count("Another node adds tokens to the picture") == 1
        assert "In the first step" not in caplog.text
        caplog.clear()


@pytest.mark.parametrize("name", here(["cosmos_predict2"]))
def test_a_patch_that_counts_tokens(name, tiny):
    """As Anima LLLite ControlNet has it: boxes read their captions with the patch on the whole picture."""
    if "anima" not in tiny_dits.present():
        pytest.skip("this ComfyUI has no such patch here")
    family, count = tiny(name), 80

    def patch(q, k, v, pe=None, attn_mask=None, extra_options=None):
        assert q.shape[1] == count, "sequence mismatch"
        return {"q": q + torch.linspace(-1, 1, count * q.shape[-1]).view(1, count, -1).to(q), "k": k, "v": v}

    model = optioned(family.patcher, patches={"attn2_patch": [patch]})
    got = family.sample(family.apply(model=model), steps=1)
    assert error(got, family.sample(model, steps=1)) > 1e-4
    assert error(got, family.sample(family.apply(), steps=1)) > 1e-4


def test_relatives_of_a_family_are_refused(tiny, pack):
    """Other classes have other blocks, and what changes captions in every block cannot act."""
    family = tiny("wan21")
    kind = type(family.module)
    try:
        family.module.__class__ = type("VaceWanModel", (kind,), {})
        with pytest.raises(ValueError, match="is of no family"):
            pack.module("nodes.patch.hosts").host_of(family.patcher)
    finally:
        family.module.__class__ = kind
    ltx = tiny("ltxv").module
    ltx.cross_attention_adaln = True
    try:
        with pytest.raises(ValueError, match="changes the text in every block"):
            pack.module("nodes.patch.hosts").host_of(tiny("ltxv").patcher)
    finally:
        del ltx.cross_attention_adaln


@pytest.mark.parametrize("name", here(["chroma", "krea2"]))
def test_references_that_a_model_does_not_read_change_nothing(name, tiny):
    family = tiny(name)
    prompt = [[tensor, {**others, "reference_latents": [tiny_dits.latent(name)]}] for tensor, others in family.text(5)]
    got, want = (family.sample(family.apply(), positive=positive) for positive in (prompt, family.text(5)))
    assert error(got, want) < 1e-5


def test_a_model_that_places_the_picture_by_its_text_is_refused(tiny, pack):
    import comfy.supported_models as models

    if not hasattr(models, "LongCatImage"):
        pytest.skip("this ComfyUI does not have the model")
    settings = {**tiny_dits.FAMILIES["flux"][1], "guidance_embed": False, "vec_in_dim": None, "txt_ids_dims": [1, 2]}
    model = tiny_dits.patcher_of(tiny_dits.model_of(models.LongCatImage, settings))
    with pytest.raises(ValueError, match=r"\(LongCatImage\) places the image by the length of its text"):
        pack.module("nodes.patch.hosts").host_of(model)


@pytest.mark.parametrize("name", here(["flux", "wan21"]))
def test_text_of_several_layers_is_refused(name, tiny):
    family = tiny(name)
    tensor, others = family.text(21)[0]
    layered = [[tensor[:, None].repeat(1, 3, 1, 1), others]]
    with pytest.raises(ValueError, match="Apply ROI Prompts: an instance's custom conditioning holds a text for"):
        family.sample(family.apply(family.layout((BOXES[0], "", {"conditioning": layered}))))


def test_hunyuan_reads_long_captions_and_wants_both_texts(tiny):
    """A caption that is the prompt reads as the prompt does: of CLIP's text the last 77 places are masked."""
    family = tiny("hunyuan_dit")
    tensor, others = family.text(21)[0]
    long = {**others, "attention_mask": others["attention_mask"].repeat(1, 2)}
    given = [[tensor.repeat(1, 2, 1), long]]
    run, boxed = {"cfg": 1.0, "steps": 1}, family.apply(family.layout((BOXES[0], "", {"conditioning": given})))
    assert error(family.sample(boxed, positive=given, **run), family.sample(positive=given, **run)) < 1e-5
    assert error(family.sample(boxed, **run), family.sample(**run)) > 1e-3
    alone = [[tensor, {"pooled_output": None, "attention_mask": others["attention_mask"]}]]
    with pytest.raises(ValueError, match="Apply ROI Prompts: a caption has CLIP's text without mT5's"):
        family.sample(family.apply(family.layout((BOXES[0], "", {"conditioning": alone}))), **run)
