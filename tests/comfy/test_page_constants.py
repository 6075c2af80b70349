"""What Python and the page both hold is the same: limits, defaults, colours, nodes with their inputs and outputs."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import fields

import pytest

from roictrl_core import cells, drawing, layout, safe_text
from roictrl_core.config import AdapterConfig
from roictrl_core.formats import reading
from roictrl_core.sentences import SENTENCES

MODULES = (
    "geometry",
    "graph",
    "host",
    "io",
    "layout",
    "notes",
    "palette",
    "sent",
    "shapes/index",
    "tokens",
    "warnings",
)
EXPORTS = """
const found = {};
for (const [name, url] of Object.entries(JSON.parse(process.argv[1]))) found[name] = { ...await import(url) };
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def page(root) -> dict[str, dict]:
    """Module of the editor -> its exports that are plain data."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    urls = {name: (root / "web" / "editor" / f"{name}.js").as_uri() for name in MODULES}
    command = ["node", "--input-type=module", "--eval", EXPORTS, json.dumps(urls)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def schemas(pack) -> dict:
    """Node id -> schema."""
    found = [node.GET_SCHEMA() for name in pack.module("nodes").MODULES for node in pack.module(f"nodes.{name}").NODES]
    return {schema.node_id: schema for schema in found}


def test_limits_and_sizes(page, pack):
    for name in ("VERSION", "MAX_INSTANCES", "DEFAULT_SIDE", "MAX_STRENGTH"):
        assert page["layout"][name] == getattr(layout, name), name
    assert page["io"]["ROUTE"] == pack.module("nodes.routes").PATH
    assert page["tokens"]["ROUTE"] == pack.module("nodes.routes").TOKENS_PATH
    assert page["io"]["MAX_BYTES"] == safe_text.MAX_BYTES
    assert (page["io"]["TINY"], page["io"]["WIDE"]) == (reading._TINY, reading._WIDE)
    assert page["geometry"]["CELL_PX"] == cells.LATENT_STRIDE
    assert page["warnings"]["STRIDES"] == list(cells.STRIDES)
    assert page["warnings"]["BOX_LIMIT"] == next(
        field.default for field in fields(AdapterConfig) if field.name == "slots"
    )


def test_fields_of_an_instance(page):
    own = {"locked", "hidden", "solo_muted", "outline"}  # the editor's, foreign fields to Python
    defaults = {name: value for name, (value, _) in layout._FIELDS.items()}
    assert {name: value for name, value in page["layout"]["DEFAULTS"].items() if name not in own} == defaults
    assert {*page["shapes/index"]["SHAPES"], "box"} - own == layout._SHAPES.keys()
    assert page["layout"]["MIGRATIONS"].keys() == {str(version) for version in layout.MIGRATIONS}


def test_colours(page):
    assert page["palette"]["PALETTE"] == list(drawing.PALETTE) and page["palette"]["MUTED"] == drawing.DISABLED


def test_codes_of_what_is_foreseen(page):
    assert page["notes"]["FORESEEN"].keys() <= SENTENCES.keys()


def test_nodes_that_read_layouts(page, schemas):
    def layouts(of) -> set[str]:
        return {entry.id for entry in of if entry.io_type == "ROICTRL_LAYOUT"}

    takers = {name: layouts(schema.inputs) for name, schema in schemas.items() if layouts(schema.inputs)}
    assert page["sent"]["READERS"].keys() == takers.keys()
    givers = {name for name in takers if any(entry.io_type == "ROICTRL_LAYOUT" for entry in schemas[name].outputs)}
    assert {name: inputs.keys() for name, inputs in page["graph"]["HANDS_ON"].items()} == {
        name: takers[name] for name in givers
    }
    assert "colors" in {entry.id for entry in schemas[page["sent"]["PREVIEW"]].inputs}


def test_the_editors_own_node(page, schemas):
    node = schemas[page["sent"]["NODE"]]
    (text,) = (entry for entry in node.inputs if entry.id == "layout")
    assert text.extra_dict["widgetType"] == page["host"]["WIDGET"]
    assert [node.outputs[slot].display_name for slot in page["sent"]["SHOWN"]] == ["bboxes", "preview"]
