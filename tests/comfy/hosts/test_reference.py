"""Every family against a literal version of itself: all captions over the whole picture, or the whole mask."""

from __future__ import annotations

import importlib.util
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
import torch

from devtools import tiny_dits
from devtools.pack import ROOT
from devtools.tiny_families import BOXES, attach, error, here


def _reference(name):
    spec = importlib.util.spec_from_file_location(f"{name}_reference", ROOT / "tests" / "reference" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cell_weights, segments = _reference("cell_weights"), _reference("segments")
TWO_SIDES = (20, 12)  # of families that take even sides alone
SIZES = {"pixart_sigma": (40, 48), "kandinsky5": TWO_SIDES, "kandinsky5_video": TWO_SIDES}


@contextmanager
def hooked(attentions, hook):
    """hook(number, module, args, kwargs, output) after each cross-attention; what it gives takes the output's place."""
    with ExitStack() as stack:
        for number, module in enumerate(attentions):
            handle = module.register_forward_hook(
                lambda module, args, kwargs, output, number=number: hook(number, module, args, kwargs, output),
                with_kwargs=True,
            )
            stack.callback(handle.remove)
        yield


def read_by(family, attentions, run) -> list:
    """What each cross-attention is handed beside its input in a step."""
    found = {}
    with hooked(attentions, lambda number, module, args, kwargs, output: found.update({number: (args[1:], kwargs)})):
        family.sample(**run)
    return [found[number] for number in range(len(attentions))]


def literally(family, prompts, maps, run, blocks=None) -> torch.Tensor:
    """a + sum of maps x (the same attention of all tokens on a caption - a), in some or all blocks of one step.

    prompts: the captions, ``maps`` ``[2, H, W]``.
    """
    attentions = [block.module for block in family.host.blocks]
    texts = [read_by(family, attentions, {**run, "positive": prompt}) for prompt in prompts]
    busy = []

    def mix(number, module, args, kwargs, output):
        if busy or (blocks is not None and number not in blocks):
            return None
        busy.append(True)
        a = output[0] if isinstance(output, tuple) else output
        fused = a.clone()
        for weight, text in zip(maps, texts, strict=True):
            own = module(args[0], *text[number][0], **text[number][1])
            weight = weight.flatten().repeat(a.shape[1] // weight.numel())[:, None]
            fused += weight * ((own[0] if isinstance(own, tuple) else own) - a)
        busy.clear()
        return (fused,) if isinstance(output, tuple) else fused

    with hooked(attentions, mix):
        return family.sample(**run)


def two_prompts(family) -> list:
    found = [family.clip.encode_from_tokens(family.clip.tokenize(text), return_dict=True) for text in ("21", "22 9")]
    return [[[one.pop("cond"), one]] for one in found]


def test_cross_attention(cross):
    """Weights made cell by cell, on a tall picture with odd sides where the family takes them."""
    run = {
        "size": SIZES.get(
            cross.name, (17, 13) if "anima" in tiny_dits.present() or cross.name != "cosmos_predict2" else TWO_SIDES
        ),
        "steps": 1,
        "cfg": 1.0,
    }
    grid = cross.host.kind.tokens(tiny_dits.latent(cross.name, size=run["size"]).shape[2:])
    maps = cell_weights.weights(BOXES, *grid[-2:], 0.3)
    want = literally(cross, two_prompts(cross), maps, run)
    got = cross.sample(cross.apply(global_weight=0.3), **run)
    assert error(got, want) < 5e-6 and error(got, cross.sample(**run)) > 1e-3


@pytest.mark.parametrize("name", here(["wan21", "kandinsky5_video", "hunyuan_dit"]))
def test_cross_attention_in_some_blocks(name, tiny):
    family, run = tiny(name), {"steps": 1, "cfg": 1.0}
    grid = family.host.kind.tokens(tiny_dits.latent(name).shape[2:])
    maps = cell_weights.weights(BOXES, *grid[-2:], 0.0)
    want = literally(family, two_prompts(family), maps, run, blocks=(1,))
    got = family.sample(family.apply(blocks="1"), **run)
    assert error(got, want) < 5e-6 and error(got, family.sample(family.apply(), **run)) > 1e-4


def test_wan_with_a_picture_seen_by_clip(tiny):
    """Its tokens stand before the text's, and captions are read beside them."""
    family = tiny("wan21_i2v")
    g = torch.Generator().manual_seed(9)
    seen = SimpleNamespace(penultimate_hidden_states=torch.randn(1, 257, 1280, generator=g))

    def with_picture(prompt):
        return [[tensor, {**others, "clip_vision_output": seen}] for tensor, others in prompt]

    run = {"positive": with_picture(family.text(5)), "steps": 1, "cfg": 1.0}
    grid = family.host.kind.tokens(tiny_dits.latent(family.name).shape[2:])
    maps = cell_weights.weights(BOXES, *grid[-2:], 0.0)
    want = literally(family, [with_picture(prompt) for prompt in two_prompts(family)], maps, run)
    got = family.sample(family.apply(), **run)
    assert error(got, want) < 5e-6 and error(got, family.sample(**run)) > 1e-3
    assert error(got, family.sample(family.apply(), steps=1, cfg=1.0)) > 1e-3


@pytest.fixture
def masked(pack, monkeypatch):
    """Joint attention by one mask of tokens x tokens in place of the groups."""
    module = pack.module("nodes.patch.hosts.joint_attention")

    def rule(owner, captions):
        added = segments.bias(owner.tolist(), captions)
        without = segments.bias(owner.tolist(), captions, mixed=True)
        found = SimpleNamespace(masks=(added, without), shares=segments.shares(owner.tolist(), captions))
        found.to = lambda device: found
        return [found]

    def attend(kernel, q, k, v, groups, mask=None, axis=2, out_axis=1):
        out = None
        for rows, (found,) in groups:
            chosen = slice(None) if rows is None else rows
            q_, k_, v_ = q[chosen], k[chosen], v[chosen]
            own = 0 if mask is None else mask
            with_captions, without = (kernel(q_, k_, v_, (m + own).to(q.dtype)) for m in found.masks)
            shape = [1] * with_captions.ndim
            shape[out_axis] = -1
            part = torch.lerp(with_captions, without, found.shares.to(q.dtype).view(shape))
            out = part.new_zeros(len(q), *part.shape[1:]) if out is None else out
            out[chosen] = part
        return out

    @contextmanager
    def use():
        with monkeypatch.context() as patch:
            patch.setattr(module, "readers", rule)
            patch.setattr(module, "attend", attend)
            yield

    return use


@pytest.mark.parametrize("settings", [{}, {"global_weight": 0.3, "strength": 0.5, "blocks": "1"}])
def test_joint_attention(short, masked, settings):
    """A guided pair in one call, a batch of two and a tall picture."""
    patched, run = short.apply(**settings), {"batch": 2, "size": (18, 12), "steps": 1}
    got = short.sample(patched, **run)
    with masked():
        want = short.sample(patched, **run)
    assert error(got, want) < 5e-6 and error(got, short.sample(**run)) > 1e-4


def test_rows_with_captions_of_their_own(short, masked, pack):
    """Some captions in some rows of a batch, one in none of them."""
    module, control = pack.module("nodes.patch.points"), pack.module("nodes.patch.control")
    texts = [control.Text(short.text(seed, length)[0][0][0]) for seed, length in ((21, 9), (22, 12), (23, 7))]

    def session(call):
        def bring(size):
            left, top = torch.zeros(size, dtype=torch.bool), torch.zeros(size, dtype=torch.bool)
            left[:, : size[1] // 2] = True
            top[: size[0] // 2] = True
            return [
                module.Segment(texts[0], (0,), left),
                module.Segment(texts[1], (1, 2), top, 0.5),
                module.Segment(texts[2], (2,), torch.zeros_like(left)),
            ]

        return module.Points(text=bring)

    patched, run = attach(short.patcher, session), {"batch": 3, "cfg": 1.0, "steps": 1}
    got = short.sample(patched, **run)
    with masked():
        want = short.sample(patched, **run)
    assert error(got, want) < 5e-6 and error(got, short.sample(**run)) > 1e-4


def test_the_prompt_as_caption_everywhere(joint):
    """Is the plain model in which the image reads every token of the prompt twice: log 2 on its logits."""
    size = (16, 16)  # whose tokens need no filling up anywhere
    image = torch.Size(joint.host.kind.grid(size)).numel()
    prompt = joint.host.kind.prompt_tokens(512 if joint.name == "flux2" else tiny_dits.TEXT)

    def twice(func, q, k, v, heads, mask=None, **kwargs):
        count = q.shape[2 if kwargs.get("skip_reshape") else 1]
        if count == prompt + image:
            assert mask is None
            mask = torch.zeros(1, 1, count, count)
            mask[..., prompt:, :prompt] = torch.tensor(2.0).log()
        return func(q, k, v, heads, mask=mask, **kwargs)

    model = joint.patcher.clone()
    model.model_options["transformer_options"]["optimized_attention_override"] = twice
    got = joint.sample(joint.apply(joint.layout(((0, 0, 1, 1), "5"))), cfg=1.0, size=size)
    assert error(got, joint.sample(model, cfg=1.0, size=size)) < 5e-6
