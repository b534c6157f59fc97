"""Compare the audio of a run's pairs: control with candidate, control with its repeat, into `pairs.jsonl`.

Two audios that meet in several pairs are compared once. What was compared is on disk every few dozen pairs, so after
a kill the same command goes on from there. What the numbers are is the business of `likeness`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from analysis.extraction import OpenProgress
from analysis.extractor import pair_extractor_version
from analysis.workers import Answer, WorkerPool, cores
from harness.clock import Clock, SystemClock
from harness.config import Settings
from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.store.journal import Journal, Record
from harness.store.rows import received_in
from harness.store.runs import Run, audio_store
from harness.store.schema import TABLES
from harness.store.seal import seal

__all__ = ["PairReport", "compare_pairs"]

_COMPARE: Final = "analysis.measuring:compare_blobs"
_DEADLINE_S: Final = 120.0  # both of the longest audios: 8 s of CPU
_SYNC_EVERY: Final = 32
_NOTHING: Final = dict.fromkeys(TABLES["pair_features"].names)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """What was compared and what could not be."""

    run_id: str
    extractor_version: str
    pairs: int  # with audio on both sides
    known: int  # compared before, by the same extractor
    compared: int  # now
    lost: int  # audio of theirs is not in the store as it was put there
    outcomes: dict[str, int]  # of all pairs, the most frequent first
    elapsed_s: float


class _Place(NamedTuple):
    """Where a pair stands in the run."""

    capture_id: str
    repetition: int
    lane: str


class _Sounds(NamedTuple):
    """The two audios of a pair: SHA-256 and extension of each."""

    control_sha256: str
    control_extension: str
    other_sha256: str
    other_extension: str


def compare_pairs(
    run: Run, settings: Settings, progress: OpenProgress, *, clock: Clock | None = None, compare: str = _COMPARE
) -> PairReport:
    """Compare what has not been compared by this extractor yet, then seal the run.

    Args:
        run: Whose pairs; the journal says which there are.
        settings: Where the audio lies, and how many processes.
        progress: Opens the progress report.
        clock: Takes the time.
        compare: The function that compares, `module:name`; runs in the workers.

    Raises:
        StoreError: The run's journal is damaged, or another comparison of it is under way.
    """
    clock = clock or SystemClock()
    started_s = clock.monotonic()
    book = _Book(run.id, pair_extractor_version(), _pairs_of(run))
    with Journal(run.pair_features, clock=clock) as journal:
        book.recall(journal.records)
        known = len(book.outcomes)
        root = str(audio_store(settings.home).root)
        pool = WorkerPool(
            compare, processes=settings.replay.extract_processes or cores(), deadline_s=_DEADLINE_S, clock=clock
        )
        waiting = book.waiting()
        with progress(len(waiting), 0) as report:
            for count, answer in enumerate(pool.run([(root, *sounds) for sounds in waiting]), start=1):
                for row in book.rows(answer, waiting[_Sounds(*answer.item[1:])]):
                    journal.append({"type": "pair_feature", **row})
                if count % _SYNC_EVERY == 0:
                    journal.sync()
                report.advance()
    seal(run)
    return book.report(known, elapsed_s=clock.monotonic() - started_s)


def _pairs_of(run: Run) -> dict[_Place, _Sounds]:
    """Every pair of the run that has audio on both sides, whatever became of its exchanges."""
    control = {
        (row["capture_id"], row["repetition"]): (row["audio_sha256"], row["audio_extension"])
        for row in received_in(run.journal)
        if row["lane"] == Lane.CONTROL
    }
    pairs = {}
    for row in received_in(run.journal):
        ours = control.get((row["capture_id"], row["repetition"]))
        if ours is not None and row["lane"] != Lane.CONTROL:
            place = _Place(row["capture_id"], row["repetition"], row["lane"])
            pairs[place] = _Sounds(*ours, row["audio_sha256"], row["audio_extension"])
    return pairs


class _Book:
    """The rows of a run's pairs, as far as they are known."""

    def __init__(self, run_id: str, version: str, pairs: dict[_Place, _Sounds]) -> None:
        self.run_id = run_id
        self.version = version
        self.pairs = pairs
        self.outcomes: dict[_Place, str] = {}
        self.lost = 0

    def recall(self, records: Iterable[Record]) -> None:
        """Take over what was compared before: by this extractor, of this audio, and not replaced since."""
        for record in records:
            place = _Place(record["capture_id"], record["repetition"], record["lane"])
            sounds = self.pairs.get(place)
            told = (record["extractor_version"], record["control_sha256"], record["other_sha256"])
            if sounds and told == (self.version, sounds.control_sha256, sounds.other_sha256):
                self.outcomes[place] = record["outcome"]
            else:
                self.outcomes.pop(place, None)

    def waiting(self) -> dict[_Sounds, list[_Place]]:
        """What is left to compare, and which pairs it is the sound of."""
        places: dict[_Sounds, list[_Place]] = {}
        for place, sounds in self.pairs.items():
            if place not in self.outcomes:
                places.setdefault(sounds, []).append(place)
        return places

    def rows(self, answer: Answer, places: list[_Place]) -> Iterator[Record]:
        """The rows that `answer` makes; none when the store had lost audio, which says nothing about the pair."""
        if answer.given_up is not None:
            reason = f"decoder_crash: the process that compared them {answer.given_up}, twice"
            compared: Record = {"outcome": ErrorKind.BAD_AUDIO.value, "more": {"reason": reason}}
        elif "lost" in answer.value:
            self.lost += len(places)
            return
        else:
            compared = answer.value
        sounds = _Sounds(*answer.item[1:])
        for place in places:
            self.outcomes[place] = compared["outcome"]
            yield {
                **_NOTHING,
                **compared,
                **place._asdict(),
                "run_id": self.run_id,
                "extractor_version": self.version,
                "control_sha256": sounds.control_sha256,
                "other_sha256": sounds.other_sha256,
            }

    def report(self, known: int, *, elapsed_s: float) -> PairReport:
        """What there is to say at the end."""
        return PairReport(
            run_id=self.run_id,
            extractor_version=self.version,
            pairs=len(self.pairs),
            known=known,
            compared=len(self.outcomes) - known,
            lost=self.lost,
            outcomes=dict(Counter(self.outcomes.values()).most_common()),
            elapsed_s=elapsed_s,
        )
