"""What models said of a run's audio: every sound once for each model and version, into `readings.jsonl`.

A reading is dear, so it is kept on its own, whatever becomes of the features beside it: on disk every few sounds, so
after a kill the same command goes on from there. What readings mean for audio and pairs is the business of `landing`.

    reading     scorer, engine, version, audio_sha256, asked (a language), outcome, and what the model said
    reference   capture_id, audio_sha256: the recording that a capture's voice was made from

The file stays out of the sealed database: a voice's embedding says who speaks.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from analysis.extraction import OpenProgress
from analysis.models.endpoint import Endpoint, engine_version
from analysis.models.readiness import obstacles, version_here
from analysis.models.scorers import Scorer
from analysis.models.transcribers import Engine
from analysis.workers import WorkerPool, cores
from harness.clock import Clock, SystemClock
from harness.config import Settings
from harness.errors import ErrorKind, UsageError
from harness.progress import ProgressReport
from harness.store.journal import Journal, Record, read_journal
from harness.store.rows import captures_in, received_in
from harness.store.runs import Run, audio_store

__all__ = ["ReadingReport", "Reference", "latest_readings", "read_sounds"]

_READ: Final = "analysis.models.reading:read_blob"
_DEADLINE_S: Final = 600.0  # of the longest audio, by Whisper, on a slow core
_SYNC_EVERY: Final = 4


class Reference(NamedTuple):
    """The recording that a capture's voice was made from."""

    root: Path  # of the store that holds it
    sha256: str
    extension: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingReport:
    """What one model said, and of how much."""

    scorer: str
    engine: str
    version: str
    sounds: int
    known: int  # read before, by the same version
    outcomes: dict[str, int]  # of all that were read, the most frequent first
    unread: int  # lost from the store, or not answered: worth another try
    reason: str | None  # of the first that was not read or whose outcome is not ok
    elapsed_s: float


class _Sound(NamedTuple):
    root: str
    sha256: str
    extension: str
    language: str | None


def latest_readings(run: Run) -> list[Record]:
    """Every record in order; none when no model was ever asked."""
    path = run.readings
    return read_journal(path).records if path.exists() else []


def read_sounds(
    run: Run,
    settings: Settings,
    scorer: Scorer,
    progress: OpenProgress,
    *,
    references: Mapping[str, Reference] | None = None,
    clock: Clock | None = None,
    read: str = _READ,
) -> ReadingReport:
    """Have a model read what this version of it has not read yet.

    Args:
        run: Whose audio.
        settings: Where audio and models lie, who transcribes, how many processes.
        scorer: Which model.
        progress: Opens the progress report.
        references: Recordings by capture id, for speaker similarity.
        clock: Takes the time.
        read: The function that reads, `module:name`; runs in the workers.

    Raises:
        UsageError: The model lacks a library or its weights; says how to get them.
        StoreError: A journal is damaged, or another process is writing it.
    """
    clock = clock or SystemClock()
    started_s = clock.monotonic()
    engine = Engine(settings.models.transcriber) if scorer.name == "intelligibility" else None
    if engine is Engine.NONE:
        return _Book(scorer, engine, "-", []).report(elapsed_s=0.0)
    remote = engine is Engine.ENDPOINT
    version = _version(scorer, settings, remote=remote)
    by_language = scorer.name == "intelligibility"
    wanted = (references or {}) if scorer.name == "similarity" else {}
    recordings = {
        row["capture_id"]: wanted[row["capture_id"]] for row in captures_in(run.journal) if row["capture_id"] in wanted
    }
    sounds = list(dict.fromkeys(_sounds(run, settings, recordings, by_language=by_language)))
    with Journal(run.readings, clock=clock) as journal:
        book = _Book(scorer, engine, version, sounds)
        book.recall(journal.records)
        _note_references(journal, recordings)
        with progress(len(sounds), book.known) as report:
            pen = _Pen(book, journal, report)
            if remote:
                endpoint = Endpoint(settings.models, allow_hosts=settings.allow_hosts, clock=clock)
                asyncio.run(endpoint.transcribe(book.waiting(), lambda sound, value: pen.write(_Sound(*sound), value)))
            else:
                pool = WorkerPool(
                    read, processes=settings.replay.extract_processes or cores(), deadline_s=_DEADLINE_S, clock=clock
                )
                models = str(settings.home / "models")
                for answer in pool.run([(scorer.name, models, *sound) for sound in book.waiting()]):
                    pen.write(_Sound(*answer.item[2:]), answer.value or _given_up(answer.given_up))
    return book.report(elapsed_s=clock.monotonic() - started_s)


