"""Every form of the weights: recognised, read, converted, refused with a sentence; the full size within 8 GB."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from roictrl_core.instance_diffusion.checkpoint import convert, gather, load, open_weights
from roictrl_core.instance_diffusion.config import InstanceDiffusionConfig
from roictrl_core.instance_diffusion.model import InstanceDiffusion

HERE = Path(__file__).parent
KEYS = HERE.parents[1] / "golden" / "instancediffusion" / "keys.txt"
SMALL = InstanceDiffusionConfig(
    fusers=(("input_blocks.1.1", 16), ("middle_block.1", 16), ("output_blocks.3.1", 16), ("output_blocks.10.1", 16)),
    scaleu=(8, 4),
    text_width=16,
    token_width=16,
    hidden_width=16,
)


@pytest.fixture(scope="module")
def state(hashfill):
    """The ConvNeXt has only one size, 111 MB: its tensors are one stored number each, so that files stay small."""
    shapes = {key: tensor.shape for key, tensor in InstanceDiffusion(SMALL, device="meta").state_dict().items()}
    return {
        key: hashfill.make(key, (1,)).expand(shape)
        if "convnext" in key and len(shape)
        else hashfill.make(key, tuple(shape))
        for key, shape in shapes.items()
    }


def official(state, group="ema"):
    rest = {"time_embed.0.weight": torch.zeros(2, 2), "input_blocks.0.0.weight": torch.zeros(1)}
    other = {key: torch.full_like(value, 9.0) for key, value in state.items()}
    groups = {"model": {**other, **rest}, "ema": {**state, **rest}} if group == "ema" else {"model": {**state, **rest}}
    return {**groups, "opt": {"state": {0: torch.zeros(3)}}, "iters": 5, "scheduler": {}}


def split(state):
    fusers = {"output_blocks": {}, "middle_block": {}, "input_blocks": {}}  # an order that must not matter
    for key, value in reversed(state.items()):
        if ".fuser." in key:
            place, name = key.split(".transformer_blocks.0.fuser.")
            section, *number = place.split(".")
            block = fusers[section].setdefault(number[0], {"params": {"n_heads": 8}, "state": {}})
            block["state"][name] = value
    return {
        "fusers.ckpt": fusers,
        "position_net.ckpt": {
            k.removeprefix("position_net."): v for k, v in state.items() if k.startswith("position_net.")
        },
        "scaleu.ckpt": {str(i): {n: state[f"{n}_{i}"] for n in ("scaleu_b", "scaleu_s")} for i in reversed(range(2))},
    }


def write_split(state, place):
    for name, tree in split(state).items():
        path = place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(tree, path)


def equal(loaded, state):
    config, tensors = loaded
    return config == SMALL and tensors.keys() == state.keys() and all(torch.equal(tensors[k], state[k]) for k in state)


@pytest.mark.parametrize("group", ["ema", "model"])
def test_official_checkpoint_prefers_the_ema(state, tmp_path, group):
    torch.save(official(state, group), tmp_path / "instancediffusion_sd15.pth")
    assert open_weights(tmp_path / "instancediffusion_sd15.pth").form == "official checkpoint"
    assert equal(load(tmp_path / "instancediffusion_sd15.pth"), state)


def test_a_file_of_the_oldest_torch_format_is_read_whole(state, tmp_path):
    torch.save(official(state), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert equal(load(tmp_path / "old.pth"), state)


@pytest.mark.parametrize("chosen", ["fusers.ckpt", "position_net.ckpt", "scaleu.ckpt"])
def test_community_split_in_one_folder(state, tmp_path, chosen):
    write_split(state, lambda name: tmp_path / name)
    (tmp_path / "notes.ckpt").write_bytes(b"<html>")
    assert equal(load(tmp_path / chosen), state)


def test_community_split_in_its_three_folders(state, tmp_path):
    write_split(state, lambda name: tmp_path / f"{name.split('.')[0]}_models" / name)
    assert equal(load(tmp_path / "scaleu_models" / "scaleu.ckpt"), state)


def test_an_incomplete_split_names_what_is_missing(state, tmp_path):
    write_split(state, lambda name: tmp_path / "id" / name)
    (tmp_path / "id" / "fusers.ckpt").unlink()
    with pytest.raises(ValueError, match=r"only InstanceDiffusion's scaleu.*\(fusers\)"):
        load(tmp_path / "id" / "scaleu.ckpt")
    torch.save({"0": {"scaleu_b": 1}}, tmp_path / "id" / "scaleu.ckpt")
    with pytest.raises(ValueError, match="entry 0 holds no gains"):
        load(tmp_path / "id" / "scaleu.ckpt")


def test_a_part_that_is_there_twice_is_named(state, tmp_path):
    write_split(state, lambda name: tmp_path / "id" / name)
    torch.save(split(state)["fusers.ckpt"], tmp_path / "id" / "fusers_copy.ckpt")
    with pytest.raises(ValueError, match="there twice: .*fusers.ckpt and .*fusers_copy.ckpt"):
        load(tmp_path / "id" / "scaleu.ckpt")


def test_convert_writes_one_file_that_is_read_back(state, tmp_path):
    write_split(state, lambda name: tmp_path / name)
    seen = []
    target = convert(tmp_path / "fusers.ckpt", tmp_path / "out.safetensors", None, lambda *done: seen.append(done))
    assert equal(load(target), state) and open_weights(target).form == "one file"
    assert seen[0] == (1, len(state)) and seen[-1] == (len(state), len(state))
    half = convert([tmp_path / name for name in split(state)], target)  # the default: half the size, over the old file
    assert equal(load(half, torch.float32), {key: value.half().float() for key, value in state.items()})


def test_a_failed_conversion_leaves_nothing_and_keeps_the_old_file(state, tmp_path):
    broken = dict(state)
    broken["scaleu_b_0"] = torch.full_like(broken["scaleu_b_0"], float("nan"))
    torch.save(official(broken), tmp_path / "in.pth")
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"old")
    with pytest.raises(ValueError, match="scaleu_b_0 holds NaN"):
        convert(tmp_path / "in.pth", target)
    assert target.read_bytes() == b"old" and sorted(p.name for p in tmp_path.iterdir()) == ["in.pth", "out.safetensors"]
    with pytest.raises(ValueError, match="give the file that ending"):
        convert(tmp_path / "in.pth", tmp_path / "out.pth")


def test_missing_and_misshapen_tensors_are_named(state, tmp_path):
    few = {key: value for key, value in state.items() if "norm2" not in key}
    torch.save({"ema": few}, tmp_path / "few.pth")
    with pytest.raises(
        ValueError, match="8 of InstanceDiffusion's .* missing .*first being input_blocks.1.1.*norm2.weight"
    ):
        load(tmp_path / "few.pth")
    no_fusers = {key: value for key, value in state.items() if ".fuser." not in key}
    save_file(
        {key: value[:0] if "convnext" in key else value for key, value in no_fusers.items()},
        tmp_path / "none.safetensors",
    )
    with pytest.raises(ValueError, match="none.safetensors: .*the fusers .* are missing"):
        load(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "tree, sentence",
    [
        (
            {
                "position_net.linears.0.weight": torch.zeros(1),
                "input_blocks.1.1.transformer_blocks.0.fuser.linear.weight": torch.zeros(1),
            },
            "GLIGEN",
        ),
        ({"down_blocks.0.attentions.0.transformer_blocks.0.roifuser.norm.weight": torch.zeros(1)}, "a ROICtrl adapter"),
        ({"state_dict": {"something.else": torch.zeros(1)}}, "holds state_dict.something.else"),
        ([torch.zeros(1)], "holds nothing"),
    ],
)
def test_other_files_are_refused_by_what_they_are(tree, sentence, tmp_path):
    torch.save(tree, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=rf"other.pth is not an InstanceDiffusion file: .*{sentence}"):
        gather(tmp_path / "other.pth")


class Ran(Exception):
    """Raised by an object that runs code when it is unpickled."""


def _run(*arguments):
    raise Ran


class Hostile:
    def __reduce__(self):
        return _run, ()


class System:
    def __reduce__(self):
        import os

        return os.system, ("exit 1",)


def test_foreign_objects_never_run(state, tmp_path):
    torch.save({**official(state), "config_dict": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(Ran):
        torch.load(tmp_path / "hostile.pth", weights_only=False)
    assert equal(load(tmp_path / "hostile.pth"), state)


def test_a_file_that_asks_for_a_command_is_hostile(state, tmp_path):
    torch.save({**official(state), "config_dict": System()}, tmp_path / "worse.pth")
    with pytest.raises(
        ValueError, match="worse.pth is damaged or hostile .it asks for posix.system.*Download it again"
    ):
        load(tmp_path / "worse.pth")


def test_damaged_files_are_sentences(state, tmp_path):
    torch.save(official(state), tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "cut.pth").read_bytes()[:5000])
    with pytest.raises(ValueError, match="cut.pth"):
        load(tmp_path / "cut.pth")
    (tmp_path / "not.pth").write_bytes(pickle.dumps(3) + b"rest")
    with pytest.raises(ValueError, match="not.pth"):
        load(tmp_path / "not.pth")
    with pytest.raises(ValueError, match="does not exist"):
        load(tmp_path / "nowhere.safetensors")


def edited(**changes) -> str:
    return json.dumps({**json.loads(SMALL.to_json()), **changes})


BAD_CONFIGS = [
    ("{", "not valid JSON"),
    ("[]", "must be an object"),
    ("[" * 100_000, "nested more than"),
    (edited(fusers=[["a..b", 16]]), "names a fuser 'a..b'"),
    (edited(fusers=[[".".join("a" * 1000), 16]]), "names a fuser 'a.a"),
    (
        edited(fusers=[["input_blocks.1.1", -1]]),
        "number of channels of input_blocks.1.1 must be a whole number from 8 to 16384, not -1",
    ),
    (edited(fusers=[["input_blocks.1.1", "16"]]), "not '16'"),
    (edited(fusers=[["input_blocks.1.1", 20]]), "The 20 channels of input_blocks.1.1 cannot be shared among 8 heads"),
    (edited(fusers=[["input_blocks.1.1", 16]] * 2), "names a fuser twice"),
    (edited(fusers=["input_blocks.1.1"]), "must be a list of a name and its channels"),
    (edited(fusers=[[[], 16]]), "names a fuser"),
    (edited(fusers=[]), "number of fusers must be a whole number from 1 to 64, not 0"),
    (edited(fusers={}), "fusers must be a list, not an object"),
    (edited(scaleu=[8, 2.5]), "ScaleU block's number of channels must be a whole number"),
    (edited(scaleu=[8] * 10_000), "number of ScaleU blocks must be a whole number from 1 to 64"),
    (edited(heads=0), "heads must be a whole number"),
    (edited(text_width=10**12), "text_width must be a whole number"),
    (edited(token_width=None), "token_width must be a whole number"),
    (edited(slots=99999999), "number of slots must be a whole number"),
    (edited(more=1), "has 'more', which is not known here"),
]


@pytest.mark.parametrize("text, sentence", BAD_CONFIGS)
def test_configs_that_nothing_can_be_built_from(state, tmp_path, text, sentence):
    told_by = {f"position_net.{key}": torch.zeros(1) for key in ("linears_list.4.4.weight", "null_polygon_feature")}
    save_file(told_by, tmp_path / "x.safetensors", {"instance_diffusion": text})
    with pytest.raises(
        ValueError,
        match=(
            rf"x.safetensors has a config that cannot be read \(.*{sentence}.*\). "
            "The file is damaged or hostile; download or convert it again"
        ),
    ):
        load(tmp_path / "x.safetensors")


SHAPES = [
    ("position_net.linears_list.4.4.weight", (), r"linears_list.4.4.weight has the shape \[\]"),
    ("position_net.in_conv.weight", (3,), r"in_conv.weight has the shape \[3\]"),
    ("position_net.in_conv.weight", None, "in_conv.weight is missing"),
    ("scaleu_b_0", (), r"scaleu_b_0 has the shape \[\]"),
    ("input_blocks.1.1.transformer_blocks.0.fuser.linear.weight", (), r"fuser.linear.weight has the shape \[\]"),
    (
        "input_blocks.1.1.transformer_blocks.0.fuser.linear.weight",
        (3, 3),
        "number of channels of input_blocks.1.1 must be a whole number from 8",
    ),
]


@pytest.mark.parametrize("key, shape, sentence", SHAPES)
def test_shapes_that_no_model_has(state, tmp_path, key, shape, sentence):
    tensors = {name: tensor for name, tensor in state.items() if name != key or shape is not None}
    torch.save({"ema": {**tensors, **({} if shape is None else {key: torch.zeros(shape)})}}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=rf"x.pth: .*{sentence}"):
        load(tmp_path / "x.pth")


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, torch.float8_e4m3fn])
def test_weights_that_are_no_floats_are_named(state, tmp_path, dtype):
    torch.save({"ema": {**state, "scaleu_b_0": torch.zeros(8).to(dtype)}}, tmp_path / "x.pth")
    with pytest.raises(
        ValueError,
        match=rf"scaleu_b_0 is stored as {str(dtype)[6:]}. Weights are read as float64, float32, float16, bfloat16",
    ):
        load(tmp_path / "x.pth")


TREES = [
    (
        {"ema": {"position_net.linears_list.4.4.weight": 3, "position_net.null_polygon_feature": torch.zeros(1)}},
        "something else than a tensor at 'position_net",
    ),
    ({"ema": 3, "model": [1]}, "is not an InstanceDiffusion file: it holds nothing"),
    ({"linears_list.4.4.weight": "a", "null_polygon_feature": None}, "something else than a tensor at"),
    (
        {"input_blocks": {"x": {"state": {"a": torch.zeros(1)}}}},
        "looks like InstanceDiffusion's fusers, but input_blocks 'x' holds no weights",
    ),
    ({"input_blocks": {"1": 3}}, "but input_blocks '1' holds no weights"),
    ({"input_blocks": 3}, "looks like InstanceDiffusion's fusers, but holds no weights"),
    ({"0": {"scaleu_b": "a", "scaleu_s": torch.zeros(1)}}, "something else than a tensor at 'scaleu_b_0'"),
    ({"0": torch.zeros(1)}, "entry 0 holds no gains"),
    ({1: {2: torch.zeros(1)}}, "entry 1 holds no gains"),
]


@pytest.mark.parametrize("tree, sentence", TREES)
def test_trees_that_look_right_at_first(tmp_path, tree, sentence):
    torch.save(tree, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=rf"x.pth.*({sentence})"):
        load(tmp_path / "x.pth")


# Not ru_maxrss: it begins with what the parent held when it started the process.
CONVERT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
from devtools.pack import register_core
register_core()
from roictrl_core.instance_diffusion.checkpoint import convert
convert(sys.argv[1], sys.argv[2])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files and address space limits as Linux has them")
def test_the_full_size_checkpoint_converts_within_8_gigabytes(tmp_path, root):
    """13.6 GB, sparse on disk; the limit is on address space, so mapping the file whole would fail as well."""
    subprocess.run([sys.executable, HERE / "full_checkpoint.py", KEYS, tmp_path / "full.pth"], check=True)
    assert (tmp_path / "full.pth").stat().st_size > 13.5e9
    run = subprocess.run(
        [sys.executable, "-c", CONVERT, tmp_path / "full.pth", tmp_path / "full.safetensors"],
        env={"PYTHONPATH": str(root / "scripts"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) * 1024 < 3 << 30  # peak resident bytes; measured 1.1 GB
    (tmp_path / "full.pth").unlink()
    with safe_open(tmp_path / "full.safetensors", "pt") as file:
        assert len(file.keys()) == 513
        assert InstanceDiffusionConfig.from_json(file.metadata()["instance_diffusion"]) == InstanceDiffusionConfig()
        for key, value in (
            ("position_net.null_point_feature", 0.25),
            ("scaleu_b_11", 0.5),
            ("output_blocks.11.1.transformer_blocks.0.fuser.alpha_attn", 0.75),
        ):
            assert (file.get_tensor(key) == value).all()
    (tmp_path / "full.safetensors").unlink()


def test_convert_from_the_shell(state, tmp_path, root):
    torch.save(official(state), tmp_path / "in.pth")
    command = [sys.executable, root / "scripts" / "convert.py", tmp_path / "in.pth"]
    what = subprocess.run(command, capture_output=True, text=True)
    assert what.stdout == "in.pth: InstanceDiffusion's official checkpoint.\n", what.stderr
    command += [tmp_path / "out.safetensors", "--dtype", "float16"]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert equal(
        load(tmp_path / "out.safetensors", torch.float32), {key: value.half().float() for key, value in state.items()}
    )
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 1 and "add --force" in again.stderr
