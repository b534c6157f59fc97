"""Records that gave no capture, in numbers and, where they should have, with place and reason in a file.

The file never holds anything of the record itself: who wants to know looks at the place.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from harness.errors import CaptureError
from replay.importers.records import LeftOut, Place, Skipped

__all__ = ["LeftOutFile"]


class LeftOutFile:
    """Counts what is left out; the file is there only when a record was unusable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped: Counter[str] = Counter()  # reason → records
        self.quarantined = 0
        self._file: BinaryIO | None = None

    def add(self, place: Place, reason: LeftOut) -> None:
        """Count a record, and write it down when it was meant to be a request."""
        if isinstance(reason, Skipped):
            self.skipped[reason.reason] += 1
            return
        self.quarantined += 1
        record = {"file": place.file, "record": place.record, "reason": reason.reason}
        try:
            self._opened().write(json.dumps(record).encode() + b"\n")
        except OSError as error:
            raise CaptureError(f"{self.path}: cannot be written: {error.strerror}") from None

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(descriptor, "wb")
        return self._file

    def close(self) -> None:
        """Finish the file; one of an earlier import goes when this one had nothing to write."""
        if self._file is None:
            self.path.unlink(missing_ok=True)
        else:
            self._file.close()
