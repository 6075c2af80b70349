"""The extension as ComfyUI asks for it."""

from __future__ import annotations


async def test_every_listed_node_has_our_id_and_category(pack, comfy):
    extension = await pack.root.comfy_entrypoint()
    nodes = await extension.get_node_list()
    schemas = [node.GET_SCHEMA() for node in nodes]
    ids = [schema.node_id for schema in schemas]
    assert len(set(ids)) == len(ids)
    assert all(name.startswith("ROICtrl") for name in ids)
    assert all(schema.category.split("/")[0] == "ROICtrl" for schema in schemas)
