"""Measure the audio of a run: every audio once, by a pool of workers, into `features.jsonl`.

What was measured is on disk every few dozen audios, so after a kill the same command goes on from there. What the
numbers are is the business of `features`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from analysis.extractor import extractor_version
from analysis.workers import Answer, WorkerPool, cores
from harness.clock import Clock, SystemClock
from harness.config import Settings
from harness.errors import ErrorKind
from harness.exchanges import OK
from harness.progress import ProgressReport
from harness.store.journal import Journal, Record
from harness.store.rows import received_in
from harness.store.runs import Run, audio_store
from harness.store.schema import TABLES
from harness.store.seal import seal

__all__ = ["ExtractionReport", "Unusable", "extract"]

_MEASURE: Final = "analysis.measuring:measure_blob"
_DEADLINE_S: Final = 60.0  # the longest audio that is decoded takes 3 s of CPU (tests/benchmarks/extraction.py)
_SYNC_EVERY: Final = 32  # what a kill can cost: a tenth of a second of work
_NO_FEATURES: Final = dict.fromkeys(TABLES["features"].names)

OpenProgress = Callable[[int, int], ProgressReport]  # total, done already


class Unusable(NamedTuple):
    """One audio that has no full set of features."""

    audio_sha256: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionReport:
    """What was measured and what could not be."""

    run_id: str
    extractor_version: str
    audio: int  # different audios of the run
    known: int  # measured before, by the same extractor
    measured: int  # now
    lost: tuple[str, ...]  # not in the store as it was put there: a sentence each
    outcomes: dict[str, int]  # of all audio of the run, the most frequent first
    unusable: tuple[Unusable, ...]  # every audio whose outcome is not `ok`
    sound_s: float  # length of the audio measured now
    elapsed_s: float


def extract(
    run: Run, settings: Settings, progress: OpenProgress, *, clock: Clock | None = None, measure: str = _MEASURE
) -> ExtractionReport:
    """Measure what has not been measured by this extractor yet, then seal the run.

    Args:
        run: Whose audio; the journal says which there is, so a run that was not sealed yet is fine.
        settings: Where the audio lies, and how many processes.
        progress: Opens the progress report.
        clock: Takes the time.
        measure: The function that measures, `module:name`; runs in the workers.

    Raises:
        StoreError: The run's journal is damaged, or another extraction of it is under way.
    """
    clock = clock or SystemClock()
    started_s = clock.monotonic()
    audio = _audio_of(run)
    with Journal(run.features, clock=clock) as journal:
        tally = _Tally(extractor_version(), audio, journal.records)
        pool = WorkerPool(measure, processes=_processes(settings), deadline_s=_DEADLINE_S, clock=clock)
        with progress(len(audio), tally.known) as report:
            for count, answer in enumerate(pool.run(_jobs(audio, tally, settings)), start=1):
                row = tally.book(answer)
                if row is not None:
                    journal.append({"type": "feature", **row})
                if count % _SYNC_EVERY == 0:
                    journal.sync()
                report.advance(note=f"{len(tally.unusable)} unusable" if tally.unusable else "")
    seal(run)
    return tally.report(run.id, elapsed_s=clock.monotonic() - started_s)


def _audio_of(run: Run) -> dict[str, str]:
    """SHA-256 → extension of every audio the run received, whatever became of its exchange."""
    return {row["audio_sha256"]: row["audio_extension"] for row in received_in(run.journal)}


def _processes(settings: Settings) -> int:
    return settings.replay.extract_processes or cores()


class _Tally:
    """The rows of a run's audio, as far as they are known."""

    def __init__(self, version: str, audio: Mapping[str, str], records: Iterable[Record]) -> None:
        self.version = version
        self.audio = audio
        self.rows: dict[str, Record] = {}
        self.unusable: list[Unusable] = []
        self.lost: list[str] = []
        self.sound_s = 0.0
        latest = {record["audio_sha256"]: record for record in records}
        for sha256, record in latest.items():
            if sha256 in audio and record["extractor_version"] == version:
                self._add(record)
        self.known = len(self.rows)

    def _add(self, row: Record) -> None:
        self.rows[row["audio_sha256"]] = row
        if row["outcome"] != OK:
            self.unusable.append(Unusable(row["audio_sha256"], row["outcome"], row["more"]["reason"]))

    def book(self, answer: Answer) -> Record | None:
        """The row that `answer` makes; None when the store had lost the audio, which says nothing about it."""
        _, sha256, _ = answer.item
        if answer.given_up is not None:
            reason = f"decoder_crash: the process that measured it {answer.given_up}, twice"
            measured = {**_NO_FEATURES, "outcome": ErrorKind.BAD_AUDIO.value, "more": {"reason": reason}}
        elif "lost" in answer.value:
            self.lost.append(answer.value["lost"])
            return None
        else:
            measured = answer.value
        row = {**measured, "audio_sha256": sha256, "extractor_version": self.version}
        self._add(row)
        self.sound_s += row["duration_s"] or 0.0
        return row

    def report(self, run_id: str, *, elapsed_s: float) -> ExtractionReport:
        """What there is to say at the end."""
        return ExtractionReport(
            run_id=run_id,
            extractor_version=self.version,
            audio=len(self.audio),
            known=self.known,
            measured=len(self.rows) - self.known,
            lost=tuple(self.lost),
            outcomes=dict(Counter(row["outcome"] for row in self.rows.values()).most_common()),
            unusable=tuple(self.unusable),
            sound_s=self.sound_s,
            elapsed_s=elapsed_s,
        )


def _jobs(audio: Mapping[str, str], tally: _Tally, settings: Settings) -> list[tuple[str, str, str]]:
    """What is left to measure, as the workers take it."""
    root = str(audio_store(settings.home).root)
    return [(root, sha256, extension) for sha256, extension in audio.items() if sha256 not in tally.rows]
