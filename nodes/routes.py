"""What the editor asks the server: to read a text, and how long a caption is.

POST /roictrl/import: text in any known box format in, a layout out; for what is pasted or dropped into the editor.

Request: JSON ``{"text": ..., "width": ..., "height": ...}``, sizes in pixels, and optionally ``"pick"`` and
``"class_names"``, ``"box_order"`` and ``"box_unit"`` as in Instance Box Prompt.  Answer:
``{"layout": ..., "notes": [note, ...], "choices": {...}}``, each note as `Note.to_dict` gives it, each choice (what may
be read otherwise, by its name in the request) as `Choice.to_dict`; a refusal has a status of 4xx and
``{"error": sentence}``.

The server itself does not even parse the request: `import_process` does everything, in a process of its own.

POST /roictrl/tokens: JSON ``{"text": ...}`` in, ``{"tokens": ..., "chunks": ...}`` out, as `tokens.count` gives them.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from ..roictrl_core import import_process
from ..roictrl_core.import_request import MAX_BODY
from ..roictrl_core.safe_text import MAX_BYTES
from . import tokens
from .page import server

PATH, TOKENS_PATH = "/roictrl/import", "/roictrl/tokens"
MAX_CAPTION = 2**13  # bytes of a request for tokens: nested parentheses cost their square
MAX_AT_ONCE = 2  # processes; further requests wait

_places, _counting = asyncio.Semaphore(MAX_AT_ONCE), asyncio.Lock()


def register() -> None:
    """Add the routes to the running ComfyUI server; nothing where there is no server, or where they are there already.

    ComfyUI calls ``on_load`` only from 0.13 on, and adds the routes after all packs are loaded: so this runs when the
    nodes are listed.
    """
    running = server()
    if running is not None and not any(getattr(route, "path", None) == PATH for route in running.routes):
        running.routes.post(PATH)(answer)
        running.routes.post(TOKENS_PATH)(answer_tokens)


async def answer(request: web.Request) -> web.Response:
    """The layout and the notes, or a sentence that says why not."""
    body = await _limited_body(request, MAX_BODY)
    if body is None:
        return _refusal(413, f"The text is larger than {MAX_BYTES // 2**20} MB. Split it into smaller pieces.")
    try:
        async with _places:
            read, data = await asyncio.to_thread(import_process.run, body)
    except import_process.ImportRefused as error:
        return _refusal(422, str(error))
    return web.Response(status=200 if read else 422, body=data, content_type="application/json")


async def answer_tokens(request: web.Request) -> web.Response:
    """The length of a caption, or a sentence that says why not. One at a time: a tokenizer is not for several."""
    body = await _limited_body(request, MAX_CAPTION)
    if body is None:
        return _refusal(413, f"The text is larger than {MAX_CAPTION // 2**10} KB.")
    try:
        text = json.loads(body)["text"]
        async with _counting:
            words, chunks = await asyncio.to_thread(tokens.count, text.encode(errors="replace").decode())
    except (ValueError, LookupError, TypeError, AttributeError):
        return _refusal(422, 'The request must be a JSON object with "text".')
    except (RecursionError, OSError) as error:  # parentheses in parentheses; a tokenizer whose files are not there
        return _refusal(422, f"The tokens of the text cannot be counted: {error}")
    return web.json_response({"tokens": words, "chunks": chunks})


async def _limited_body(request: web.Request, limit: int) -> bytearray | None:
    """The body, or None once it is over the limit; ComfyUI itself allows 100 MB."""
    body = bytearray()
    async for part in request.content.iter_chunked(1 << 16):
        body += part
        if len(body) > limit:
            return None
    return body


def _refusal(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)
