"""Check Layout with a CLIP: the nearest caption decides, and what cannot be compared is refused."""

from __future__ import annotations

import json

import comfy.clip_vision
import pytest
import torch
from torch.nn import functional as F

from devtools import tiny_models

SIDE = 32
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
PICTURE = {
    "model_type": "clip_vision_model",
    "hidden_act": "quick_gelu",
    "image_size": SIDE,
    "patch_size": 8,
    "num_channels": 3,
    "layer_norm_eps": 1e-5,
}
BOXES = [{"x": 0, "y": 0, "width": 32, "height": 32}, {"x": 32, "y": 16, "width": 32, "height": 48}]
CAPTIONS = ("a red fox", "a blue owl")


@pytest.fixture(scope="module")
def vision(tmp_path_factory):
    """vision(width) -> a random CLIP_VISION of 32 pixels that gives as many numbers."""

    def make(width=64):
        file = tmp_path_factory.mktemp("vision") / "config.json"
        file.write_text(json.dumps({**SIZE, **PICTURE, "projection_dim": width}), encoding="utf-8")
        made = comfy.clip_vision.ClipVisionModel(str(file))
        tiny_models.randomize(made.model, seed=4)
        return made

    return make


@pytest.fixture(scope="module")
def clip():
    return tiny_models.clip()


@pytest.fixture(scope="module")
def image():
    return torch.rand(1, 64, 64, 3, generator=torch.manual_seed(5))


@pytest.fixture
def run(pack, image):
    node, core = pack.module("nodes.check").CheckLayout, pack.module("roictrl_core.layout")
    boxes = ((0.0, 0.0, 0.5, 0.5), (0.5, 0.25, 1.0, 1.0))

    def check(captions=CAPTIONS, **more):
        made = tuple(core.Instance(box, caption) for box, caption in zip(boxes, captions, strict=True))
        with torch.inference_mode():
            return node.execute(image, core.Layout(64, 64, made), [BOXES], **more).result

    return check


def test_the_nearest_caption_decides(run, vision, clip, image):
    seeing = vision()

    def near(crop):
        with torch.inference_mode():
            shown = F.normalize(seeing.encode_image(crop, crop=False)["image_embeds"].float(), dim=-1)
            said = [clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)[1] for text in CAPTIONS]
        return CAPTIONS[int((F.normalize(torch.cat(said).float(), dim=-1) @ shown.T).argmax())]

    crops = image[:, :32, :32], image[:, 16:, 32:]
    wanted = tuple(map(near, crops))
    assert set(wanted) == set(CAPTIONS)
    assert run(wanted, clip_vision=seeing, clip=clip)[1] == 1.0
    out = run(wanted[::-1], clip_vision=seeing, clip=clip)
    assert out[1] == 0.0 and "what stands in its box is" in out[4]


def test_with_one_caption_words_decide(run, vision, clip):
    assert run((CAPTIONS[0], CAPTIONS[0]), clip_vision=vision(), clip=clip)[1] == 1.0


def test_what_cannot_be_compared_is_refused(run, vision, clip):
    with pytest.raises(ValueError, match="Check Layout: clip_vision and clip are a pair. Connect both, or neither"):
        run(clip=clip)
    with pytest.raises(ValueError, match="Check Layout: clip_vision gives 48 numbers for a picture, and clip 64"):
        run(clip_vision=vision(48), clip=clip)
    bare = tiny_models.clip()
    bare.cond_stage_model.clip_l.transformer.text_projection.weight.data.copy_(torch.eye(64))
    with pytest.raises(ValueError, match="Check Layout: the CLIP of clip has no text projection, as those of SD1.x"):
        run(clip_vision=vision(), clip=bare)