def _version(scorer: Scorer, settings: Settings, *, remote: bool) -> str:
    models = settings.home / "models"
    if not remote:
        return version_here(scorer, models)
    lacks = obstacles(scorer, models, remote=True)
    if lacks:
        raise UsageError(lacks[0])
    return engine_version(settings.models)


def _given_up(why: str | None) -> Record:
    return {"outcome": ErrorKind.INTERNAL.value, "reason": f"the process that read it {why}, twice"}


def _sounds(
    run: Run, settings: Settings, recordings: Mapping[str, Reference], *, by_language: bool
) -> Iterator[_Sound]:
    """Every sound of the run and every recording; for transcribers in the language it was asked for."""
    languages = {row["capture_id"]: row["language"] for row in captures_in(run.journal)}
    root = str(audio_store(settings.home).root)
    for row in received_in(run.journal):
        language = languages.get(row["capture_id"]) if by_language else None
        yield _Sound(root, row["audio_sha256"], row["audio_extension"], language)
    for folder, sha256, extension in recordings.values():
        yield _Sound(str(folder), sha256, extension, None)


def _note_references(journal: Journal, references: Mapping[str, Reference]) -> None:
    known = {row["capture_id"]: row["audio_sha256"] for row in journal.records if row["type"] == "reference"}
    for capture_id, reference in references.items():
        if known.get(capture_id) != reference.sha256:
            row = {"type": "reference", "capture_id": capture_id, "audio_sha256": reference.sha256}
            journal.append(row)


class _Book:
    """What is known of each sound by one version of one model."""

    def __init__(self, scorer: Scorer, engine: Engine | None, version: str, sounds: list[_Sound]) -> None:
        self.marks = {"scorer": scorer.name, "engine": engine.value if engine else scorer.name, "version": version}
        self.sounds = sounds
        self.outcomes: dict[tuple[str, str | None], str] = {}
        self.known = 0
        self.unread = 0
        self.reason: str | None = None

    def recall(self, records: list[Record]) -> None:
        """Take over what this version read before."""
        wanted = {(sound.sha256, sound.language) for sound in self.sounds}
        for record in records:
            if record["type"] == "reading" and self.marks.items() <= record.items():
                key = (record["audio_sha256"], record["asked"])
                if key in wanted:
                    self.outcomes[key] = record["outcome"]
        self.known = len(self.outcomes)

    def waiting(self) -> list[_Sound]:
        """What is left to read."""
        return [sound for sound in self.sounds if (sound.sha256, sound.language) not in self.outcomes]

    def book(self, sound: _Sound, value: Mapping[str, Any]) -> Record | None:
        """The record of a reading; None where there was none, which says nothing about the sound."""
        self.reason = self.reason or value.get("reason") or value.get("lost") or value.get("failed")
        if "outcome" not in value:
            self.unread += 1
            return None
        self.outcomes[sound.sha256, sound.language] = value["outcome"]
        return {"type": "reading", **self.marks, "audio_sha256": sound.sha256, "asked": sound.language, **value}

    def report(self, *, elapsed_s: float) -> ReadingReport:
        """What there is to say at the end."""
        return ReadingReport(
            **self.marks,
            sounds=len(self.sounds),
            known=self.known,
            outcomes=dict(Counter(self.outcomes.values()).most_common()),
            unread=self.unread,
            reason=self.reason,
            elapsed_s=elapsed_s,
        )


class _Pen:
    """Writes readings down as they come."""

    def __init__(self, book: _Book, journal: Journal, report: ProgressReport) -> None:
        self._book, self._journal, self._report = book, journal, report
        self._unsynced = 0

    def write(self, sound: _Sound, value: Mapping[str, Any]) -> None:
        record = self._book.book(sound, value)
        if record is not None:
            self._journal.append(record)
            self._unsynced += 1
        if self._unsynced >= _SYNC_EVERY:
            self._journal.sync()
            self._unsynced = 0
        self._report.advance(note=f"{self._book.unread} unread" if self._book.unread else "")
