"""One row for every refusal and warning of the loader, the Apply nodes and the patch."""

from __future__ import annotations

import math
from pathlib import Path

import folder_paths
import pytest
import torch
from safetensors.torch import save_file

from devtools import tiny_models

BOX = (0.1, 0.1, 0.6, 0.8)


def test_refused_layouts(apply, model, layout):
    for box, sentence in (
        ((math.nan, 0, 1, 1), "Apply ROICtrl: The box of instance 1 .* needs four finite numbers"),
        ((0.6, 0.1, 0.2, 0.8), "Apply ROICtrl: The box of instance 1 .* has no area"),
        ((1.2, 0.1, 1.6, 0.8), "Apply ROICtrl: The box of instance 1 .* lies outside the picture"),
    ):
        with pytest.raises(ValueError, match=sentence):
            apply(model, layout((box, "a fox")))
    with pytest.raises(ValueError, match="Apply ROICtrl: The strength of instance 1 .* is nan"):
        apply(model, layout((BOX, "a fox", {"strength": math.nan})))
    with pytest.raises(ValueError, match="Apply ROICtrl: the layout input holds dict; connect Instance Box Prompt"):
        apply(model, {"instances": []})


def test_refused_text(apply, model, layout, base):
    for conditioning, sentence in (
        (
            [[torch.full((1, 77, 64), math.nan), {}]],
            "Apply ROICtrl: the custom conditioning of instance 1 .* not numbers",
        ),
        ([[torch.zeros(77, 64), {}]], "Apply ROICtrl: the custom conditioning of instance 1 .* no text embedding"),
        ("text", "Apply ROICtrl: the custom conditioning of instance 1 .* no text embedding"),
        (
            [[torch.zeros(1, 77, 768), {}]],
            "the caption of instance 1 .* 768 numbers per token, and the model reads 64. Use the CLIP",
        ),
    ):
        with pytest.raises(ValueError, match=sentence):
            apply(model, layout((BOX, "a fox", {"conditioning": conditioning})))
    with pytest.raises(ValueError, match="Apply ROICtrl: the CLIP input is empty"):
        apply(model, layout((BOX, "a fox")), clip=None)
    with pytest.raises(ValueError, match="the negative caption of instance 1 .* 32 numbers per token"):
        apply(
            model,
            layout((BOX, "", {"conditioning": [[torch.zeros(1, 77, 64), {}]], "negative": "bad"})),
            clip=tiny_models.clip(32),
        )


def test_a_clip_that_gives_no_numbers(apply, model, layout):
    broken = tiny_models.clip()
    broken.cond_stage_model.clip_l.transformer.text_model.final_layer_norm.weight.data.fill_(math.nan)
    with pytest.raises(ValueError, match="CLIP gives an embedding that is not a number for the caption of instance 1"):
        apply(model, layout((BOX, "a fox")), clip=broken)


def test_warned_text(apply, model, layout, encode, caplog):
    several = encode("a fox") + encode("a cat")
    apply(model, layout((BOX, "a fox", {"conditioning": several}), (BOX, "")))
    assert "instance 1 ('a fox') combines 2 prompts; only the first acts" in caplog.text
    assert "Apply ROICtrl: The caption of instance 2 is empty" in caplog.text


def test_refused_adapters_and_models(pack, apply, apply_prompts, model, adapter, layout, base):
    with pytest.raises(
        ValueError,
        match="Apply ROICtrl: the adapter input holds str, not a ROICtrl adapter. Connect Load ROICtrl Adapter",
    ):
        apply(model, layout((BOX, "a fox")), adapter="adapter.safetensors")
    with pytest.raises(ValueError, match="Apply ROICtrl: the adapter input holds ModelPatcher"):
        apply(model, layout((BOX, "a fox")), adapter=model)
    sdxl = tiny_models.patcher(tiny_models.sdxl_model())
    with pytest.raises(
        ValueError,
        match=r"this model \(SDXL\) is a UNet with 28 text blocks .* or Apply Boxes, which picks what",
    ):
        apply(sdxl, layout((BOX, "a fox")))
    sd2 = tiny_models.patcher(tiny_models.sd15_model({**tiny_models.SD15, "num_heads": -1, "num_head_channels": 16}))
    with pytest.raises(ValueError, match="Use an SD1.x checkpoint with it, or Apply Boxes"):
        apply(sd2, layout((BOX, "a fox")))


