"""Where the adapter that a run makes goes, looked at before the first step and reached after the last one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...roictrl_core.checkpoint import AdapterFile, save_adapter
from ...roictrl_core.files import WriteError, check_room, check_writable
from ...roictrl_core.notes import log


@dataclass(frozen=True)
class AdapterTarget:
    """folder: models/roictrl.  name: the user's.

    spare: folders to try where the first cannot be written in the end.
    """

    folder: Path
    name: str
    spare: tuple[Path, ...]

    def path(self, steps: int, folder: Path | None = None) -> Path:
        """<folder>/<name>_<steps>steps_<number>.safetensors, the first number that is free."""
        stem = re.sub(r"[^\w .-]", "_", self.name).strip(" .") or "adapter"
        folder, number = folder or self.folder, 1
        while (path := folder / f"{stem}_{steps}steps_{number:03d}.safetensors").exists():
            number += 1
        return path

    def check(self, steps: int) -> None:
        """Before anything is done: raise ValueError where the file could not be written, such as for its long name."""
        try:
            check_writable(self.path(steps))
        except OSError as error:
            why = (
                error
                if isinstance(error, WriteError)
                else f"{self.folder} takes no file named '{self.name[:40]}…' ({error.strerror})"
            )
            raise ValueError(f"{why}. Give the adapter a shorter name, or mend the folder {self.folder}") from None

    def check_room(self, size: int) -> None:
        """Before the first step: raise WriteError where `size` bytes do not fit."""
        check_room(self.folder, size, "the adapter")

    def write(self, file: AdapterFile) -> None:
        """Atomically, as `Load ROICtrl Adapter` reads it.

        Where that fails, into the first spare folder that takes it.
        """
        failed = []
        for folder in (self.folder, *self.spare):
            try:
                path = self.path(int(file.metadata["training_steps"]), folder)
                check_writable(path)  # makes a folder that has gone meanwhile
                save_adapter(path, file.config, file.weights, file.metadata)
            except OSError as error:
                failed.append(str(error))
                continue
            if failed:
                log.error("%s. The trained adapter is in %s: move it to %s", "; ".join(failed), path, self.folder)
            log.info("wrote %s (%s)", path.name, file.description)
            return
        raise WriteError(f"the trained adapter is lost: {'; '.join(failed)}")
