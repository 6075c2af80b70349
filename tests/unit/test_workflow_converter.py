"""The graph-to-API converter on small graphs.

What the page itself makes of whole workflows is held against it in the browser tests.
"""

from __future__ import annotations

import json

import pytest

from devtools.workflow import WorkflowError, load_workflow, to_prompt

INFO = {
    "Loader": {
        "input": {"required": {"name": [["a.safetensors", "b.safetensors"], {}]}},
        "input_order": {"required": ["name"]},
        "display_name": "Load It",
    },
    "Sampler": {
        "input": {
            "required": {
                "model": ["MODEL", {}],
                "seed": ["INT", {"control_after_generate": True}],
                "steps": ["INT", {}],
            },
            "optional": {"text": ["STRING", {"forceInput": True}], "boxes": ["*", {}]},
        },
        "input_order": {"required": ["model", "seed", "steps"], "optional": ["text", "boxes"]},
        "display_name": "Sample",
    },
    "LoadImage": {
        "input": {"required": {"image": ["COMBO", {"image_upload": True, "options": []}]}},
        "input_order": {"required": ["image"]},
        "display_name": "Load Image",
    },
    "Style": {
        "input": {"required": {"model": ["MODEL", {}]}},
        "input_order": {"required": ["model"]},
        "display_name": "Style",
    },
}


def node(number, kind, inputs=(), values=None, outputs=("MODEL",), **more):
    """A saved node; inputs: (name, type, link) or (name, type, link, widget)."""
    slots = [
        {"name": name, "type": type_, "link": link, **({"widget": {"name": name}} if rest else {})}
        for name, type_, link, *rest in inputs
    ]
    return {
        "id": number,
        "type": kind,
        "inputs": slots,
        "outputs": [{"name": o, "type": o} for o in outputs],
        "mode": 0,
        **({} if values is None else {"widgets_values": values}),
        **more,
    }


def graph(*nodes, links=(), **more):
    return {"nodes": list(nodes), "links": [list(link) for link in links], **more}


def sampler(link, values=(7, "fixed", 20), **more):
    return node(
        2,
        "Sampler",
        [("model", "MODEL", link), ("seed", "INT", None, True), ("steps", "INT", None, True)],
        list(values),
        **more,
    )


def test_widgets_links_and_the_seeds_extra_value():
    prompt = to_prompt(
        graph(node(1, "Loader", values=["b.safetensors"]), sampler(1), links=[(1, 1, 0, 2, 0, "MODEL")]), INFO
    )
    assert prompt["1"] == {"class_type": "Loader", "inputs": {"name": "b.safetensors"}, "_meta": {"title": "Load It"}}
    assert prompt["2"]["inputs"] == {"seed": 7, "steps": 20, "model": ["1", 0]}


def test_links_with_names_read_like_links_in_a_list():
    links = [{"id": 1, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0, "type": "MODEL"}]
    assert to_prompt({"nodes": [node(1, "Loader", values=["b.safetensors"]), sampler(1)], "links": links}, INFO)["2"][
        "inputs"
    ]["model"] == ["1", 0]


def test_a_linked_widget_keeps_its_place_among_the_saved_values():
    linked = node(
        2, "Sampler", [("model", "MODEL", 1), ("seed", "INT", 2, True), ("steps", "INT", None, True)], [7, "fixed", 20]
    )
    prompt = to_prompt(
        graph(
            node(1, "Loader", values=["b.safetensors"]),
            linked,
            node(3, "Loader", values=["a"]),
            links=[(1, 1, 0, 2, 0, "MODEL"), (2, 3, 0, 2, 1, "INT")],
        ),
        INFO,
    )
    assert prompt["2"]["inputs"] == {"seed": ["3", 0], "steps": 20, "model": ["1", 0]}