def test_a_model_of_no_known_family_is_refused(apply, apply_prompts, model, layout):
    transformer = model.clone()
    transformer.add_object_patch("diffusion_model", torch.nn.Module())
    for run in (apply, apply_prompts):
        with pytest.raises(
            ValueError, match="is of no family in whose blocks boxes can act. Use a model of one of these"
        ):
            run(transformer, layout((BOX, "a fox")))


def test_a_unet_without_text_is_refused(apply_prompts, model, layout):
    silent = tiny_models.sd15_model(
        {
            **tiny_models.SD15,
            "transformer_depth": [0] * 8,
            "transformer_depth_output": [0] * 12,
            "transformer_depth_middle": 0,
        }
    )
    silent.diffusion_model.middle_block[1].transformer_blocks = torch.nn.ModuleList()
    with pytest.raises(ValueError, match="Apply ROI Prompts: this model .* does not read text in its UNet"):
        apply_prompts(tiny_models.patcher(silent), layout((BOX, "a fox")))


def test_more_boxes_than_slots_names_those_left_out(apply, model, layout, caplog):
    boxes = [(BOX, f"number {i}") for i in range(1, 33)]
    apply(model, layout(*boxes))
    assert "The adapter has 30 slots, so instance 32 ('number 32') has no effect" in caplog.text
    caplog.clear()
    apply(model, layout((BOX, "muted", {"enabled": False}), (BOX, "muted too", {"enabled": False}), *boxes[:30]))
    assert "slots" not in caplog.text


@pytest.mark.parametrize(
    "settings, boxes, sentence",
    [
        ({"strength": 0.0}, 1, "Apply ROICtrl: Strength is 0"),
        ({"start_percent": 0.8, "end_percent": 0.2}, 1, "start_percent 0.8 is not before end_percent 0.2"),
        ({}, 0, "Apply ROICtrl: The layout has no enabled instance"),
    ],
)
def test_a_picture_without_control_is_said(apply, model, layout, caplog, settings, boxes, sentence):
    apply(model, layout(*[(BOX, "a fox")] * boxes), **settings)
    assert sentence in caplog.text


def test_a_sampler_without_lists_of_prompts(pack, apply, model, two_boxes, sample, caplog):
    """A pack that calls the UNet without telling whose rows they are."""

    def anonymous(apply_model, args):
        options = dict(args["c"]["transformer_options"])
        options.pop("cond_or_uncond")
        return apply_model(args["input"], args["timestep"], **{**args["c"], "transformer_options": options})

    foreign = model.clone()
    foreign.set_model_unet_function_wrapper(anonymous)
    assert torch.equal(sample(apply(foreign, two_boxes)), sample(model))
    assert "A call of the model without the sampler's list of prompts runs without the boxes" in caplog.text


def test_a_pack_with_batching_of_its_own(apply, model, two_boxes, sample, caplog):
    import comfy.samplers

    foreign = apply(model, two_boxes).clone()
    foreign.set_model_sampler_calc_cond_batch_function(
        lambda args: comfy.samplers._calc_cond_batch(
            args["model"], args["conds"], args["input"], args["sigma"], args["model_options"]
        )
    )
    assert torch.equal(sample(foreign), sample(model))
    assert caplog.text.count("past the sampler's own batching runs without the boxes") == 1


@pytest.mark.parametrize(
    "uncond_boxes, done", [("negative prompt", "it reads its own prompt"), ("off", "the boxes leave it alone")]
)
def test_a_prompt_that_is_not_the_guiders(apply, model, two_boxes, sample, encode, caplog, uncond_boxes, done):
    """The deprecated PerpNeg node samples a third prompt that the guider does not know."""
    from comfy_extras.nodes_perpneg import PerpNeg

    sample(PerpNeg.execute(apply(model, two_boxes, uncond_boxes=uncond_boxes), encode(""), 1.0)[0])
    assert caplog.text.count(f"neither of the guider's prompts; {done}") == 1


@pytest.fixture
def folder(pack, comfy):
    """models/roictrl of the ComfyUI under test."""
    pack.module("nodes.loader")
    path = Path(folder_paths.get_folder_paths("roictrl")[0])
    yield path
    for file in path.iterdir():
        file.unlink()
    folder_paths.filename_list_cache.pop("roictrl", None)


def test_an_empty_folder_says_what_to_do(pack, folder):
    node = pack.module("nodes.loader").LoadAdapter
    (choice,) = node.GET_SCHEMA().inputs[0].options
    assert choice == "(no file in models/roictrl)"
    with pytest.raises(
        ValueError, match="Load ROICtrl Adapter: There is no file in .*roictrl. Put the weights there, press R"
    ):
        node.execute(choice)
    with pytest.raises(ValueError, match="The file 'gone.safetensors' is not in .*roictrl"):
        node.execute("gone.safetensors")


