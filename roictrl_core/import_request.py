"""The import route's request and answer, as plain data: text in any known box format in; a layout, notes and what may
be read otherwise out."""

from __future__ import annotations

from . import formats
from .formats.reading import AUTO
from .layout import MAX_SIDE
from .notes import quote
from .safe_text import MAX_BYTES, Limits, parse_json

MAX_BODY = 2 * MAX_BYTES + 4096  # JSON escapes quotes and line ends, so the body may be twice the text
ENVELOPE = Limits(MAX_BODY, (("[{", 20, "lists and objects"), (",", 100, "commas"), ('"', 100, "quotation marks")))


def answer(body: bytes) -> dict:
    """The answer to a body ``{"text": ..., "width": ..., "height": ..., "pick": ..., "class_names": ...,
    "box_order": ..., "box_unit": ...}``.

    Raises ValueError with a sentence.
    """
    request = _request(body)
    width, height = (request.get(side, 0) for side in ("width", "height"))
    if not all(type(side) is int and 0 <= side <= MAX_SIDE for side in (width, height)):
        raise ValueError(
            f"The width and height of the request must be whole numbers from 0 to {MAX_SIDE} pixels, "
            f"not {quote(width)} and {quote(height)}."
        )
    pick, names = request.get("pick", ""), request.get("class_names", "")
    if type(pick) not in (str, int) or not isinstance(names, str):
        raise ValueError('The "pick" of the request must be text or a whole number, its "class_names" must be text.')
    read_as = formats.ReadAs(*(request.get(key, AUTO) for key in ("box_order", "box_unit")))
    found = formats.read_openly(request["text"], width, height, pick=str(pick), names=names, read_as=read_as)
    return {
        "layout": found.layout.to_dict(),
        "notes": [note.to_dict() for note in found.notes],
        "choices": {key: choice.to_dict() for key, choice in found.choices.items()},
    }


def _request(body: bytes) -> dict:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"The request is not UTF-8 text: its byte {error.start + 1} cannot be read.") from None
    request = parse_json(text, "The request", ENVELOPE)
    if not isinstance(request, dict) or not isinstance(request.get("text"), str):
        raise ValueError('The request must be a JSON object with "text", "width" and "height".')
    return request