def test_primitives_bring_their_value_and_notes_bring_nothing():
    linked = node(
        2,
        "Sampler",
        [("model", "MODEL", None), ("seed", "INT", 1, True), ("steps", "INT", None, True)],
        [7, "fixed", 20],
    )
    prompt = to_prompt(
        graph(
            linked,
            node(3, "PrimitiveNode", values=[99, "fixed"], outputs=("INT",)),
            node(4, "MarkdownNote", values=["hello"]),
            node(5, "Note", values=["x"]),
            links=[(1, 3, 0, 2, 1, "INT")],
        ),
        INFO,
    )
    assert set(prompt) == {"2"}
    assert prompt["2"]["inputs"] == {"seed": 99, "steps": 20}


def test_reroutes_are_followed_to_their_source():
    nodes = (
        node(1, "Loader", values=["a.safetensors"]),
        node(3, "Reroute", [("", "*", 1)]),
        node(4, "Reroute", [("", "*", 2)]),
        sampler(3),
    )
    prompt = to_prompt(graph(*nodes, links=[(1, 1, 0, 3, 0, "*"), (2, 3, 0, 4, 0, "*"), (3, 4, 0, 2, 0, "*")]), INFO)
    assert prompt["2"]["inputs"]["model"] == ["1", 0]
    assert set(prompt) == {"1", "2"}


def test_a_bypassed_node_passes_its_input_of_the_same_type_on():
    nodes = (node(1, "Loader", values=["a.safetensors"]), node(3, "Style", [("model", "MODEL", 1)], mode=4), sampler(2))
    prompt = to_prompt(graph(*nodes, links=[(1, 1, 0, 3, 0, "MODEL"), (2, 3, 0, 2, 0, "MODEL")]), INFO)
    assert prompt["2"]["inputs"]["model"] == ["1", 0]
    assert "3" not in prompt


def test_a_bypassed_node_without_a_fitting_input_passes_nothing_on():
    prompt = to_prompt(
        graph(node(1, "Loader", values=["a.safetensors"], mode=4), sampler(1), links=[(1, 1, 0, 2, 0, "MODEL")]), INFO
    )
    assert "model" not in prompt["2"]["inputs"]


def test_a_muted_node_and_its_links_are_gone():
    prompt = to_prompt(
        graph(node(1, "Loader", values=["a.safetensors"], mode=2), sampler(1), links=[(1, 1, 0, 2, 0, "MODEL")]), INFO
    )
    assert set(prompt) == {"2"}
    assert "model" not in prompt["2"]["inputs"]


def test_the_upload_buttons_value_is_left_out():
    assert to_prompt(graph(node(1, "LoadImage", values=["example.png", "image"])), INFO)["1"]["inputs"] == {
        "image": "example.png"
    }


def test_a_list_as_a_value_is_guarded_because_it_would_be_read_as_a_link():
    assert to_prompt(graph(node(1, "Loader", values=[["1", 0]])), INFO)["1"]["inputs"] == {
        "name": {"__value__": ["1", 0]}
    }


def test_values_saved_by_name_are_read_by_name():
    assert to_prompt(graph(node(1, "Loader", values={"name": "b.safetensors", "other": 1})), INFO)["1"]["inputs"] == {
        "name": "b.safetensors"
    }


@pytest.mark.parametrize(
    ("workflow", "sentence"),
    [
        (graph(node(1, "Nonsense")), "Node 1 is of type Nonsense, which this ComfyUI does not have"),
        (
            graph(node(1, "8d2f", values=[]), definitions={"subgraphs": [{"id": "8d2f"}]}),
            "Node 1 is a subgraph, .* choose Unpack Subgraph",
        ),
        (
            graph(sampler(None, values=[7, 20])),
            r"Node 2 \(Sampler\) has 2 saved values where this ComfyUI's node has 3: open the workflow",
        ),
    ],
)
def test_what_cannot_be_converted_is_refused_with_a_sentence(workflow, sentence):
    with pytest.raises(WorkflowError, match=sentence):
        to_prompt(workflow, INFO)


def test_an_api_prompt_is_no_workflow(tmp_path):
    file = tmp_path / "api.json"
    file.write_text(json.dumps({"1": {"class_type": "Loader", "inputs": {}}}))
    with pytest.raises(WorkflowError, match="api.json is no saved workflow .* not with Export"):
        load_workflow(file)
