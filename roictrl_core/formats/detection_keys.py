"""The words that detectors use for boxes and what belongs to them, in plain spelling (:func:`plain_key`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from .reading import CXCYWH, DETECTED, PIXELS, SHARES, XYWH, XYXY, YXYX, Way, ways

_CENTERED = (Way(CXCYWH, SHARES), Way(CXCYWH, PIXELS))

# Of a box of four numbers -> the ways that it may mean.
KEYS: dict[str, tuple[Way, ...]] = {
    **dict.fromkeys(
        ("box", "bbox", "boxes", "bboxes", "boundingboxes", "predboxes", "rect", "rectangle", "coordinates"), DETECTED
    ),
    "boundingbox": (*ways((XYXY, XYWH), (PIXELS,)), *ways((XYWH, XYXY), (SHARES,))),  # FiftyOne's are shares
    **dict.fromkeys(("xyxy", "bboxxyxy", "boxxyxy", "boxesxyxy", "ltrb", "tlbr"), ways((XYXY,))),
    **dict.fromkeys(("bboxxywh", "boxxywh", "boxesxywh", "tlwh", "ltwh"), ways((XYWH,))),
    **dict.fromkeys(("cxcywh", "bboxcxcywh", "boxcxcywh", "boxescxcywh"), _CENTERED),
    **dict.fromkeys(
        ("xyxyn", "bboxnormalized", "boxnormalized", "normalizedbbox", "normalizedbox"), ways((XYXY, XYWH), (SHARES,))
    ),
    "xywh": ways((XYWH, CXCYWH)),
    "xywhn": ways((CXCYWH,), (SHARES,)),
    "detectionboxes": (Way(YXYX, SHARES), Way(YXYX, PIXELS)),
    "rois": ways((YXYX,)),
}

# Eight keys that together are the corners of a turned box, in turn.
QUAD = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")

# Four keys that together are a box, and their order.
CORNERS: tuple[tuple[tuple[str, ...], str], ...] = (
    *(
        (keys, XYXY)
        for keys in (
            ("x1", "y1", "x2", "y2"),
            ("xmin", "ymin", "xmax", "ymax"),
            ("left", "top", "right", "bottom"),
            ("xtl", "ytl", "xbr", "ybr"),
            ("x0", "y0", "x1", "y1"),
            ("minx", "miny", "maxx", "maxy"),
            ("startx", "starty", "endx", "endy"),
        )
    ),
    *(
        (keys, CXCYWH)
        for keys in (
            ("cx", "cy", "w", "h"),
            ("cx", "cy", "width", "height"),
            ("xcenter", "ycenter", "width", "height"),
            ("centerx", "centery", "width", "height"),
            ("xcenter", "ycenter", "w", "h"),
        )
    ),
    *(
        (keys, XYWH)
        for keys in (
            ("left", "top", "width", "height"),
            ("xmin", "ymin", "width", "height"),
            ("x1", "y1", "w", "h"),
            ("x1", "y1", "width", "height"),
            ("x", "y", "w", "h"),
            ("x", "y", "width", "height"),
        )
    ),
)

# What FORMAT_KEYS say, also by detectron2's numbers and albumentations' names.
NAMED: dict[str, tuple[Way, ...]] = {
    **dict.fromkeys(("xyxy", "ltrb"), ways((XYXY,))),
    **dict.fromkeys(("xywh", "ltwh"), ways((XYWH,))),
    "yxyx": ways((YXYX,)),
    **dict.fromkeys(("cxcywh", "yolo"), _CENTERED),
    **dict.fromkeys(("0", "xyxyabs", "pascalvoc"), (Way(XYXY, PIXELS),)),
    **dict.fromkeys(("1", "xywhabs", "coco"), (Way(XYWH, PIXELS),)),
    **dict.fromkeys(("2", "xyxyrel", "albumentations"), (Way(XYXY, SHARES),)),
    **dict.fromkeys(("3", "xywhrel"), (Way(XYWH, SHARES),)),
}
FORMAT_KEYS = ("boxformat", "bboxformat", "bboxmode", "boxmode", "boxtype")

WRAPPERS = (
    "predictions",
    "detections",
    "obb",
    "objects",
    "results",
    "result",
    "annotations",
    "items",
    "boxes",
    "bboxes",
    "boundingboxes",
    "data",
    "output",
    "outputs",
)
CAPTION_KEYS = (
    "caption",
    "phrase",
    "label",
    "name",
    "classname",
    "class",
    "categoryname",
    "category",
    "textlabel",
    "text",
    "title",
    "object",
    "description",
    "desc",
    "prompt",
)
CLASS_KEYS = ("classid", "cls", "class", "categoryid", "label", "predclass", "detectionclass", "category")
SCORE_KEYS = ("score", "confidence", "conf", "logit", "prob", "probability", "detectionscore")

NAME_KEYS = ("image", "filename", "imagepath", "imgpath", "path")  # of a picture

# Lists side by side -> the key of one entry.
SIDE_BY_SIDE = {
    "labels": "label",
    "scores": "score",
    "classes": "class",
    "predclasses": "predclass",
    "phrases": "phrase",
    "logits": "logit",
    "textlabels": "textlabel",
    "classnames": "classname",
    "names": "name",
    "captions": "caption",
    "descriptions": "description",
    "prompts": "prompt",
    "confidences": "confidence",
    "classids": "classid",
    "detectionscores": "detectionscore",
    "detectionclasses": "detectionclass",
    "categories": "category",
    "masks": "mask",
    "predmasks": "mask",
}

PICTURE_KEYS = ("mask", "masks", "predmasks", "segmentation")  # whose arrays are masks
MASK_KEYS = ("mask", "segmentation", "rle", "segments", "polygon", "polygons")

# Width and height of the picture; or one pair of height and width.
SIZE_KEYS = (("width", "height"), ("imagewidth", "imageheight"), ("imgwidth", "imgheight"), ("imgw", "imgh"))
SHAPE_KEYS = ("origshape", "orishape", "imageshape", "imgshape")

_WORD = 64  # characters of a key that is remembered


def plain_key(key: object) -> str:
    """Without case, underscores and the like."""
    if not isinstance(key, str):
        return str(key)
    return _plain_word(key) if len(key) <= _WORD else _plain_word.__wrapped__(key)


@lru_cache(4096)  # a file has the same few keys in each of its entries
def _plain_word(key: str) -> str:
    return re.sub(r"[\W_]", "", key).lower()


def plain_keys(item: Mapping) -> dict:
    return {plain_key(key): value for key, value in item.items()}
