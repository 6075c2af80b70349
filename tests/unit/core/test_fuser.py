"""One block: golden intermediates, and the fast path against the literal dense reference.

These two are compared in every situation that differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from devtools.goldens import GRIDS, Attn2, attn2_of
from roictrl_core import fuser as fuser_module
from roictrl_core.attention import BlockAttention
from roictrl_core.box_embedding import BoxEmbedding
from roictrl_core.cache import KeyValueCache
from roictrl_core.coverage import PlacedMask, SoftMask
from roictrl_core.fuser import ROIFuser
from roictrl_core.instances import InstanceBatch
from roictrl_core.plan import plan_level

SLOTS = 30


@dataclass
class Case:
    """A random block call. `counts`: used slots per row; the boxes lie in and around the image."""

    counts: list[int]
    size: tuple[int, int] = (12, 9)
    bins: int = 5
    channels: int = 16
    heads: int = 4
    lengths: tuple[int, ...] = (7,)
    layers: int | None = None
    boxes: Tensor | None = None
    order: Tensor | None = None
    strength: float | None = None
    roi_rows_off: tuple[int, ...] = ()
    masked: tuple[tuple[int, int], ...] = ()
    frame: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    dtype: torch.dtype = torch.float64
    layer: int = 3
    adaptive: bool = False

    def __post_init__(self) -> None:
        torch.manual_seed(len(self.counts) * 31 + sum(self.counts))
        rows, tokens = len(self.counts), self.size[0] * self.size[1]
        self.fuser = ROIFuser(self.channels, self.heads, slots=SLOTS).to(self.dtype).eval()
        with torch.no_grad():
            for parameter in self.fuser.parameters():
                parameter.copy_(
                    torch.randn_like(parameter) * (0.5 if parameter.ndim < 2 else 0.8 / parameter.shape[-1] ** 0.5)
                )
        self.attn2 = Attn2(self.channels, 12, self.heads).to(self.dtype)
        self.h, self.a, self.n = torch.randn(3, rows, tokens, self.channels, dtype=self.dtype)
        used = torch.tensor([[slot < count for slot in range(SLOTS)] for count in self.counts])
        boxes = torch.rand(rows, SLOTS, 4) * 1.3 - 0.15 if self.boxes is None else self.boxes
        if self.boxes is None:
            boxes = torch.cat(
                [torch.minimum(boxes[..., :2], boxes[..., 2:]), torch.maximum(boxes[..., :2], boxes[..., 2:])], dim=-1
            )
        roi_mask = used.clone()
        roi_mask[list(self.roi_rows_off)] = False
        strength = torch.ones(rows, SLOTS) if self.strength is None else torch.rand(rows, SLOTS) * self.strength
        masks = {pair: PlacedMask(SoftMask(torch.rand(17, 23) < 0.5, (3.0, 2.5)), self.frame) for pair in self.masked}
        self.instances = InstanceBatch(boxes, roi_mask, used, strength, masks)
        self.tokens = torch.randn(rows, SLOTS, 64)
        shape = (12,) if self.layers is None else (self.layers, 12)
        self.contexts = [
            torch.randn(*shape[:-1], self.lengths[i % len(self.lengths)], shape[-1], dtype=self.dtype)
            for i in range(len(self.instances.pairs))
        ]
        self.plan = plan_level(
            self.instances, size=self.bins, height=self.size[0], width=self.size[1], adaptive=self.adaptive
        )

    def fast(self, **options) -> Tensor:
        attention = options.pop("attention", BlockAttention(self.attn2, self.contexts, layer=self.layer))
        return self.fuser(
            self.h, self.a, self.n, self.instances, self.plan, attention, self.tokens, order=self.order, **options
        )

    def slow(self, reference) -> Tensor:
        weights = dict(self.fuser.named_parameters())
        attn2 = dict(self.attn2.named_parameters())
        rows = []
        for row in range(len(self.counts)):
            covered = torch.ones(SLOTS, *self.size, dtype=torch.float64)
            for (_, slot), (mask, frame) in (
                (pair, placed) for pair, placed in self.instances.masks.items() if pair[0] == row
            ):
                covered[slot] = torch.from_numpy(reference.coverage(mask.pixels, mask.feather, frame, *self.size))
            contexts = {
                pair.slot: context
                for pair, context in zip(self.instances.pairs, self.contexts, strict=True)
                if pair.row == row
            }
            contexts = {slot: c if c.ndim == 2 else c[self.layer] for slot, c in contexts.items()}
            rows.append(
                reference.block_row(
                    weights, attn2, self.heads, self.bins, self.size, self.h[row], self.a[row], self.n[row],
                    self.instances.boxes[row], self.instances.roi_mask[row], contexts, self.tokens[row],
                    adaptive=self.adaptive, order=self.order, strength=self.instances.strength[row], covered=covered,
                )
            )  # fmt: skip
        return torch.stack(rows)


TINY = torch.tensor(
    [
        [0.5, 0.5, 0.5, 0.5],
        [0.8, 0.8, 0.2, 0.2],
        [0.31, 0.31, 0.33, 0.33],
        [0.4, 0.4, 0.48, 0.52],
        [0.0, 0.0, 1e-7, 1.0],
        [0.9, 0.1, 1.0, 0.2],
    ]
)
BORDER = torch.tensor(
    [
        [-0.4, -0.3, 0.5, 0.6],
        [0.6, 0.5, 1.7, 1.4],
        [-1.0, -1.0, 2.0, 2.0],
        [0.0, 0.0, 1.0, 1.0],
        [1.1, 0.0, 1.5, 1.0],
        [-0.25, 0.2, 1.25, 0.4],
    ]
)


def in_slots(boxes: Tensor) -> Tensor:
    return torch.cat([boxes, torch.zeros(SLOTS - len(boxes), 4)])[None]


CASES = {
    "one": {"counts": [1]},
    "none": {"counts": [0]},
    "dense": {"counts": [30]},
    "rows of their own": {"counts": [3, 0, 30, 1]},
    "tiny": {"counts": [6], "boxes": in_slots(TINY)},
    "border": {"counts": [6], "boxes": in_slots(BORDER)},
    "permuted": {"counts": [5, 5], "order": torch.randperm(SLOTS, generator=torch.Generator().manual_seed(1))},
    "text of several lengths": {"counts": [5, 4], "lengths": (7, 3, 11)},
    "per-layer text": {"counts": [2, 3], "layers": 6},
    "strength": {"counts": [6, 6], "strength": 1.0},
    "masks": {"counts": [6, 4], "strength": 1.0, "masked": ((0, 0), (0, 4), (1, 0), (1, 1), (1, 2), (1, 3))},
    "masks in a crop": {"counts": [3], "masked": ((0, 1),), "frame": (0.25, 0.1, 0.75, 0.8)},
    "a row without ROIs": {"counts": [4, 4], "roi_rows_off": (0,)},
    "map smaller than the ROIs": {"counts": [9], "size": (4, 4), "bins": 7},
    "border, map smaller than the ROIs": {"counts": [6], "size": (6, 5), "bins": 7, "boxes": in_slots(BORDER)},
    "map larger than the ROIs": {"counts": [2], "size": (24, 20), "bins": 3},
}


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", CASES)
def test_fast_equals_literal(reference, name, dtype, adaptive):
    case = Case(**CASES[name], dtype=dtype, adaptive=adaptive)
    with torch.no_grad():
        fast, slow = case.fast(), case.slow(reference)
    tolerance = {"rtol": 0, "atol": 1e-5} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 2e-5}
    torch.testing.assert_close(fast, slow, **tolerance)
    relative = (fast - slow).norm() / slow.norm()
    assert relative < (1e-6 if dtype == torch.float64 else 3e-6)


@torch.no_grad()
def test_queries_with_a_bias_are_projected_inside_the_rois():
    """Samples outside the map are 0 before a projection, but its bias after one."""
    case = Case(**CASES["border, map smaller than the ROIs"])
    case.attn2.to_q = nn.Linear(case.channels, case.channels, dtype=case.dtype)
    inside = BlockAttention(case.attn2, case.contexts)
    inside.project_queries = lambda n: None
    torch.testing.assert_close(case.fast(), case.fast(attention=inside), rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("name", ["roifuser_l64_b2", "roifuser_l16_wide", "roifuser_l8_square"])
def test_golden(golden, reference, name):
    tensors, meta = golden(name)
    stride = int(meta["level"])
    height, width = (side // stride for side in meta["image_hw"])
    fuser = ROIFuser(tensors["hidden"].shape[-1], int(meta["heads"])).eval()
    fuser.load_state_dict(reference.sub(tensors, "roifuser."))
    instances = InstanceBatch.from_boxes(tensors["boxes"], tensors["masks"])
    plan = plan_level(instances, size=GRIDS[stride], height=height, width=width)
    attention = BlockAttention(attn2_of(tensors), [tensors["instance_embeddings"][pair] for pair in instances.pairs])
    recorded = []
    out = fuser(
        tensors["hidden"], tensors["attn_output"], tensors["normed"], instances, plan, attention, tensors["objs"],
        order=tensors["perm"], record=lambda *values: recorded.append(values),
    )  # fmt: skip
    torch.testing.assert_close(out, tensors["out"], rtol=0, atol=2e-5)
    assert (out - tensors["out"]).norm() / tensors["out"].norm() < 1e-6
    [(global_weight, foreground)] = recorded
    torch.testing.assert_close(global_weight, tensors["i.fuse_weight"][:, 0].flatten(1), rtol=0, atol=2e-6)
    assert torch.equal(foreground, tensors["i.fg_mask"][:, 1:].bool().any(1).flatten(1))

    rois = fuser.instance_features(tensors["normed"], plan, attention)  # [A * P * P, C]
    rows, slots = plan.pair_row, plan.pair_slot
    cross, own = (
        tensors[f"i.{key}"][rows, slots].flatten(2).transpose(1, 2) for key in ("roi_cross_attn", "roi_self_attn")
    )
    expected = (cross + fuser.alpha_roi_self_attn.tanh() * own).flatten(0, 1)
    torch.testing.assert_close(rois, expected, rtol=0, atol=2e-5)


@torch.no_grad()
def test_what_lies_in_unused_slots_has_no_effect():
    case = Case([3, 5])
    boxes, strength = case.instances.boxes.clone(), case.instances.strength.clone()
    boxes[~case.instances.roi_mask] = torch.nan
    strength[~case.instances.roi_mask] = torch.nan
    other = replace(case.instances, boxes=boxes, strength=strength)
    plan = plan_level(other, size=case.bins, height=case.size[0], width=case.size[1])
    attention = BlockAttention(case.attn2, case.contexts)
    assert torch.equal(case.fuser(case.h, case.a, case.n, other, plan, attention, case.tokens), case.fast())


@torch.no_grad()
def test_outside_every_box_the_blend_is_the_cross_attention_output():
    case = Case([4])
    rois = case.fuser.instance_features(case.n, case.plan, BlockAttention(case.attn2, case.contexts))
    blend = case.fuser.roiattn_fuser(case.a, rois, case.instances, case.plan)
    assert 0 < blend.foreground.sum() < blend.foreground.numel()
    assert torch.equal(blend.fused[~blend.foreground], case.a[~blend.foreground])


@torch.no_grad()
def test_batch_equals_rows():
    case = Case([3, 0, 7])
    whole, start = case.fast(), 0
    for row, count in enumerate(case.counts):
        one = InstanceBatch(
            *(t[row, None] for t in vars(case.instances).values() if isinstance(t, Tensor) and len(t) == 3)
        )
        plan = plan_level(one, size=case.bins, height=case.size[0], width=case.size[1])
        attention = BlockAttention(case.attn2, case.contexts[start : start + count])
        part = case.fuser(
            case.h[row, None], case.a[row, None], case.n[row, None], one, plan, attention, case.tokens[row, None]
        )
        torch.testing.assert_close(whole[row, None], part, rtol=0, atol=1e-12)
        start += count


@torch.no_grad()
@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.4])
@pytest.mark.parametrize("size", [(12, 9), (4, 4)])
def test_chunks_of_rois_change_nothing(monkeypatch, size, share, adaptive):
    """Chunks of at most that share of all bins; one ROI alone may be larger."""
    case = Case([7, 6], size=size, lengths=(7, 3), adaptive=adaptive)
    whole = case.fast()
    most = int(share * len(case.plan.align.index))
    chunks = list(fuser_module._chunks(case.plan.groups, most))
    assert len(chunks) > 1 and sum(g.stop - g.start for chunk in chunks for g in chunk) == len(case.plan.active)
    assert all(sum((g.stop - g.start) * g.bins for g in chunk) <= most or len(chunk) == 1 for chunk in chunks)
    monkeypatch.setattr(fuser_module, "CHUNK_ELEMENTS", max(most, 1) * case.channels)
    torch.testing.assert_close(case.fast(), whole, rtol=0, atol=1e-12)


# ---- grids of the boxes' own size ----------------------------------------------------------------------------------


LARGE = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.7, 0.9], [-0.4, -0.3, 0.5, 0.6]])  # 5 cells at least


@torch.no_grad()
def test_boxes_that_fill_the_grid_have_it_to_the_bit():
    fixed, adaptive = (Case([3], boxes=in_slots(LARGE), adaptive=own).fast() for own in (False, True))
    assert torch.equal(fixed, adaptive)


@torch.no_grad()
def test_small_boxes_have_grids_of_their_own_cells():
    boxes = torch.tensor([[0.5, 0.25, 0.75, 0.5], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.25, 1.0], [0.5, 0.25, 0.74, 0.51]])
    case = Case([4], size=(8, 12), boxes=in_slots(boxes), adaptive=True)
    assert [(g.stop - g.start, g.grid) for g in case.plan.groups] == [(2, (2, 3)), (1, (5, 3)), (1, (5, 5))]
    assert case.plan.active == (0, 3, 2, 1) and len(case.plan.align.index) == 2 * 6 + 15 + 25
    assert not torch.allclose(case.fast(), Case([4], size=(8, 12), boxes=in_slots(boxes)).fast(), atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("side", [3, 5, 7])
def test_a_box_of_whole_cells_reads_one_bin_at_each_cell(side):
    """And none is lost to rounding, though i / S * S may miss i."""
    boxes = torch.tensor([[0, 0, side / 11, side / 11]])
    plan = Case([1], size=(11, 11), bins=7, boxes=in_slots(boxes), adaptive=True).plan
    assert len(plan.cells) == side * side
    assert (plan.unpool.weight.amax(-1) > 1 - 1e-5).all()
    assert sorted(plan.unpool.index.gather(-1, plan.unpool.weight.argmax(-1, keepdim=True)).flatten().tolist()) == list(
        range(side * side)
    )


@torch.no_grad()
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 6e-3), (torch.bfloat16, 5e-2)])
def test_half_precision_stays_within_its_precision(dtype, tolerance):
    case = Case([6, 9], size=(16, 24), dtype=torch.float32)
    exact = case.fast()
    for name in ("fuser", "attn2"):
        setattr(case, name, getattr(case, name).to(dtype))
    case.h, case.a, case.n = (t.to(dtype) for t in (case.h, case.a, case.n))
    case.contexts = [c.to(dtype) for c in case.contexts]
    half = case.fast()
    assert half.dtype == dtype
    assert (half.float() - exact).norm() / exact.norm() < tolerance


def test_the_seed_of_the_order_is_all_that_changes():
    identity = torch.arange(SLOTS)
    with torch.no_grad():
        assert torch.equal(Case([5], order=identity).fast(), Case([5]).fast())
        assert not torch.allclose(Case([5], order=identity.flip(0)).fast(), Case([5]).fast())


def test_gates_are_zero_at_creation():
    fuser = ROIFuser(16, 4)
    assert [float(getattr(fuser, f"alpha_{name}")) for name in ("roi_self_attn", "coord_self_attn", "dense")] == [
        0,
        0,
        0,
    ]


def test_dropout_in_training_only():
    case = Case([3])
    assert torch.equal(case.fast(), case.fast())
    case.fuser.train()
    assert not torch.equal(case.fast(), case.fast())


# ---- gradients -----------------------------------------------------------------------------------------------------


def small_case() -> Case:
    return Case([3, 1], size=(4, 5), bins=2, channels=4, heads=2)


def test_gradients_of_the_inputs():
    case = small_case()

    def run(h, a, n):
        case.h, case.a, case.n = h, a, n
        return case.fast()

    inputs = [t.clone().requires_grad_() for t in (case.h, case.a, case.n)]
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)


def test_gradients_of_every_weight():
    case = small_case()
    parameters = dict(case.fuser.named_parameters())

    def run(*values):
        attention = BlockAttention(case.attn2, case.contexts)
        arguments = (case.h, case.a, case.n, case.instances, case.plan, attention, case.tokens)
        return torch.func.functional_call(case.fuser, dict(zip(parameters, values, strict=True)), arguments)

    assert torch.autograd.gradcheck(run, tuple(parameters.values()), fast_mode=True)
    case.fast().sum().backward()
    assert [name for name, p in parameters.items() if p.grad is None or not p.grad.any()] == []


def test_gradients_of_the_recorded_weight_reach_the_blending():
    case, recorded = small_case(), []
    case.fast(record=lambda weight, foreground: recorded.append(weight[foreground].mean()))
    recorded[0].backward()
    assert case.fuser.roiattn_fuser.channel_reduction.weight.grad.any()


def test_activation_checkpointing_gives_the_same_gradients():
    case = Case([4, 2])
    case.fast().square().sum().backward()
    expected = {name: p.grad.clone() for name, p in case.fuser.named_parameters()}
    case.fuser.zero_grad()
    torch.utils.checkpoint.checkpoint(case.fast, use_reentrant=False).square().sum().backward()
    for name, parameter in case.fuser.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-10)


def test_autocast_keeps_geometry_and_state_in_float32():
    case = Case([4, 2], dtype=torch.float32)
    exact = case.fast()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = case.fast()
    assert mixed.dtype == torch.float32
    assert (mixed - exact).norm() / exact.norm() < 3e-2
    mixed.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in case.fuser.parameters())


# ---- what is kept between steps ------------------------------------------------------------------------------------


def cached(case: Case, cache: KeyValueCache) -> Tensor:
    attention = BlockAttention(case.attn2, case.contexts, layer=case.layer, cache=cache, key="block")
    return case.fast(attention=attention, cache=cache)


@torch.no_grad()
def test_cached_keys_and_values_change_nothing_and_are_computed_once():
    case, cache = Case([5, 4], lengths=(7, 3)), KeyValueCache()
    calls = []
    case.attn2.to_k.register_forward_hook(lambda *_: calls.append("attn2"))
    case.fuser.context_proj.register_forward_hook(lambda *_: calls.append("tokens"))
    plain = case.fast()
    calls.clear()
    for _ in range(3):
        assert torch.equal(cached(case, cache), plain)
    assert calls == ["attn2", "attn2", "tokens"]  # two lengths
    captions = sum(case.contexts[pair].shape[0] for pair in case.plan.active)
    assert cache.nbytes == 2 * 8 * case.channels * (captions + 2 * SLOTS)


@torch.no_grad()
def test_equal_captions_are_kept_once():
    case, cache = Case([5, 4]), KeyValueCache()
    case.contexts = [case.contexts[0]] * len(case.contexts)
    assert torch.equal(cached(case, cache), case.fast())
    assert cache.nbytes == 2 * 8 * case.channels * (case.contexts[0].shape[0] + 2 * SLOTS)


@torch.no_grad()
@pytest.mark.parametrize("change", ["a new context", "a context in place", "the weights"])
def test_cache_is_dropped_when_what_it_was_made_of_changes(change):
    case, cache = Case([5, 4]), KeyValueCache()
    before = cached(case, cache)
    if change == "a new context":
        case.contexts = [context * 2 for context in case.contexts]
    elif change == "a context in place":
        case.contexts[0].mul_(2)
    else:
        case.attn2.to_v.weight.mul_(2)
    after = cached(case, cache)
    assert torch.equal(after, case.fast())
    assert not torch.allclose(after, before)


def test_nothing_is_kept_while_gradients_are_on():
    case, cache = Case([2]), KeyValueCache()
    cached(case, cache)
    assert cache.nbytes == 0
    with torch.inference_mode():
        cached(case, cache)
    assert cache.nbytes > 0
    cached(case, cache).sum().backward()  # tensors of inference mode could not be saved for this


@torch.no_grad()
def test_the_oldest_entries_leave_a_full_cache():
    case, cache = Case([3]), KeyValueCache(max_bytes=2 * 8 * 16 * (3 * 7 + SLOTS))
    for _ in range(3):
        cached(case, cache)
        case.contexts = [context.clone() for context in case.contexts]
    assert cache.nbytes <= cache.max_bytes


# ---- cost ----------------------------------------------------------------------------------------------------------


class Made(torch.utils._python_dispatch.TorchDispatchMode):
    """Remembers the size of the largest tensor made, and every dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.largest, self.dtypes = 0, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.numel())
                self.dtypes.add(tensor.dtype)
        return result


@torch.no_grad()
def test_no_buffer_of_instances_times_map_is_made():
    case = Case([25], size=(32, 32), bins=5, channels=32, heads=4, dtype=torch.float32)
    with Made() as made:
        case.fast()
    instances_times_map = 25 * 32 * 32 * 32
    feed_forward = 8 * 32 * 32 * 32  # the widest thing that the method itself needs
    assert made.largest <= feed_forward < instances_times_map


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_no_float64_at_run_time(dtype):
    """Apple GPUs have none."""
    case = Case([4, 2], dtype=dtype, strength=0.7, masked=((0, 0), (1, 1)))
    embedding = BoxEmbedding(64, 16)
    with Made() as made:
        case.tokens = embedding(case.instances.boxes, case.instances.token_mask)
        case.plan = plan_level(case.instances, size=case.bins, height=case.size[0], width=case.size[1])
        case.fast()
    assert dtype in made.dtypes and torch.float64 not in made.dtypes