def test_a_file_is_loaded_and_others_are_refused(pack, folder, adapter):
    node = pack.module("nodes.loader").LoadAdapter
    save = pack.module("roictrl_core.checkpoint").save_adapter
    save(folder / "ours.safetensors", adapter.model.config, adapter.model.state_dict())
    loaded = node.execute("ours.safetensors")[0]
    assert all(torch.equal(t, loaded.model.state_dict()[key]) for key, t in adapter.model.state_dict().items())
    assert "ours.safetensors" in model_list()
    first = node.fingerprint_inputs("ours.safetensors")
    save(
        folder / "ours.safetensors",
        adapter.model.config,
        {key: t * 0.5 for key, t in adapter.model.state_dict().items()},
    )
    assert node.fingerprint_inputs("ours.safetensors") != first and node.fingerprint_inputs("gone") == "gone"
    save_file({"lora_unet_x.lora_up.weight": torch.zeros(2, 2)}, folder / "a lora.safetensors")
    with pytest.raises(
        ValueError,
        match="^Load ROICtrl Adapter: a lora.safetensors is a LoRA, not a ROICtrl adapter. "
        "Load it with Load LoRA, on the model that goes into Apply ROICtrl.$",
    ):
        node.execute("a lora.safetensors")


def test_every_kind_of_file_has_a_remedy(pack):
    kinds = pack.module("roictrl_core.recognise").KINDS
    assert list(pack.module("nodes.remedies").REMEDIES) == [kind.name for kind in kinds]


def model_list() -> list[str]:
    folder_paths.filename_list_cache.pop("roictrl", None)
    return folder_paths.get_filename_list("roictrl")


def test_extra_model_paths_come_along(pack, tmp_path):
    """Folders that extra_model_paths.yaml named before our registration stay."""
    folders = pack.module("nodes.model_folders")
    folder_paths.add_model_folder_path("roictrl_test", str(tmp_path))
    folders.register("roictrl_test")
    paths, suffixes = folder_paths.folder_names_and_paths.pop("roictrl_test")
    assert paths[0] == str(tmp_path) and len(paths) == 2 and ".safetensors" in suffixes


def test_a_unet_that_reads_a_picture_is_refused(apply, apply_prompts, model, layout, base):
    """SVD and Stable Zero123: their cross-attention is as wide as a caption, but holds a CLIP vision embedding."""
    from comfy import supported_models

    for kind in (supported_models.Stable_Zero123, supported_models.SVD_img2vid):
        silent = tiny_models.patcher(tiny_models.sd15_model())
        silent.model.model_config = kind(dict(kind.unet_config))
        for run in (apply, apply_prompts):
            with pytest.raises(
                ValueError, match=f"this model \\({kind.__name__}\\) reads a picture where others read text"
            ):
                run(silent, layout((BOX, "a fox")))


@pytest.mark.parametrize("which", ["apply", "apply_prompts"])
def test_a_latent_of_another_shape_is_said_once(request, which, model, two_boxes, sample, caplog):
    patched = request.getfixturevalue(which)(model, two_boxes)
    sample(patched, shape=(1, 4, 24, 16))
    assert (
        caplog.text.count(
            "The layout was drawn for 192 x 128 pixels, and the latent of 16 x 24 cells has another shape"
        )
        == 1
    )
    caplog.clear()
    (
        sample(patched),
        sample(patched, shape=(1, 4, 32, 48)),
        sample(patched, shape=(1, 4, 11, 16)),
    )  # a second pass, and one rounded to cells
    assert "another shape" not in caplog.text


def test_many_boxes_say_what_they_cost(apply_prompts, model, layout, caplog):
    boxes = [((i / 200, 0.25, i / 200 + 0.1, 0.75), f"thing {i % 50}") for i in range(100)]
    apply_prompts(model, layout(*boxes))
    assert "100 boxes act here, with 50 captions to encode. Together they cover the picture 5.0 times" in caplog.text
    caplog.clear()
    apply_prompts(model, layout(*boxes[1:]))
    assert "captions to encode" not in caplog.text


def test_notes_go_to_the_page(pack, model, adapter, layout, base):
    node = pack.module("nodes.apply").ApplyROICtrl
    result = node.execute(model, adapter, base.clip, layout((BOX, "a fox"), (BOX, "")))
    (note,) = result.ui["roictrl"][0]["notes"]
    assert (note["code"], note["instance"]) == ("layout.caption_empty", 2)
