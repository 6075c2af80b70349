"""scripts/convert.py from the shell."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

import convert
from roictrl_core.adapter import ROICtrlAdapter
from roictrl_core.checkpoint import read_adapter
from roictrl_core.config import AdapterConfig


@pytest.fixture
def source(tmp_path):
    weights = ROICtrlAdapter(AdapterConfig.sd15(16, heads=8)).state_dict()
    torch.save({f"unet.{key}": t for key, t in weights.items()}, tmp_path / "in.bin")
    return tmp_path / "in.bin"


def test_says_what_a_file_is(source, capsys):
    assert convert.main([str(source)]) == 0
    assert capsys.readouterr().out.startswith("in.bin: ROICtrl adapter for a UNet of SD1.x's shape, width 16")


def test_writes_one_file_with_config(source, tmp_path, capsys):
    target = tmp_path / "out.safetensors"
    assert convert.main([str(source), str(target), "--dtype", "float16", "--heads", "4"]) == 0
    adapter = read_adapter(target)
    assert {t.dtype for t in adapter.weights.values()} == {torch.float16} and adapter.config.blocks[0].heads == 4
    assert "Wrote" in capsys.readouterr().out
    assert convert.main([str(source), str(target)]) == 1
    assert "exists. Choose another name, or add --force to overwrite it." in capsys.readouterr().err
    assert convert.main([str(source), str(target), "--force"]) == 0
    assert {t.dtype for t in read_adapter(target).weights.values()} == {torch.float32}


def test_refusals(source, tmp_path, capsys):
    assert convert.main([str(source), str(tmp_path / "out.bin")]) == 1
    assert capsys.readouterr().err == "out.bin must end in .safetensors.\n"
    save_file({"emb_params": torch.zeros(1)}, tmp_path / "t.safetensors")
    assert convert.main([str(tmp_path / "t.safetensors")]) == 1
    assert "is a textual inversion embedding, not a ROICtrl adapter" in capsys.readouterr().err


def test_values_out_of_range_of_float16_are_refused(tmp_path, capsys):
    weights = ROICtrlAdapter(AdapterConfig.sd15(16, heads=8)).state_dict()
    weights["position_net.linears.0.bias"][0] = 1e6
    save_file(weights, tmp_path / "a.safetensors")
    assert convert.main([str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors"), "--dtype", "float16"]) == 1
    assert "holds NaN or infinite values in position_net.linears.0.bias" in capsys.readouterr().err
    assert not (tmp_path / "b.safetensors").exists()


def test_eligens_lora_gets_the_names_that_comfyui_takes(tmp_path, capsys):
    raw = {
        f"{block}.lora_{half}.default.weight": torch.rand(2, 2)
        for block in (
            "blocks.0.attn.a_to_qkv",
            "blocks.3.ff_b.2",
            "single_blocks.1.to_qkv_mlp",
            "single_blocks.1.norm.linear",
        )
        for half in "AB"
    }
    save_file(raw, tmp_path / "in.safetensors")
    target = tmp_path / "out.safetensors"
    assert convert.main([str(tmp_path / "in.safetensors"), str(target), "--dtype", "float16"]) == 0
    assert "EliGen's LoRA for FLUX in the trainer's own names, 8 tensors." in capsys.readouterr().out
    found = load_file(target)
    layers = ("double_blocks.0.img_attn.qkv", "double_blocks.3.txt_mlp.2", "single_blocks.1.linear1")
    layers += ("single_blocks.1.modulation.lin",)
    assert set(found) == {f"diffusion_model.{layer}.lora_{half}.weight" for layer in layers for half in "AB"}
    assert {tensor.dtype for tensor in found.values()} == {torch.float16}
