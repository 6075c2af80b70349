"""The example workflows that scripts and tests run, by their titles in the template browser."""

from __future__ import annotations

from .pack import ROOT

FOLDER = ROOT / "workflows"
# Begins with what sorts before every other title: a first look is at the first.
DEMO = "A first try - demo model, nothing to download"
DEMO_APP = "A first try as an app - demo model"
TEXT_TO_IMAGE = "Text to image - SD1.5 with ROICtrl"


def template(title: str):
    """The file of a workflow."""
    return FOLDER / f"{title}.json"
