"""Posting a prompt to a ComfyUI server, following its progress, fetching its pictures.
Needs aiohttp, which ComfyUI brings."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

Progress = Callable[[str, int, int], None]  # (node id, steps done, steps in all)


class PromptError(RuntimeError):
    """The server refused a prompt, or a node failed: the message is the server's own."""


@dataclass(frozen=True)
class Result:
    """What a finished prompt left. outputs: `{node id: {"images": [...], ...}}` as in /history;
    cached: ids that did not run again."""

    outputs: dict[str, dict]
    cached: tuple[str, ...]

    def images(self, node: str | int) -> list[dict]:
        """The picture references of one node, for `fetch`."""
        return self.outputs.get(str(node), {}).get("images", [])


def run_prompt(url: str, prompt: dict, progress: Progress | None = None) -> Result:
    """Queue a prompt and wait for its end. Raises PromptError with the sentence of the node that failed."""
    return asyncio.run(_run(url, prompt, progress))


def fetch(url: str, image: dict) -> bytes:
    """The bytes of a picture that a node saved or previewed."""
    query = urllib.parse.urlencode({key: image[key] for key in ("filename", "subfolder", "type")})
    with urllib.request.urlopen(f"{url}/view?{query}", timeout=60) as answer:
        return answer.read()


async def _run(url: str, prompt: dict, progress: Progress | None) -> Result:
    client = uuid.uuid4().hex
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/ws?clientId={client}", max_msg_size=0) as socket,
    ):
        number = await _queue(session, url, prompt, client)
        cached = await _follow(socket, number, prompt, progress)
        async with session.get(f"{url}/history/{number}") as answer:
            history = await answer.json()
    return Result(history[number]["outputs"], cached)


async def _queue(session: aiohttp.ClientSession, url: str, prompt: dict, client: str) -> str:
    async with session.post(f"{url}/prompt", json={"prompt": prompt, "client_id": client}) as answer:
        reply = await answer.json()
    if "prompt_id" not in reply or reply.get("node_errors"):
        raise PromptError(_refusal(reply, prompt))
    return reply["prompt_id"]


async def _follow(
    socket: aiohttp.ClientWebSocketResponse, number: str, prompt: dict, progress: Progress | None
) -> tuple[str, ...]:
    """Read events until our prompt ends; returns the ids of the nodes that came from the cache."""
    cached: tuple[str, ...] = ()
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue  # preview pictures
        event = json.loads(message.data)
        data = event.get("data", {})
        if data.get("prompt_id") != number:
            continue
        if event["type"] == "execution_cached":
            cached = tuple(map(str, data["nodes"]))
        elif event["type"] == "progress" and progress:
            progress(str(data["node"]), data["value"], data["max"])
        elif event["type"] == "execution_error":
            raise PromptError(f"{_title(prompt, data['node_id'])}: {data['exception_message'].strip()}")
        elif event["type"] == "execution_interrupted":
            raise PromptError("The run was interrupted.")
        elif event["type"] == "executing" and data["node"] is None:
            return cached  # execution_success comes before the outputs are in /history
    raise PromptError("The server closed the connection before the prompt had ended: see its log.")


def _refusal(reply: dict, prompt: dict) -> str:
    """One sentence per node that the server did not accept."""
    lines = [
        f"{_title(prompt, node)}: {error['message']}: {error['details']}"
        for node, entry in reply.get("node_errors", {}).items()
        for error in entry["errors"]
    ]
    return "\n".join(lines) or reply.get("error", {}).get("message", str(reply))


def _title(prompt: dict, node: str) -> str:
    entry = prompt.get(node, {})
    return f"Node {node} ({entry.get('_meta', {}).get('title', entry.get('class_type'))})"
