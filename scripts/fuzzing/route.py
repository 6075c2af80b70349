"""The monsters through the import route of a real server: how long each answer takes,
and what the server does meanwhile.

Beside each request others ask for something small without a break: the longest that one of them waits is how long the
server stood still.  Memory is that of the server and of all processes it started, sampled.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import psutil

PING = "/queue"
BETWEEN = 0.01  # seconds between two small requests, and between two looks at the memory


@dataclass(frozen=True)
class Row:
    """One request: its text's name, status and answer (the sentence, or what was read);
    seconds; bytes more than before."""

    name: str
    status: int
    answer: str
    seconds: float
    pause: float
    memory: int

    def __str__(self) -> str:
        return (
            f"{self.name:42} {self.status} {self.seconds:6.2f} s  pause {self.pause:5.3f} s  "
            f"{self.memory / 2**20:+5.0f} MB  {self.answer:.70}"
        )


def post_all(url: str, process: int, texts: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Each text through the route, one after the other; ``process`` is the server's id."""
    for name, text in texts:
        body = json.dumps({"text": text, "width": 512, "height": 512}, ensure_ascii=not text.isprintable()).encode(
            "utf-8", "surrogatepass"
        )
        yield asyncio.run(_post(url, process, name, body))


async def _post(url: str, process: int, name: str, body: bytes) -> Row:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120)) as session:
        before, seen = _memory(process), Seen()
        watchers = [asyncio.create_task(_ping(session, url, seen)), asyncio.create_task(_look(process, seen))]
        await asyncio.sleep(10 * BETWEEN)
        began = time.perf_counter()
        async with session.post(url + "/roictrl/import", data=body) as response:
            answer = await response.json(content_type=None)
            seconds = time.perf_counter() - began
        for watcher in watchers:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
    said = answer.get("error") or f"{len(answer['layout']['instances'])} boxes, {len(answer['notes'])} notes"
    return Row(name, response.status, said, seconds, seen.pause, seen.memory - before)


@dataclass
class Seen:
    """The longest pause in seconds, and the most bytes."""

    pause: float = 0.0
    memory: int = 0


async def _ping(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    while True:
        began = time.perf_counter()
        async with session.get(url + PING) as response:
            await response.read()
        seen.pause = max(seen.pause, time.perf_counter() - began)
        await asyncio.sleep(BETWEEN)


async def _look(process: int, seen: Seen) -> None:
    while True:
        seen.memory = max(seen.memory, await asyncio.to_thread(_memory, process))
        await asyncio.sleep(BETWEEN)


def _memory(process: int) -> int:
    """Resident bytes of a process and its children."""
    total, server = 0, psutil.Process(process)
    for one in (server, *server.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total
