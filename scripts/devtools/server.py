"""A ComfyUI server of our own: started on a free port, ready when /object_info answers, stopped by SIGTERM.
Standard library only."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

READY_SECONDS = 300  # a first start on two busy cores without compiled files
STOP_SECONDS = 20
BROKEN = ("IMPORT FAILED", "Cannot import")


class ServerError(RuntimeError):
    """The server did not come up, or our pack did not; the message ends with the log's last lines."""


class Server:
    """One ComfyUI process. Use as a context manager: it is stopped whatever happens.

    python: interpreter with ComfyUI's packages. comfyui: folder with main.py. base: see `base.make_base`.
    cpu: leave an accelerator alone. arguments: further arguments of main.py. environment: its environment variables.
    """

    def __init__(
        self,
        python: Path,
        comfyui: Path,
        base: Path,
        *,
        cpu: bool = True,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = base / "server.log"
        self._comfyui = comfyui
        self._environment = environment or dict(os.environ)
        device = ["--cpu", "--use-pytorch-cross-attention"] if cpu else []
        self._command = [
            str(python),
            "-u",
            str(comfyui / "main.py"),
            "--listen",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--base-directory",
            str(base),
            "--database-url",
            "sqlite:///:memory:",
            "--disable-auto-launch",
            "--disable-api-nodes",
            *device,
            *arguments,
        ]

    def __enter__(self) -> Server:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self._comfyui,
                env=self._environment,
            )
        try:
            self.object_info = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def process(self) -> int:
        """The id of the running process."""
        return self._process.pid

    def stop(self) -> None:
        """End the process: politely, then for good."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def get_json(self, path: str) -> dict:
        """GET a JSON answer."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def _wait_until_ready(self) -> dict:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(
                    f"ComfyUI ended while starting (exit status {self._process.returncode}).\n{self.tail()}"
                )
            try:
                info = self.get_json("/object_info")
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
                continue
            self._refuse_a_broken_pack()
            return info
        raise ServerError(f"ComfyUI did not answer within {READY_SECONDS} s.\n{self.tail()}")

    def _refuse_a_broken_pack(self) -> None:
        """ComfyUI goes on without a pack that fails to import: only its log tells."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        if any(word in line and "custom_nodes" in line for line in text.splitlines() for word in BROKEN):
            raise ServerError(f"The node pack failed to import.\n{self.tail(80)}")

    def tail(self, lines: int = 30) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
