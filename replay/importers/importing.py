"""An import from its first record to the finished file: read, sanitise, write, scan, publish.

Nothing is published that holds a credential, and every record is counted once: good, quarantined or skipped.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from harness.capture import capture_to_json
from harness.capturing.leaks import first_leak
from harness.capturing.references import EncryptedBlobStore
from harness.errors import CaptureError
from replay.exporters.capture_writer import CaptureWriter
from replay.importers.left_out import LeftOutFile
from replay.importers.records import LeftOut, Place, Read, Skipped, SpeechCall, Unusable
from replay.importers.repetitions import Repetitions
from replay.lines import MAX_LINE_BYTES
from replay.sanitising.call_sanitiser import CallSanitiser, Sanitised
from replay.sanitising.credential_scan import scan

__all__ = ["ImportCounts", "import_captures", "quarantine_path"]

_KEPT_PLACES: Final = 1_000


@dataclass(slots=True)
class ImportCounts:
    """What became of the records; the three add up to `read`."""

    good: int = 0
    quarantined: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # reason → records
    renamed: int = 0  # of the good: their id was taken by another

    @property
    def read(self) -> int:
        """Records read."""
        return self.good + self.quarantined + self.skipped.total()


def quarantine_path(out: Path) -> Path:
    """Where place and reason of unusable records are written; another file than that of a reader's bad lines."""
    return out.with_name(f"{out.name}.import.quarantine.jsonl")


def import_captures(
    records: Iterable[Read],
    out: Path,
    sanitiser: CallSanitiser,
    references: EncryptedBlobStore,
    *,
    replace_out: bool = False,
    quarantine_credentials: bool = False,
    on_record: Callable[[int], None] = lambda read: None,
) -> ImportCounts:
    """Write the captures in `records` to `out`.

    Args:
        records: What the importers read.
        out: The file to make, packed when it ends in `.zst`.
        sanitiser: Makes captures of speech calls.
        references: Where it keeps recordings; those new there are taken away again when the import fails.
        replace_out: Whether a file that is there may be replaced.
        quarantine_credentials: Keep records with a credential out, instead of failing.
        on_record: Told how many records were read, after each.

    Raises:
        CaptureError: A source cannot be read, the file not be written, or a credential was found in it.
    """
    try:
        with CaptureWriter(out, replace=replace_out) as writer, _seldom_collecting():
            intake = _Intake(sanitiser, writer, quarantine_credentials=quarantine_credentials)
            counts = intake.take(records, on_record)
            writer.finish()
            _refuse_leaks(writer, intake.suspects)
            writer.publish()
            return counts
    except BaseException:
        for sha256 in sanitiser.report.stored:
            path = references.find(sha256)
            if path is not None:
                path.unlink(missing_ok=True)
        raise


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Records leave no cycles behind; to look for them after every 700 objects costs a tenth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Intake:
    """One import under way."""

    def __init__(self, sanitiser: CallSanitiser, writer: CaptureWriter, *, quarantine_credentials: bool) -> None:
        self.suspects: dict[int, Place] = {}  # line → where it came from, of those that a scan will find
        self._sanitiser = sanitiser
        self._writer = writer
        self._quarantine_credentials = quarantine_credentials
        self._counts = ImportCounts()

    def take(self, records: Iterable[Read], on_record: Callable[[int], None]) -> ImportCounts:
        """Write what can be written and count everything."""
        left_out = LeftOutFile(quarantine_path(self._writer.path))
        counts = self._counts
        counts.skipped = left_out.skipped
        with closing(left_out), closing(Repetitions()) as repetitions:
            for number, (place, outcome) in enumerate(records, start=1):
                reason = outcome if isinstance(outcome, LeftOut) else self._write(place, outcome, repetitions)
                if reason is None:
                    counts.good += 1
                else:
                    left_out.add(place, reason)
                    counts.quarantined = left_out.quarantined
                on_record(number)
        return counts

    def _write(self, place: Place, call: SpeechCall, repetitions: Repetitions) -> LeftOut | None:
        """Write the capture of a call; or why there is none."""
        try:
            sanitised = self._sanitiser.clean(call)
            leak = first_leak(sanitised.capture)
            if leak and self._quarantine_credentials:
                raise Unusable(f"{leak.field} holds {leak.rule}")
            number = self._writer.write_line(self._unrepeated(sanitised, repetitions))
        except LeftOut as reason:
            return reason
        if leak and len(self.suspects) < _KEPT_PLACES:
            self.suspects[number] = place
        return None

    def _unrepeated(self, sanitised: Sanitised, repetitions: Repetitions) -> bytes:
        line = sanitised.line.encode()
        if len(line) > MAX_LINE_BYTES:
            raise Unusable(f"the capture has {len(line)} bytes, more than the {MAX_LINE_BYTES} of a line")
        capture = sanitised.capture
        free_id = repetitions.free_id(capture.id, line)
        if free_id is None:
            raise Skipped("the same as an earlier record")
        if free_id == capture.id:
            return line
        self._counts.renamed += 1
        return capture_to_json(replace(capture, id=free_id)).encode()


def _refuse_leaks(writer: CaptureWriter, suspects: dict[int, Place]) -> None:
    """Read what was written once more; a credential in it ends the import.

    Raises:
        CaptureError: Names the first line with its place, and counts the others.
    """
    leaks = list(scan(writer.draft))
    if not leaks:
        return
    first = leaks[0]
    place = suspects.get(first.line)
    others = f", and {len(leaks) - 1} more lines hold one" if len(leaks) > 1 else ""
    raise CaptureError(
        f"{writer.path}: was not written: line {first.line}{f' ({place})' if place else ''}: {first.field} holds "
        f"{first.rule}{others}; remove it at its source, or keep such records out with --quarantine-credentials"
    )
