"""Weight files: every variant that is read, every refusal's sentence, and the full-size published layout."""

from __future__ import annotations

import json
import os
import pickle
import struct

import pytest
import torch
from safetensors.torch import save_file

from roictrl_core.adapter import ROICtrlAdapter
from roictrl_core.attention import BlockAttention
from roictrl_core.checkpoint import CONFIG_KEY, read_adapter, save_adapter
from roictrl_core.config import AdapterConfig, BlockConfig
from roictrl_core.instances import InstanceBatch
from roictrl_core.plan import plan_level
from roictrl_core.recognise import KINDS, ROICTRL, OtherKind, recognise
from roictrl_core.weights_file import open_weights

CONFIG = AdapterConfig.sd15(16, heads=8)


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    return ROICtrlAdapter(CONFIG).state_dict()


def same(read: dict, expected: dict) -> bool:
    return read.keys() == expected.keys() and all(torch.equal(read[key], expected[key]) for key in expected)


# ---- variants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "unet.", "module.", "module.unet.", "_orig_mod.", "model.diffusion.unet."])
def test_prefixes(tmp_path, weights, prefix):
    save_file({prefix + key: t for key, t in weights.items()}, tmp_path / "a.safetensors")
    adapter = read_adapter(tmp_path / "a.safetensors")
    assert same(adapter.weights, weights) and adapter.config == CONFIG
    assert (f"under the prefix '{prefix}'" in adapter.description) == bool(prefix)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtypes_stay(tmp_path, weights, dtype):
    cast = {key: t.to(dtype) for key, t in weights.items()}
    save_file(cast, tmp_path / "a.safetensors")
    adapter = read_adapter(tmp_path / "a.safetensors")
    assert same(adapter.weights, cast)
    assert str(dtype).removeprefix("torch.") in adapter.description


def test_whole_unet(tmp_path, weights):
    base = {
        "conv_in.weight": torch.zeros(2),
        "down_blocks.0.resnets.0.norm1.weight": torch.ones(2),
        "time_embedding.linear_1.bias": torch.ones(1),
    }
    save_file({**weights, **base}, tmp_path / "unet.safetensors")
    adapter = read_adapter(tmp_path / "unet.safetensors")
    assert same(adapter.weights, weights)
    assert adapter.description.endswith("beside 3 other tensors that are not used.")


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth", ".ckpt"])
@pytest.mark.parametrize(
    "wrap", [lambda w: w, lambda w: {"state_dict": w, "epoch": 3}, lambda w: {"module": {"unet": w}}]
)
def test_pickles_of_weights(tmp_path, weights, suffix, wrap):
    torch.save(wrap(weights), tmp_path / f"a{suffix}")
    assert same(read_adapter(tmp_path / f"a{suffix}").weights, weights)


