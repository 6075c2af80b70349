"""Every trained baseline, ablation and add-on.

Each takes a training step, leaves the base alone, saves, loads and acts in sampling.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from devtools.random_demo import finish_cache

STEPS, BATCH = 2, 2
VARIANTS = ("gligen", "roictrl_short", "no_self_attention", "no_regulariser", "no_box_tokens", "masked_attention")


@pytest.fixture(scope="module")
def bench(pack):
    """The benchmark's modules, which want the pack loaded."""
    from benchmark import ablations, addons, drawing, gligen, layouts, methods, sampling, training, variants

    return SimpleNamespace(
        ablations=ablations,
        addons=addons,
        drawing=drawing,
        gligen=gligen,
        layouts=layouts,
        methods=methods,
        sampling=sampling,
        training=training,
        variants=variants,
    )


def options_of(bench, random_demo, places, steps=STEPS):
    return bench.training.options_of(random_demo.folder, random_demo.cache, places.trained, steps, BATCH)


def bits(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def painted(bench, places, method, case, **settings):
    settings = {**bench.methods.METHODS[method].first, "cfg": 2.0, **settings}
    return bench.drawing.Painter(places).paint(
        bench.drawing.Job(method, settings, "test", bench.sampling.Sampler(1)), [case], [0]
    )[0]


def open_gates(path):
    """A few steps hardly open the gates; open ones show what is behind them. Those that are kept at zero stay."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        about = file.metadata()
    weights = {
        name: torch.full_like(value, 0.8) if ".alpha_" in name and value != 0 else value
        for name, value in load_file(path).items()
    }
    save_file(weights, path, about)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_trains_saves_loads_and_acts(bench, random_demo, places, name):
    options, variant = options_of(bench, random_demo, places), bench.variants.VARIANTS[name]
    given = bits(random_demo.parts.model.model)
    base = bench.training.TrainingBase.from_model(random_demo.parts.model, torch.float32, (64, 64))
    used, setup = bits(base.unet), variant.build(base, random_demo.parts.clip, options)
    begun = bits(setup.network)
    stream = setup.stream(
        bench.training.TrainingCache(random_demo.cache),
        batch_size=BATCH,
        slots=options.slots,
        timesteps=len(base.schedule),
        seed=1,
        augmentation=bench.training.Augmentation(0, 0, 0, 0),
    )
    losses = setup.objective(next(stream.step(0)))
    losses.total.backward()
    torch.optim.SGD([p for p in setup.network.parameters() if p.requires_grad], 0.1).step()
    assert (
        same(given, bits(random_demo.parts.model.model))
        and same(used, bits(base.unet))
        and torch.isfinite(losses.total)
    )
    changed = [key for key, value in bits(setup.network).items() if not torch.equal(value, begun[key])]
    assert any(".alpha_" in key for key in changed)
    assert (losses.total == losses.prediction) == (name in ("gligen", "no_regulariser"))

    path = bench.training.train_variant(name, variant, options)
    open_gates(path)
    case = bench.layouts.case_of("test", 4)
    picture = painted(bench, places, name, case)
    assert not np.array_equal(picture, painted(bench, places, "prompt", case))
    swapped = bench.layouts.Case(case.number, case.scene, (*case.captions[1:], case.captions[0]))
    assert not np.array_equal(picture, painted(bench, places, name, swapped))


def test_training_pictures_are_drawn_where_there_are_none(random_demo, places, tmp_path, monkeypatch, capsys):
    """What a fresh clone does: `dev.py bench-train NAME` with nothing but the demo model."""
    import bench_train
    import demo_cache
    import demo_data

    few = {"train": replace(demo_data.DATA_SETS["train"], count=6)}
    for module, name, value in (
        (demo_data, "CACHE", tmp_path),
        (demo_cache, "CACHE", tmp_path),
        (demo_data, "DATA_SETS", few),
    ):
        monkeypatch.setattr(module, name, value)
    arguments = [
        "roictrl_short",
        "--steps",
        "1",
        "--batch-size",
        "2",
        "--demo",
        str(random_demo.folder),
        "--cache",
        str(tmp_path / "cache"),
        "--trained",
        str(places.trained),
    ]
    bench_train.main(arguments)
    assert places.weights("roictrl_short").is_file() and f"{tmp_path / 'cache'}: 6 pictures" in capsys.readouterr().out
    bench_train.main(arguments)
    assert "6 pictures" not in (said := capsys.readouterr().out) and "trained already" in said


def test_what_an_ablation_takes_out_stays_out(bench, random_demo, places):
    options = options_of(bench, random_demo, places)
    weights = {
        name: load_file(bench.training.train_variant(name, bench.variants.VARIANTS[name], options))
        for name in ("roictrl_short", "no_self_attention", "no_box_tokens")
    }
    inside = [key for key in weights["roictrl_short"] if key.endswith("alpha_roi_self_attn")]
    assert all(weights["roictrl_short"][key] != 0 for key in inside) and all(
        weights["no_self_attention"][key] == 0 for key in inside
    )

    from roictrl_pack.roictrl_core.adapter import ROICtrlAdapter
    from roictrl_pack.roictrl_core.checkpoint import read_adapter
    from roictrl_pack.roictrl_core.instances import InstanceBatch

    instances = InstanceBatch.from_boxes(
        torch.tensor([[[0.1, 0.1, 0.5, 0.5], [0.4, 0.2, 0.9, 0.6]]]), slots=options.slots
    )
    for name, alike in (("roictrl_short", False), ("no_box_tokens", True)):
        file = read_adapter(places.weights(name))
        adapter = ROICtrlAdapter(file.config)
        adapter.load_state_dict(dict(file.weights))
        tokens = adapter.box_tokens(instances)[0]
        assert torch.equal(tokens[0], tokens[1]) == alike and torch.equal(tokens[0], tokens[9]) == alike


def test_a_stopped_run_goes_on_to_the_same_weights_and_refuses_other_settings(bench, random_demo, places, monkeypatch):
    name, said = "no_regulariser", []
    options, variant = options_of(bench, random_demo, places, steps=4), bench.variants.VARIANTS[name]
    options.save_every = 1
    whole = load_file(bench.training.train_variant(name, variant, options))
    options.out = places.trained / "stopped"
    real = bench.training.save_checkpoint

    def stop_at_two(folder, step, *rest, **keywords):
        real(folder, step, *rest, **keywords)
        if step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(bench.training, "save_checkpoint", stop_at_two)
    with pytest.raises(KeyboardInterrupt):
        bench.training.train_variant(name, variant, options)
    assert not (options.out / name / "weights.safetensors").exists()
    monkeypatch.undo()
    resumed = load_file(bench.training.train_variant(name, variant, options, said.append))
    assert said[0] == "going on from checkpoint-00000002.safetensors" and same(whole, resumed)
    assert bench.training.train_variant(name, variant, options, said.append) and "trained already" in said[-1]
    with pytest.raises(ValueError, match="run with another steps"):
        bench.training.train_variant(name, variant, SimpleNamespace(**{**vars(options), "steps": 9}))


def test_gligen_reads_the_text_that_cores_node_reads(bench, random_demo):
    cache, clip = bench.training.TrainingCache(random_demo.cache), random_demo.parts.clip
    stream = bench.gligen.PooledStream(
        cache,
        clip,
        batch_size=2,
        slots=10,
        timesteps=1000,
        seed=1,
        augmentation=bench.training.Augmentation(0, 0, 0, 0),
    )
    batch = next(stream.step(0))
    numbers = {cache.text(number): number for number in range(cache.text_count)}
    expected = {text: clip.encode_from_tokens(clip.tokenize(text), return_pooled="unprojected")[1] for text in numbers}
    found = batch.instance_contexts
    texts = [cache.text(int(n)) for row in batch.rows for n in cache.row(row).instance_text]
    assert len(found) == len(texts) == len(batch.instances.pairs)
    for context in found:
        assert (
            min(float((context - expected[text].detach()).abs().max()) for text in set(texts)) < 5e-3
        )  # the cache is float16


def test_gligen_samples_with_the_tokens_that_it_was_trained_on(bench, random_demo, places, tmp_path, monkeypatch):
    """Boxes, masks and text of one layout, as Apply GLIGEN hands them to core's PositionNet and as training does."""
    from comfy.gligen import PositionNet
    from roictrl_pack.roictrl_core.training.cache import CacheWriter

    clip, case = random_demo.parts.clip, bench.layouts.case_of("test", 4)
    sampled, real = [], PositionNet.forward
    bench.training.train_variant("gligen", bench.variants.VARIANTS["gligen"], options_of(bench, random_demo, places))
    monkeypatch.setattr(PositionNet, "forward", lambda self, *tokens: sampled.append(tokens) or real(self, *tokens))
    painted(bench, places, "gligen", case)
    boxes, masks, text = next(tokens for tokens in sampled if tokens[1].any())
    row = int(masks.any(1).nonzero()[0])  # the negative's have none

    writer = CacheWriter(tmp_path / "one")
    writer.add(torch.zeros(4, 8, 8), np.array(case.boxes, np.float32), [case.text], list(case.captions))
    finish_cache(writer, clip)
    stream = bench.gligen.PooledStream(
        bench.training.TrainingCache(tmp_path / "one"),
        clip,
        batch_size=1,
        slots=boxes.shape[1],
        timesteps=1000,
        seed=1,
        augmentation=bench.training.Augmentation(0, 0, 0, 0, random_slots=False),
    )
    trained = bench.gligen.placed(next(stream.step(0)), text.shape[-1])
    assert torch.equal(trained[1][0], masks[row]) and int(masks[row].sum()) == len(case.boxes)
    assert torch.allclose(trained[0][0], boxes[row].float(), atol=1e-6)
    assert torch.allclose(trained[2][0], text[row].float(), atol=5e-3)  # the cache is float16


def test_masked_attention_equals_a_literal_version(bench):
    """Per instance: attn2 at every cell, self-attention among the box's cells.

    Then softmax over the slots that show at a cell.
    """
    from roictrl_pack.roictrl_core.attention import BlockAttention
    from roictrl_pack.roictrl_core.instances import InstanceBatch

    torch.manual_seed(0)
    height, width, channels, slots = 6, 9, 16, 4
    fuser = bench.ablations.MaskedFuser(channels, 2, slots=slots, dropout=0.0).eval()
    with torch.no_grad():
        for gate in (fuser.alpha_roi_self_attn, fuser.alpha_coord_self_attn, fuser.alpha_dense):
            gate.fill_(0.7)
    attn2 = torch.nn.Module()
    for name in ("to_q", "to_k", "to_v"):
        setattr(attn2, name, torch.nn.Linear(channels, channels, bias=False))
    attn2.to_out, attn2.heads = torch.nn.Linear(channels, channels), 2
    h, a, n = torch.randn(3, 2, height * width, channels)
    boxes = torch.tensor(
        [[[0.0, 0.1, 0.6, 0.7], [0.4, 0.3, 1.0, 1.0], [0.2, 0.2, 0.21, 0.21]], [[0.1, 0.5, 0.5, 1.0]] * 3]
    )
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    instances = InstanceBatch.from_boxes(boxes, mask, slots=slots)
    contexts = [torch.randn(5, channels) for _ in instances.pairs]
    attention, tokens = BlockAttention(attn2, contexts), torch.randn(2, slots, 64)
    plan = bench.ablations.plan_masks(instances, height, width, "cpu")
    with torch.no_grad():
        fast = fuser(h, a, n, instances, plan, attention, tokens)
        fused = literal_blend(fuser, a, n, instances, attention, height, width)
        after = h + fused
        after = after + torch.tanh(fuser.alpha_coord_self_attn) * fuser._coordinate_attention(after, tokens, None)
        slow = after + torch.tanh(fuser.alpha_dense) * fuser.ff(fuser.norm3(after))
    assert torch.allclose(fast, slow, atol=2e-6)
    assert len(plan.active) == 3  # a box smaller than a cell shows nowhere


def test_training_cost_of_both_is_printed(pack, monkeypatch, capsys):
    """A grid of its own size and one that grows with the map, of the same pictures."""
    import bench_masked

    monkeypatch.setattr(bench_masked, "LATENT_CELLS", 32 * 32)
    bench_masked.main(["--sides", "16", "32", "--repeats", "1"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:6] for row in rows] == [
        ["16", "4", "8", "6", "4", "2"],
        ["32", "1", "8", "6", "4", "2"],
        ["32", "1", "16", "12", "8", "4"],
    ]
    masked = [float(row[7]) for row in rows]
    assert all(float(value) > 0 for row in rows for value in row[6:]) and masked[1] == masked[2]


def literal_blend(fuser, a, n, instances, attention, height, width):
    rows, tokens, channels = a.shape
    values = torch.zeros(rows, 1 + instances.slots, tokens, channels)
    shows = torch.zeros(rows, 1 + instances.slots, tokens, dtype=torch.bool)
    values[:, 0], shows[:, 0] = a, True
    for number, ((row, slot), box) in enumerate(zip(instances.pairs, instances.pair_boxes, strict=True)):
        edges = torch.ceil(box * torch.tensor([width, height, width, height]) - 0.5).int().tolist()
        inside = torch.zeros(height, width, dtype=torch.bool)
        inside[edges[1] : edges[3], edges[0] : edges[2]] = True
        inside = inside.flatten()
        if not inside.any():
            continue
        r = attention.attend(n[row][None], [number], (height, width))[0]
        own = r[inside][None]
        own = own + torch.tanh(fuser.alpha_roi_self_attn) * fuser.roi_self_attn(fuser.norm1(own))
        values[row, 1 + slot, inside], shows[row, 1 + slot] = own[0], inside
    logits = fuser.roiattn_fuser.channel_reduction(values.flatten(0, 1).permute(0, 2, 1)[..., None]).view(
        rows, 1 + instances.slots, tokens
    )
    gates = fuser.roiattn_fuser.channel_gate.mlp(logits.amax(2)).sigmoid()
    weights = (logits * gates[..., None]).masked_fill(~shows, -torch.inf).softmax(1)
    return (weights[..., None] * values).sum(1)


@pytest.mark.parametrize("name", ["community", "lora"])
def test_an_addon_is_tuned_goes_on_and_changes_the_picture(bench, random_demo, places, name, monkeypatch):
    monkeypatch.setattr(bench.addons, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(bench.addons, "BATCH", 2)
    before, said = (random_demo.folder / "base.safetensors").read_bytes(), []
    real = bench.addons.loss_of
    calls = []

    def stop_at_third(*arguments):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(bench.addons, "loss_of", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        bench.addons.train_addon(name, random_demo.folder, places.trained, 3, 4)
    bench.addons.train_addon(name, random_demo.folder, places.trained, 3, 4, said.append)
    assert said[0] == f"{name}: going on from step 2" and len(calls) == 4
    assert (random_demo.folder / "base.safetensors").read_bytes() == before
    case = bench.layouts.case_of("test", 4)
    changed = painted(bench, places, f"roictrl_{name}", case).astype(int)
    assert not np.array_equal(changed, painted(bench, places, "roictrl", case))


def test_the_judge_wants_an_addons_colours(bench, places, random_demo, monkeypatch):
    """A drawing in the add-on's palette is right for its row, and in the world's own palette for ROICtrl's."""
    from benchmark.palettes import PALETTES, recoloured_scene
    from demo_world.world import render

    pairs = [(number, number) for number in range(5)]
    cases = [bench.layouts.case_of("test", number) for number, _ in pairs]
    for name, palette in PALETTES.items():
        painter = bench.drawing.Painter(places)
        pictures = [render(recoloured_scene(case.scene, palette)) for case in cases]
        monkeypatch.setattr(painter, "paint", lambda *_, pictures=pictures: pictures)
        own, other = (
            [
                success
                for record, _ in painter.draw(bench.drawing.Job(method, {}, "test"), pairs)
                for success in record.marks.successes
            ]
            for method in (f"roictrl_{name}", "roictrl")
        )
        changed = [thing.attributes.colour in palette for case in cases for thing in case.scene.things]
        assert all(own) and other == [not it for it in changed] and 0 < sum(changed) < len(changed)
