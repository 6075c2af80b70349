"""What every Apply promises, of Apply EliGen in its two families."""

from __future__ import annotations

import pytest
import torch

from devtools.tiny_families import BOXES, counted, error, here, left, optioned

FAMILIES = here(["qwen_image", "flux"])


@pytest.fixture(params=FAMILIES)
def family(request, tiny):
    return tiny(request.param)


@pytest.fixture
def eligen(family, pack):
    """eligen(layout or nothing, model or nothing, settings) -> the model, by Apply EliGen."""
    node = pack.module("nodes.eligen").ApplyEliGen

    def run(layout=None, model=None, **settings):
        given = {"flux_text_length": "as encoded", **settings}
        return node.execute(model or family.patcher, family.clip, layout or family.two, **given)[0]

    return run


def test_without_an_entity_it_is_the_plain_model(family, eligen):
    off = {"enabled": False}
    weak = {"strength": 0.0}
    for layout in (family.layout(), family.layout((BOXES[0], "21", off))):
        assert torch.equal(family.sample(eligen(layout)), family.plain())
    for settings in ({"strength": 0.0}, {"start_percent": 0.3, "end_percent": 0.4}):
        assert torch.equal(family.sample(eligen(**settings)), family.plain())
    assert torch.equal(family.sample(eligen(family.layout((BOXES[0], "21", weak)))), family.plain())
    assert error(family.sample(eligen()), family.plain()) > 2e-3


def test_applies_stack_in_any_order(family, eligen):
    one, other = family.layout((BOXES[0], "21")), family.layout((BOXES[1], "22 9"))
    first, second = (eligen(b, eligen(a)) for a, b in ((one, other), (other, one)))
    together = family.sample(eligen())
    assert error(family.sample(first), together) < 1e-6 and error(family.sample(second), together) < 1e-6
    assert error(together, family.sample(eligen(one))) > 1e-3
    mixed = family.sample(family.apply(other, eligen(one)))
    assert error(mixed, family.sample(eligen(one))) > 1e-3


def test_an_override_of_attention_in_both_orders(family, eligen):
    seen = []

    def override(func, q, k, v, heads, *args, **kwargs):
        seen.append(q.shape)
        return func(q * 3, k, v, heads, *args, **kwargs)

    there = {"optimized_attention_override": override}
    first = family.sample(eligen(model=optioned(family.patcher, **there)))
    count, _ = len(seen), seen.clear()
    second = family.sample(optioned(eligen(), **there))
    assert torch.equal(first, second) and count == len(seen) > 4
    assert error(first, family.sample(eligen())) > 5e-5


def test_torch_compile(family, eligen):
    """As many graphs for eight steps as for two."""
    nodes = pytest.importorskip("comfy_extras.nodes_torch_compile")
    graphs = []
    with counted() as count:
        compiled = nodes.TorchCompileModel.execute(family.patcher, "eager")[0]
        got = family.sample(eligen(model=compiled), steps=8, cfg=1.0, callback=lambda *_: graphs.append(count()))
    assert error(got, family.sample(eligen(), steps=8, cfg=1.0)) < 1e-5
    assert len(graphs) == 8 and graphs[1] == graphs[-1] > 0


def test_an_interrupt_leaves_nothing_and_a_second_run_is_the_first(family, eligen):
    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    patched = eligen()
    before = family.sample(patched)
    with pytest.raises(Stop):
        family.sample(patched, callback=stop)
    assert not left(family.patcher.model) and torch.equal(family.sample(), family.plain())
    assert torch.equal(family.sample(patched), before) and not family.patcher.wrappers


def test_two_prompts_of_which_one_has_another_text(family, eligen):
    """Both have the entities, each beside its own text: a step of both is the mean of one each."""
    patched, run = eligen(), {"steps": 1, "cfg": 1.0}
    texts = [family.text(5), family.text(7, 9)]
    alone = [family.sample(patched, positive=text, **run) for text in texts]
    both = family.sample(patched, positive=[*texts[0], *texts[1]], **run)
    assert error(both, sum(alone) / 2) < 1e-5 and error(alone[0], alone[1]) > 1e-3
    assert error(both, family.sample(positive=[*texts[0], *texts[1]], **run)) > 1e-3


def test_tokens_and_groups_are_made_once_a_run(family, eligen, pack, monkeypatch):
    """However many steps there are."""
    hosts, run = pack.module("nodes.patch.hosts.joint_attention"), pack.module("nodes.patch.run")
    made = []
    for module, name in ((hosts, "readers"), (hosts, "_on_image"), (run, "_placed")):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, f=function, n=name: made.append(n) or f(*args))
    patched, counts = eligen(), []
    for steps in (1, 4):
        made.clear()
        family.sample(patched, steps=steps)
        counts.append(sorted(made))
    assert counts[0] == counts[1] and set(counts[0]) == {"readers", "_on_image", "_placed"}
