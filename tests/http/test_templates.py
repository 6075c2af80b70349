"""What the page shows of the pack's templates and blueprints: titles, thumbnails, notes, files to fetch, an app."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from PIL import Image

from devtools.base import PACK_FOLDER
from devtools.client import run_prompt
from devtools.pack import ROOT
from devtools.pictures import node_of
from devtools.templates import DEMO, DEMO_APP, FOLDER, template
from devtools.workflow import load_workflow, shrunk, to_prompt
from roictrl_core import cells
from roictrl_core.layout import Layout

WORKFLOWS = sorted(FOLDER.glob("*.json"))
BLUEPRINTS = sorted((ROOT / "subgraphs").glob("*.json"))
FILE = re.compile(r".+\.(safetensors|ckpt|pth|pt|bin)")
FETCHED = r"https://huggingface\.co/[^ )]+/resolve/main/[^ )]+"  # the page fetches from there, or from civitai.com

each = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def notes_of(workflow: dict) -> str:
    return "\n".join(node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == "MarkdownNote")


def linked_files(workflow: dict) -> list[dict]:
    """What the page offers to fetch."""
    return [model for node in workflow["nodes"] for model in node["properties"].get("models", ())]


def test_titles_are_words_and_the_demo_is_the_first():
    """A file's name is the title that the page shows, as it is."""
    titles = [file.stem for file in WORKFLOWS]
    assert [title for title in titles if "_" in title or " " not in title or not title[0].isupper()] == []
    assert min(titles, key=str.casefold) == DEMO


def test_no_two_thumbnails_look_alike():
    small = {}
    for file in WORKFLOWS:
        picture = Image.open(file.with_suffix(".jpg")).convert("RGB").resize((32, 32), Image.Resampling.BOX)
        small[file.stem] = np.asarray(picture, dtype=np.float32)
    alike = [pair for pair in itertools.combinations(small, 2) if np.abs(small[pair[0]] - small[pair[1]]).mean() < 4]
    assert alike == []


@each
def test_the_note_says_what_the_workflow_shows_and_where_its_files_go(file):
    workflow = load_workflow(file)
    text = notes_of(workflow)
    assert re.match(r"\*\*.{10,}", text)
    assert "`models/" in text or "comes with the pack" in text
    for model in linked_files(workflow):
        assert f"[{model['name']}]({model['url']}) into `models/{model['directory']}`" in text


@each
def test_every_file_that_a_node_loads_can_be_fetched_or_the_note_says_that_it_cannot(file, server):
    workflow, folders = load_workflow(file), server.get_json("/api/models")
    for node in workflow["nodes"]:
        models = {model["name"]: model for model in node["properties"].get("models", ())}
        wanted = [value for value in node["widgets_values"] if isinstance(value, str) and FILE.fullmatch(value)]
        assert set(models) <= set(wanted)
        for name in wanted:
            if name in models:
                assert re.fullmatch(FETCHED, models[name]["url"]) and models[name]["url"].endswith("/" + name)
                assert models[name]["directory"] in folders
            else:
                assert re.search(rf"`{re.escape(name)}` into `models/\w+`: no link here; ", notes_of(workflow))


def test_the_packs_own_folders_are_among_those():
    directories = {model["directory"] for file in WORKFLOWS for model in linked_files(load_workflow(file))}
    assert {"checkpoints", "roictrl", "instance_diffusion", "gligen", "controlnet", "diffusion_models"} <= directories


@pytest.mark.parametrize("title", [DEMO, DEMO_APP])
def test_no_box_of_the_demo_bears_a_warning(title):
    workflow = load_workflow(template(title))
    text = next(node for node in workflow["nodes"] if node["type"] == "ROICtrlInstanceBoxPrompt")["widgets_values"][2]
    layout = Layout.from_json(text)
    assert layout.warnings() + cells.warnings(layout) == []


def test_the_app_shows_widgets_and_pictures_that_are_there(server):
    workflow = load_workflow(template(DEMO_APP))
    nodes = {node["id"]: node for node in workflow["nodes"]}
    shown = workflow["extra"]["linearData"]
    assert workflow["extra"]["linearMode"] is True
    for number, name in shown["inputs"]:
        assert any(slot.get("widget", {}).get("name") == name for slot in nodes[number]["inputs"])
    assert [nodes[number]["type"] for number in shown["outputs"]] == ["SaveImage"]


def test_every_blueprint_is_served(server):
    found = {entry["name"]: entry for entry in server.get_json("/api/global_subgraphs").values()}
    assert BLUEPRINTS
    for file in BLUEPRINTS:
        assert found[file.stem]["info"]["node_pack"] == f"custom_nodes.{PACK_FOLDER}"


def opened(blueprint: dict, given: dict[str, list]) -> dict:
    """The nodes inside as a workflow of their own; ``given``: a node and its slot for each input that is linked."""
    inside = blueprint["definitions"]["subgraphs"][0]
    links = []
    for link in inside["links"]:
        source = [link["origin_id"], link["origin_slot"]]
        if source[0] == inside["inputNode"]["id"]:
            source = given.get(inside["inputs"][source[1]]["name"])
        if source and link["target_id"] != inside["outputNode"]["id"]:
            links.append([link["id"], *source, link["target_id"], link["target_slot"], link["type"]])
    return {"nodes": inside["nodes"], "links": links}


def test_the_blueprint_makes_a_picture_of_its_boxes(server):
    """With the demo model before it and its own widgets as they are, but for a layout."""
    blueprint = load_workflow(BLUEPRINTS[0])
    loader = {"class_type": "ROICtrlLoadDemoModel", "inputs": {}}
    sockets = {name: ["demo", slot] for slot, name in enumerate(("model", "clip", "vae", "adapter"))}
    demo = {"id": "demo", "type": loader["class_type"], "inputs": [], "widgets_values": []}
    workflow = opened(blueprint, sockets)
    prompt = shrunk(to_prompt({**workflow, "nodes": [demo, *workflow["nodes"]]}, server.object_info))
    box = prompt[node_of(prompt, "ROICtrlInstanceBoxPrompt")]["inputs"]
    box["layout"] = '{"version": 1, "instances": [{"box": [0.1, 0.1, 0.9, 0.9], "caption": "a red plain star"}]}'
    source = [node_of(prompt, "VAEDecode"), 0]
    prompt["shown"] = {"class_type": "PreviewImage", "inputs": {"images": source}}
    assert prompt[node_of(prompt, "ROICtrlApplyBoxes")]["inputs"]["adapter"] == ["demo", 3]
    assert len(run_prompt(server.url, prompt).images("shown")) == 1


def test_the_blueprint_shows_widgets_that_are_there():
    for file in BLUEPRINTS:
        blueprint = load_workflow(file)
        outside, inside = blueprint["nodes"][0], blueprint["definitions"]["subgraphs"][0]
        nodes = {str(node["id"]): node for node in inside["nodes"]}
        assert "layout" in [name for _, name in outside["properties"]["proxyWidgets"]]
        for number, name in outside["properties"]["proxyWidgets"]:
            assert any(slot.get("widget", {}).get("name") == name for slot in nodes[number]["inputs"])
        assert [slot["name"] for slot in inside["inputs"]] == [slot["name"] for slot in outside["inputs"]]
