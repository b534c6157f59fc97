"""The metrics of all worker processes in one answer, whichever of them is asked.

Each writes its own series to a file before it answers from all files: so no scrape ever sees a counter older than the
last scrape saw, which Prometheus would take for a restart. Between scrapes a file is renewed by whoever calls `write`.
"""

import contextlib
import logging
import os
import secrets
from pathlib import Path
from typing import Final

from harness.telemetry.metrics import Metrics

__all__ = ["SharedMetrics", "merged"]

log = logging.getLogger(__name__)

_HELP: Final = "# HELP "


class SharedMetrics:
    """One process' part, and the way to all others'."""

    def __init__(self, metrics: Metrics, folder: Path, *, worker: str) -> None:
        """Share `folder` with the others; the file of this worker's last life is overwritten."""
        self._metrics = metrics
        self._folder = folder
        self._path = folder / f"{worker}.prom"

    def write(self) -> None:
        """Renew this worker's file; about every second, so that others can answer for it."""
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._metrics.text())
            temporary.replace(self._path)
        except OSError as error:
            log.warning("metrics not shared", extra={"error": error.strerror})
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def text(self) -> bytes:
        """The series of all workers."""
        self.write()
        texts = []
        for path in sorted(self._folder.glob("*.prom")):
            with contextlib.suppress(OSError):
                texts.append(path.read_text())
        return merged(texts or [self._metrics.text().decode()]).encode()

    def close(self) -> None:
        """Take this worker's file away: it is gone."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def merged(texts: list[str]) -> str:
    """Several answers as one: each family's samples together under one heading, as the format demands."""
    families: dict[str, tuple[str, list[str]]] = {}
    for text in texts:
        for block in text.split(_HELP)[1:]:
            lines = block.splitlines(keepends=True)
            heading, samples = _HELP + "".join(lines[:2]), lines[2:]
            families.setdefault(block.split(" ", 1)[0], (heading, []))[1].extend(samples)
    return "".join(heading + "".join(samples) for heading, samples in families.values())
