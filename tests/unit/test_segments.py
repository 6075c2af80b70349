"""Joint attention by groups of equal readers against the whole mask."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from devtools.pack import ROOT
from roictrl_core.segments import IMAGE, PROMPT, Caption, attend, readers

_SPEC = importlib.util.spec_from_file_location("segments_reference", ROOT / "tests" / "reference" / "segments.py")
reference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)


def kernel(q, k, v, mask):
    """As ComfyUI's: of three axes a mask's heads are left out."""
    if mask is not None and mask.ndim == 3:
        mask = mask[:, None]
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def random_case(seed, captions, image, order=None):
    """q, k, v ``[2, 2, N, 4]``, owners and captions; all segments have 3 tokens, the prompt 4."""
    g = torch.Generator().manual_seed(seed)
    kinds = order or [*range(1, len(captions) + 1), PROMPT, IMAGE]
    owner = torch.cat([torch.full(({PROMPT: 4, IMAGE: image}.get(kind, 3),), kind) for kind in kinds])
    q, k, v = (torch.randn(2, 2, len(owner), 4, generator=g) for _ in range(3))
    return q, k, v, owner


def run(q, k, v, owner, captions, rows=None, **settings):
    out = attend(kernel, q, k, v, [(rows, readers(owner, captions))], **settings)
    return out.unflatten(-1, (2, 4)).transpose(1, 2)


def read(owner, captions):
    """Tokens whose attention is of account: not those of captions that nobody reads."""
    hidden = [n for n, caption in enumerate(captions, 1) if caption is None or not caption.region.any()]
    return ~torch.isin(owner, torch.tensor(hidden, dtype=torch.int64))


def caption_of(image):
    return st.one_of(
        st.none(),
        st.builds(
            Caption,
            st.lists(st.booleans(), min_size=image, max_size=image).map(torch.tensor),
            st.sampled_from([1.0, 0.25, 0.5, 2.0]),
            st.sampled_from([0.0, 0.0, 0.3]),
        ),
    )


@given(st.lists(caption_of(6), max_size=4), st.integers(0, 99), st.booleans())
@settings(deadline=None, max_examples=60)
def test_groups_equal_the_mask(captions, seed, image_first):
    order = [IMAGE, PROMPT, *range(1, len(captions) + 1)] if image_first else None
    q, k, v, owner = random_case(seed, captions, 6, order)
    got, want = run(q, k, v, owner, captions), reference.attend(q, k, v, owner.tolist(), captions)
    kept = read(owner, captions)
    torch.testing.assert_close(got[:, :, kept].double(), want[:, :, kept], rtol=1e-6, atol=2e-6)


HALF = torch.tensor([True, True, True, False, False, False])
TWO = [Caption(HALF, 0.5), Caption(HALF.flip(0) | HALF, 1.0, 0.25)]


@pytest.mark.parametrize("shape", [(14 + 2, 14 + 2), (2, 16, 16), (2, 1, 16), (2, 1, 16, 16), (1, 1, 1, 16)])
@pytest.mark.parametrize("boolean", [True, False])
def test_a_mask_of_the_model_is_cut(shape, boolean):
    """Of queries and keys, for each row, or of keys alone."""
    q, k, v, owner = random_case(5, TWO, 6)
    g = torch.Generator().manual_seed(6)
    mask = torch.rand(shape, generator=g) > 0.3 if boolean else torch.randn(shape, generator=g)
    if boolean:
        mask[..., owner == IMAGE] = True  # every query has something to read
        mask[..., :3] = True
        mask[..., 3:6] = True
    whole = mask[:, None] if mask.ndim == 3 else mask
    got = run(q, k, v, owner, TWO, mask=mask)
    want = reference.attend(q, k, v, owner.tolist(), TWO, whole)
    torch.testing.assert_close(got.double(), want, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("mask", [None, "rows", "all"])
def test_rows_of_several_kinds(mask):
    q, k, v, owner = random_case(7, TWO, 6)
    if mask is not None:
        mask = torch.randn((2, 1, 1, 16) if mask == "rows" else (16, 16), generator=torch.Generator().manual_seed(8))
    kinds = [TWO, [TWO[0], None]]
    groups = [(torch.tensor([row]), readers(owner, captions)) for row, captions in enumerate(kinds)]
    got = attend(kernel, q, k, v, groups, mask).unflatten(-1, (2, 4)).transpose(1, 2)
    for row, captions in enumerate(kinds):
        own = mask if mask is None or mask.ndim == 2 else mask[row : row + 1]
        part = slice(row, row + 1)
        want = reference.attend(q[part], k[part], v[part], owner.tolist(), captions, own)
        kept = read(owner, captions)
        torch.testing.assert_close(got[part][:, :, kept].double(), want[:, :, kept], rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("hidden", [[None, None], [Caption(torch.zeros(6, dtype=torch.bool)), None]])
def test_hidden_captions_change_no_bit(hidden):
    """Keys keep the order of the joint sequence, so that it is the plain model's attention."""
    q, k, v, owner = random_case(9, hidden, 6)
    kept = owner <= PROMPT
    got = run(q, k, v, owner, hidden)
    plain = kernel(q[:, :, kept], k[:, :, kept], v[:, :, kept], None).unflatten(-1, (2, 4)).transpose(1, 2)
    assert torch.equal(got[:, :, kept], plain) and not got[:, :, ~kept].any()


def test_a_caption_everywhere_is_read_by_every_image_token_alone():
    everywhere = [Caption(torch.ones(6, dtype=torch.bool))]
    q, k, v, owner = random_case(10, everywhere, 6)
    got = run(q, k, v, owner, everywhere)
    whole = kernel(q, k, v, None).unflatten(-1, (2, 4)).transpose(1, 2)
    image, prompt = owner == IMAGE, owner == PROMPT
    torch.testing.assert_close(got[:, :, image], whole[:, :, image])
    assert not torch.allclose(got[:, :, prompt], whole[:, :, prompt])


def test_other_layouts_of_heads():
    """Tokens before heads in what is read, heads apart in what comes out."""
    q, k, v, owner = random_case(11, TWO, 6)

    def other(q, k, v, mask):
        split = [t.unflatten(-1, (2, 4)).transpose(1, 2) for t in (q, k, v)]
        return torch.nn.functional.scaled_dot_product_attention(*split, attn_mask=mask)

    flat = [t.transpose(1, 2).flatten(2) for t in (q, k, v)]
    got = attend(other, *flat, [(None, readers(owner, TWO))], axis=1, out_axis=2)
    torch.testing.assert_close(got, run(q, k, v, owner, TWO))