def test_pickles_of_old_pytorch(tmp_path, weights):
    torch.save(weights, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    adapter = read_adapter(tmp_path / "a.pt")
    assert same(adapter.weights, weights) and adapter.training_steps == 0


def test_ours_keeps_config_and_metadata(tmp_path, weights):
    config = AdapterConfig(CONFIG.blocks, grids=(5, 4, 3, 2), dropout=0.0)
    save_adapter(tmp_path / "a.safetensors", config, weights, {"training_steps": "12"})
    adapter = read_adapter(tmp_path / "a.safetensors")
    assert adapter.config == config and adapter.metadata == {"training_steps": "12"} and same(adapter.weights, weights)
    assert adapter.training_steps == 12


def test_a_golden_adapter(golden_file):
    adapter = read_adapter(golden_file("adapter_smallA"))
    assert adapter.description == (
        "ROICtrl adapter for a UNet of SD1.x's shape, width 32: 16 blocks of 32/64 channels, 30 boxes at most, "
        "1.4 M parameters in float16."
    )
    ROICtrlAdapter(adapter.config).load_state_dict(adapter.weights)


def test_heads_where_the_weights_do_not_show_them(tmp_path, weights):
    save_file(weights, tmp_path / "a.safetensors")
    assert {b.heads for b in read_adapter(tmp_path / "a.safetensors", heads=4).config.blocks} == {4}


# ---- full size -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full_size(tmp_path_factory, root):
    """Every published key and shape in float16, zeros: a sparse file, so it costs neither disk nor time."""
    shapes = json.loads((root / "tests" / "golden" / "roictrl" / "keys.json").read_text())
    header, end = {}, 0
    for key, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        header[key] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path = tmp_path_factory.mktemp("full") / "published.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path


@torch.no_grad()
def test_published_layout_is_recognised_and_runs_a_full_size_block(full_size):
    adapter = read_adapter(full_size)
    assert adapter.config == AdapterConfig.sd15()
    assert adapter.description == (
        "ROICtrl adapter for SD1.x: 16 blocks of 320/640/1280 channels, 30 boxes at most, "
        "249.2 M parameters in float16."
    )
    model = ROICtrlAdapter(adapter.config, device="meta")
    model.load_state_dict(adapter.weights, assign=True)
    fuser = model.fuser("down_blocks.0.attentions.0.transformer_blocks.0").eval()
    torch.nn.init.normal_(fuser.roiattn_fuser.channel_reduction.weight)
    instances = InstanceBatch.from_boxes(torch.tensor([[[0.1, 0.2, 0.6, 0.8], [0.3, 0.3, 0.9, 0.9]]]))
    attn2 = torch.nn.Module()
    attn2.heads, attn2.to_q, attn2.to_out = (
        8,
        torch.nn.Linear(320, 320, bias=False).half(),
        torch.nn.Linear(320, 320).half(),
    )
    attn2.to_k, attn2.to_v = (torch.nn.Linear(768, 320, bias=False).half() for _ in range(2))
    h, a, n = torch.randn(3, 1, 16 * 16, 320).half()
    plan = plan_level(instances, size=25, height=16, width=16)
    out = fuser(
        h,
        a,
        n,
        instances,
        plan,
        BlockAttention(attn2, list(torch.randn(2, 77, 768).half())),
        model.box_tokens(instances),
    )
    outside = ~torch.zeros(256, dtype=torch.bool).index_fill(0, plan.cells, True)
    assert out.isfinite().all() and torch.equal(out[0, outside], (h + a)[0, outside]) and not torch.equal(out, h + a)


# ---- refusals ------------------------------------------------------------------------------------------------------

WHAT_THEY_ARE = {
    "a LoRA": ["lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight"],
    "a GLIGEN model": ["position_net.linears.0.weight", "input_blocks.1.1.transformer_blocks.0.fuser.alpha_attn"],
    "an InstanceDiffusion checkpoint": [
        "model.position_net.convnext_tiny_backbone.stages.0.0.gamma",
        "model.input_blocks.1.1.transformer_blocks.0.fuser.alpha_attn",
    ],
    "an IP-Adapter": ["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"],
    "a ControlNet": [
        "controlnet_cond_embedding.conv_in.weight",
        "down_blocks.0.resnets.0.conv1.weight",
        "time_embedding.linear_1.weight",
    ],
    "a T2I-Adapter": ["body.0.block1.weight"],
    "an AnimateDiff motion module": ["down_blocks.0.motion_modules.0.temporal_transformer.norm.weight"],
    "a full checkpoint without an adapter": [
        "model.diffusion_model.input_blocks.0.0.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
    "a diffusion transformer": ["double_blocks.0.img_attn.qkv.weight"],
    "a UNet without an adapter": [
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight",
        "time_embedding.linear_1.weight",
    ],
    "a VAE": ["decoder.conv_in.weight", "encoder.conv_in.weight"],
    "a text encoder": ["text_model.encoder.layers.0.self_attn.k_proj.weight"],
    "a CLIP vision model": ["vision_model.embeddings.class_embedding"],
    "a textual inversion embedding": ["emb_params"],
    "an upscaler": ["body.0.rdb1.conv1.weight"],
    "a checkpoint of a training run": ["optimiser.0.exp_avg"],
}


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda kind: kind.name)
def test_other_files_are_named(tmp_path, kind):
    keys = WHAT_THEY_ARE[kind.name]
    save_file({key: torch.zeros(1) for key in keys}, tmp_path / "x.safetensors")
    with pytest.raises(OtherKind) as refusal:
        read_adapter(tmp_path / "x.safetensors")
    assert str(refusal.value) == f"x.safetensors is {kind.name}, not a ROICtrl adapter."
    assert refusal.value.kind is kind


@pytest.mark.parametrize(
    "key",
    ["null_polygon_feature", "middle_block.1.state.alpha_attn", "output_blocks.3.state.linear.weight", "11.scaleu_b"],
)
def test_each_of_the_communitys_three_files_is_named(key):
    assert recognise(["linears_list.0.0.weight", key]).name == "an InstanceDiffusion checkpoint"


def test_real_key_lists_are_named(root, golden):
    assert recognise(golden("unet_ldm_smallA")[0]).name == "a UNet without an adapter"
    assert recognise(golden("adapter_smallA")[0]) is ROICTRL
    lines = (root / "tests" / "golden" / "instancediffusion" / "keys.txt").read_text().splitlines()
    assert recognise(line.split("\t")[0] for line in lines if "\t" in line).name == "an InstanceDiffusion checkpoint"


def drop(key):
    return lambda w: {k: t for k, t in w.items() if k != key}


def put(key, tensor):
    return lambda w: {**w, key: tensor}


NORM = "down_blocks.0.attentions.0.transformer_blocks.0.roifuser.norm1.weight"
BAD_WEIGHTS = [
    (
        lambda w: {"weird": torch.zeros(1)},
        r"no key contains 'roifuser' \(its 1 tensors begin with 'weird'\)\. Check that it is the file you meant",
    ),
    (
        drop("mid_block.attentions.0.transformer_blocks.0.roifuser.alpha_dense"),
        r"is an incomplete ROICtrl adapter: mid_block.*alpha_dense missing\.",
    ),
    (
        drop("position_net.linears.0.weight"),
        r"is an incomplete ROICtrl adapter: position_net.linears.0.weight is missing",
    ),
    (drop(NORM), r"is an incomplete ROICtrl adapter: .*norm1.weight is missing"),
    (
        lambda w: {k: t for k, t in w.items() if not k.startswith("mid_block")},
        r"of SD1\.x's blocks, mid_block\.attentions\.0\.transformer_blocks\.0 missing",
    ),
    (lambda w: {k: t for k, t in w.items() if "norm" not in k or "down" not in k}, r"incomplete"),
    (
        put("position_net.linears.6.weight", torch.zeros(1)),
        r"keys that this version does not know: position_net\.linears\.6\.weight",
    ),
    (
        put("position_net.linears.2.bias", torch.zeros(3)),
        r"does not fit its own blocks: position_net\.linears\.2\.bias has the shape \[3\] instead of \[512\]",
    ),
    (put(NORM, torch.full((16,), torch.nan)), r"holds NaN or infinite values in down_blocks\.0.*norm1\.weight"),
    (put(NORM, torch.tensor([torch.inf] + [0.0] * 15)), r"holds NaN or infinite values"),
    (
        put(NORM, torch.zeros(16, dtype=torch.int8)),
        r"stores down_blocks.* as int8\. Adapters are read as float32, float16, bfloat16",
    ),
    (
        lambda w: {p + k: t for p in ("ema.", "model.") for k, t in w.items()},
        r"holds 2 ROICtrl adapters, under the prefixes 'ema\.', 'model\.'",
    ),
    (
        lambda w: {"input_blocks.1.1.transformer_blocks.0.roifuser.norm1.weight": torch.zeros(1)},
        r"ROICtrl keys in an unknown naming",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), BAD_WEIGHTS)
def test_bad_weights(tmp_path, weights, change, sentence):
    save_file({key: t.clone() for key, t in change(weights).items()}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"^x\.safetensors .*" + sentence):
        read_adapter(tmp_path / "x.safetensors")


@pytest.mark.parametrize("count, sentence", [(1000, "incomplete ROICtrl adapter"), (2, "does not fit its own blocks")])
def test_blocks_that_a_config_only_names_are_not_built(tmp_path, weights, monkeypatch, count, sentence):
    """A config of a few kilobytes may name a thousand, each of another width."""
    names = [f"down_blocks.0.attentions.{i}.transformer_blocks.0" for i in range(count)]
    blocks = tuple(BlockConfig(name, 8 * (i + 1), 8, 0) for i, name in enumerate(names))
    config = AdapterConfig(blocks=blocks)
    built = []

    class Counted(ROICtrlAdapter):
        def __init__(self, config, **options):
            built.extend(block.name for block in config.blocks)
            super().__init__(config, **options)

    first = ROICtrlAdapter(AdapterConfig(blocks=blocks[:1])).state_dict()
    given = first if count > 2 else {key.replace(n, m): t for m in names for n in names[:1] for key, t in first.items()}
    tensors = {key: tensor.clone() for key, tensor in given.items()}
    save_file(tensors, tmp_path / "x.safetensors", {CONFIG_KEY: config.to_json()})
    monkeypatch.setattr("roictrl_core.checkpoint.ROICtrlAdapter", Counted)
    with pytest.raises(ValueError, match=f"x.safetensors .*{sentence}"):
        read_adapter(tmp_path / "x.safetensors")
    assert len(built) <= 3


def test_blocks_of_one_width_are_compared_with_one_that_is_built(tmp_path, weights):
    wide = "up_blocks.3.attentions.2.transformer_blocks.0.roifuser.norm2.bias"
    save_file({**{k: t.clone() for k, t in weights.items()}, wide: torch.zeros(17)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"up_blocks\.3.*norm2.bias has the shape \[17\] instead of \[16\]"):
        read_adapter(tmp_path / "x.safetensors")


def test_large_values_are_not_taken_for_infinite(tmp_path, weights):
    large = put(NORM, torch.full((16,), 3e38))(weights)
    save_file(large, tmp_path / "x.safetensors")
    assert same(read_adapter(tmp_path / "x.safetensors").weights, large)


BAD_FILES = [
    (
        "x.safetensors",
        b"\x10\x00\x00\x00\x00\x00\x00\x00{}",
        r"x\.safetensors is damaged or hostile \(.*\)\. Download it again, from where it was published\.",
    ),
    (
        "x.safetensors",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1",
        r"is a Git LFS pointer, not the weights themselves",
    ),
    ("x.safetensors", b"<!DOCTYPE html><html>", r"is a web page, not weights"),
    ("x.bin", b"<html><head>", r"is a web page, not weights"),
    ("x.safetensors", b"GGUF\x03\x00", r"is a GGUF file\. Use the \.safetensors file\."),
    ("x.gif", b"GIF89a", r"its name must end in \.safetensors, \.bin, \.pt, \.pth, \.ckpt"),
    ("x.pt", b"PK\x03\x04 and then nothing", r"x\.pt is damaged or hostile \(.*\)\. Download it again"),
    ("x.pt", b"", r"x\.pt is damaged or hostile \(.*\)\. Download it again"),
]


@pytest.mark.parametrize(("name", "content", "sentence"), BAD_FILES)
def test_bad_files(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_adapter(tmp_path / name)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ValueError, match=r"^a\.safetensors does not exist\. Check the name and the folder\.$"):
        open_weights(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"is a folder\. Choose the weight file in it\.$"):
        open_weights(tmp_path)


class Harmful:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_pickled_code_is_never_run(tmp_path, save):
    save(Harmful(str(tmp_path / "ran")), tmp_path / "x.pt")
    with pytest.raises(
        ValueError,
        match=(
            r"^x\.pt is damaged or hostile \(it asks for posix\.mkdir, which weights have no use for\)\. "
            "Download it again"
        ),
    ):
        read_adapter(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


class Settings:
    """A class of a training script, as omegaconf's in InstanceDiffusion's official checkpoint."""


OBJECTS_BESIDE = [
    (
        "an InstanceDiffusion checkpoint",
        r"By its tensors' names it is an InstanceDiffusion checkpoint\.$",
    ),
    (
        "a full checkpoint without an adapter",
        r"By its tensors' names it is a full checkpoint without an adapter\.$",
    ),
    (None, r"Use a \.safetensors file, or save its state dict alone\.$"),
]


@pytest.mark.parametrize(("kind", "sentence"), OBJECTS_BESIDE)
def test_weights_beside_objects_are_named(tmp_path, weights, kind, sentence):
    tensors = {key: torch.zeros(1) for key in WHAT_THEY_ARE[kind]} if kind else weights
    torch.save({"ema": tensors, "config_dict": Settings()}, tmp_path / "official.pth")
    with pytest.raises(
        ValueError,
        match=r"^official\.pth holds Python objects besides weights and is not opened, because .*" + sentence,
    ):
        read_adapter(tmp_path / "official.pth")


def test_config_that_cannot_be_read(tmp_path, weights):
    for text in (
        "{",
        "{}",
        '{"version": 1, "blocks": [{}], "grids": []}',
        CONFIG.to_json().replace('"version": 2', '"version": 3'),
    ):
        save_file(weights, tmp_path / "x.safetensors", metadata={CONFIG_KEY: text})
        with pytest.raises(ValueError, match="adapter config that cannot be read"):
            read_adapter(tmp_path / "x.safetensors")


def test_a_failed_write_leaves_the_old_file(tmp_path, weights):
    path = tmp_path / "a.safetensors"
    save_adapter(path, CONFIG, weights)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="a.safetensors is an incomplete"):
        save_adapter(path, CONFIG, drop(NORM)(weights))
    with pytest.raises(TypeError):
        save_adapter(path, CONFIG, weights, {"not": 3})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
