"""Reading an import request in a process of its own: whatever the text is, the server it was sent to goes on.

Even parsing alone holds the interpreter's lock for as long as a second, and with it every step of a running picture and
every other request.  :func:`run` starts this file with the running interpreter and nothing of its surroundings (no
ComfyUI, no torch, no site packages but the folders of numpy and yaml: .2 s), and kills it at the deadline.

Not `multiprocessing`, which imports the main module anew, here ComfyUI's.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

DEADLINE = 30  # seconds; the limits of safe_text.py are meant for 2 on an idle machine, and this one may be drawing
MAX_MEMORY = 400 * 2**20  # bytes more than the process has when it starts; what the limits allow takes under 200 MB
REFUSED, NO_MEMORY = 3, 4  # the process's exit status

log = logging.getLogger("ROICtrl")


class ImportRefused(ValueError):
    """The process did not come to an answer of its own; the message is a sentence."""


def run(body: bytes) -> tuple[bool, bytes]:
    """Whether the body could be read, and the answer as JSON: a layout and notes, or ``{"error": sentence}``.

    Blocks without holding the interpreter's lock. Raises ImportRefused where the process was stopped, or is broken.
    """
    try:
        done = subprocess.run(
            _command(),
            input=body,
            capture_output=True,
            timeout=DEADLINE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired:
        raise ImportRefused(
            f"The text could not be read within {DEADLINE} seconds. Keep only the part with the boxes, "
            "or try again when the machine has less to do."
        ) from None
    except OSError as error:
        raise ImportRefused(
            f"The process that reads box formats could not be started: {error}. Check the Python that runs ComfyUI."
        ) from None
    if done.returncode in (0, REFUSED):
        return done.returncode == 0, done.stdout
    if done.returncode == NO_MEMORY:
        raise ImportRefused("Reading the text takes too much memory. Keep only the part with the boxes.")
    log.error(
        "The process that reads box formats ended with status %s:\n%s",
        done.returncode,
        done.stderr.decode("utf-8", "replace")[-4000:],
    )
    raise ImportRefused(
        f"The process that reads box formats broke down (status {done.returncode}); "
        "ComfyUI's log says more. Please report it with the text."
    )


def _command() -> list[str]:
    """This file under the running interpreter, isolated, with the folders that its two packages lie in."""
    import numpy
    import yaml

    folders = dict.fromkeys(str(Path(package.__file__).resolve().parents[1]) for package in (numpy, yaml))
    return [sys.executable, "-I", "-S", __file__, *folders]


# --- inside the process ---


def main() -> int:
    """Answers the body on standard input on standard output."""
    with open(os.devnull, "w") as nowhere:
        # Also where whoever started this process is gone; a thread of Python's would not run while something parses.
        faulthandler.dump_traceback_later(DEADLINE + 5, exit=True, file=nowhere)
        sys.path.extend(sys.argv[1:])
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # each thread of numpy's would reserve memory
        answer = _core("import_request").answer
        _limit_memory()
        try:
            status, data = 0, answer(sys.stdin.buffer.read())
        except ValueError as error:
            status, data = REFUSED, {"error": str(error)}
        except MemoryError:
            return NO_MEMORY
        sys.stdout.buffer.write(json.dumps(data).encode("ascii"))
        sys.stdout.buffer.flush()
    return status


def _core(module: str):
    """A module of this package, which lies beside this file under whatever name ComfyUI knows it by."""
    folder, name = Path(__file__).resolve().parent, "roictrl_core"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return importlib.import_module(f"{name}.{module}")


def _limit_memory() -> None:
    """On Linux; elsewhere the counts of safe_text.py alone bound it."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MAX_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ImportError, OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
