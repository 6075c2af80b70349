"""Every family against a literal version of itself: all captions over the whole picture, or the whole mask."""

from __future__ import annotations

import importlib.util
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
import torch

from devtools import tiny_dits
from devtools.pack import ROOT
from devtools.tiny_families import BOXES, attach, error


def _reference(name):
    spec = importlib.util.spec_from_file_location(f"{name}_reference", ROOT / "tests" / "reference" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cell_weights, segments = _reference("cell_weights"), _reference("segments")
SIZES = {"pixart_sigma": (40, 48), "kandinsky5": (20, 12), "kandinsky5_video": (20, 12)}


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


def read_by(family, attentions, prompt, size) -> list:
    """What each cross-attention is handed beside its input in a step whose prompt is ``prompt``."""
    found = {}
    with hooked(attentions, lambda number, module, args, kwargs, output: found.update({number: (args[1:], kwargs)})):
        family.sample(positive=prompt, steps=1, cfg=1.0, size=size)
    return [found[number] for number in range(len(attentions))]


@pytest.mark.parametrize("global_weight", [0.0, 0.3])
def test_cross_attention(cross, global_weight):
    """a + sum of weights x (the same attention of all tokens on a caption - a), the weights made cell by cell."""
    size = SIZES.get(cross.name, (18, 12))
    attentions = [block.module for block in cross.host.blocks]
    prompts = [cross.clip.encode_from_tokens(cross.clip.tokenize(text), return_dict=True) for text in ("21", "22 9")]
    prompts = [[[found.pop("cond"), found]] for found in prompts]
    texts = [read_by(cross, attentions, prompt, size) for prompt in prompts]
    grid = cross.host.kind.tokens(tiny_dits.latent(cross.name, size=size).shape[2:])
    maps = cell_weights.weights(BOXES, *grid[-2:], global_weight)  # [2, H, W]
    maps = maps[:, None].expand(-1, torch.Size(grid).numel() // maps[0].numel(), -1, -1).flatten(1)[..., None]
    busy = []

    def mix(number, module, args, kwargs, output):
        if busy:
            return None
        busy.append(True)
        a = output[0] if isinstance(output, tuple) else output
        fused = a.clone()
        for weight, text in zip(maps, texts, strict=True):
            own = module(args[0], *text[number][0], **text[number][1])
            fused += weight * ((own[0] if isinstance(own, tuple) else own) - a)
        busy.clear()
        return (fused,) if isinstance(output, tuple) else fused

    with hooked(attentions, mix):
        want = cross.sample(steps=1, cfg=1.0, size=size)
    got = cross.sample(cross.apply(global_weight=global_weight), steps=1, cfg=1.0, size=size)
    assert error(got, want) < 5e-6
    assert error(got, cross.sample(steps=1, cfg=1.0, size=size)) > 1e-3


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


@pytest.mark.parametrize("settings", [{}, {"global_weight": 0.3, "strength": 0.5}])
def test_joint_attention(joint, masked, settings):
    """A guided pair in one call, a batch of two and a tall picture."""
    patched, run = joint.apply(**settings), {"batch": 2, "size": (18, 12), "steps": 1}
    got = joint.sample(patched, **run)
    with masked():
        want = joint.sample(patched, **run)
    assert error(got, want) < 5e-6 and error(got, joint.sample(**run)) > 1e-4


def test_rows_with_captions_of_their_own(joint, masked, pack):
    """Some captions in some rows of a batch, one in none of them."""
    module, control = pack.module("nodes.patch.points"), pack.module("nodes.patch.control")
    texts = [control.Text(joint.text(seed, length)[0][0][0]) for seed, length in ((21, 9), (22, 12), (23, 7))]

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

    patched, run = attach(joint.patcher, session), {"batch": 3, "cfg": 1.0, "steps": 1}
    got = joint.sample(patched, **run)
    with masked():
        want = joint.sample(patched, **run)
    assert error(got, want) < 5e-6 and error(got, joint.sample(**run)) > 1e-4


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
