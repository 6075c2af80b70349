"""POST /roictrl/import: text in any known box format in, a layout out; for what is pasted or dropped into the editor.

Request: JSON ``{"text": ..., "width": ..., "height": ...}``, sizes in pixels, and optionally ``"pick"`` and
``"class_names"``, ``"box_order"`` and ``"box_unit"`` as in Instance Box Prompt.  Answer: ``{"layout": ..., "notes": [note, ...]}``, each as
`Note.to_dict` gives it; a refusal has a status of 4xx and ``{"error": sentence}``.
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web

from ..roictrl_core import formats
from ..roictrl_core.formats.reading import AUTO
from ..roictrl_core.layout import MAX_SIDE
from ..roictrl_core.safe_text import MAX_BYTES

PATH = "/roictrl/import"
MAX_BODY = 2 * MAX_BYTES + 4096   # JSON escapes quotes and line ends, so the body may be twice the text


def register() -> None:
    """Add the route to the running ComfyUI server; nothing where there is no server, or where it is there already.

    ComfyUI calls ``on_load`` only from 0.13 on, and adds the routes after all packs are loaded: so this runs when the
    nodes are listed.
    """
    module = sys.modules.get("server")  # ComfyUI's main.py has loaded it by now; elsewhere there is nothing to serve
    server = getattr(getattr(module, "PromptServer", None), "instance", None)
    if server is not None and not any(getattr(route, "path", None) == PATH for route in server.routes):
        server.routes.post(PATH)(answer)


async def answer(request: web.Request) -> web.Response:
    """The layout and the notes, or a sentence that says why not."""
    body = await _limited_body(request)
    if body is None:
        return _refusal(413, f"The text is larger than {MAX_BYTES // 2**20} MB. Split it into smaller pieces.")
    try:
        return web.json_response(await asyncio.to_thread(read_import, body))  # parsing must not stop the server
    except ValueError as error:
        return _refusal(422, str(error))


def read_import(body: bytes) -> dict:
    """The request's body to the answer. Raises ValueError with a sentence."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The request is not valid JSON.") from None
    if not isinstance(request, dict) or not isinstance(request.get("text"), str):
        raise ValueError('The request must be a JSON object with "text", "width" and "height".')
    width, height = (request.get(side, 0) for side in ("width", "height"))
    if not all(type(side) is int and 0 <= side <= MAX_SIDE for side in (width, height)):
        raise ValueError(f"The width and height of the request must be whole numbers from 0 to {MAX_SIDE} pixels.")
    pick, names = (str(request.get(key, "")) for key in ("pick", "class_names"))
    read_as = formats.ReadAs(*(request.get(key, AUTO) for key in ("box_order", "box_unit")))
    layout, notes = formats.read(request["text"], width, height, pick=pick, names=names, read_as=read_as)
    return {"layout": layout.to_dict(), "notes": [note.to_dict() for note in notes]}


async def _limited_body(request: web.Request) -> bytes | None:
    """The body, or None once it is over the limit; ComfyUI itself allows 100 MB."""
    parts, size = [], 0
    async for part in request.content.iter_chunked(1 << 16):
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def _refusal(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)
