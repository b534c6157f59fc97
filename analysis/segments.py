"""Parts of the pairs that may veto: a language, a length of text or a voice in which the candidate is worse.

A segment never needs a pass of its own. It fails only on its own evidence, Holm-corrected over all gates and segments
of an operation, so that looking into many corners finds nothing that is not there (verdicts.md 2.3 E).
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.evalues import log_e_fail, lower_bound, proof_at, upper_bound
from analysis.findings import Evaluated
from analysis.gates import Gate, PairedAny, PairedBand, PairedExceed
from analysis.groups import Groups
from analysis.marks import condition_marks, is_relative, marks_of
from analysis.pairs import Flags, flags_of
from analysis.scene import Scene
from analysis.thresholds import Stats
from analysis.units import amount, count
from harness.judgement import Finding, Interval, Outcome

__all__ = ["SEGMENT_CLAIMS", "Segment", "Segmented", "judge_segments"]

IntArray = NDArray[np.intp]

# All segments of an operation together may fail wrongly as often as this many claims on all of its pairs.
SEGMENT_CLAIMS: Final = 3

_SHORT_CHARS, _LONG_CHARS = 60, 200  # a remark, a sentence or two, a paragraph
_LENGTHS: Final = pl.Enum(["short", "medium", "long"])
_KEYS: Final[Mapping[str, pl.Expr]] = {
    "language": pl.col("language").fill_null("auto"),
    "length": pl.when(pl.col("text_chars") <= _SHORT_CHARS)
    .then(pl.lit("short", dtype=_LENGTHS))
    .when(pl.col("text_chars") <= _LONG_CHARS)
    .then(pl.lit("medium", dtype=_LENGTHS))
    .otherwise(pl.lit("long", dtype=_LENGTHS)),
    "voice": pl.col("voice_id"),
    "segment": pl.col("segment"),
}


class Segment(NamedTuple):
    """One gate's counts in one part of the pairs."""

    gate: str
    name: str  # "language=ja"
    pairs: int
    worse: int  # only the candidate was bad
    better: int  # only control was bad
    margin: float  # a share
    log_e: float  # evidence that the margin is broken here

    @property
    def excess(self) -> float:
        """How much more often the candidate is bad; a share."""
        return (self.worse - self.better) / self.pairs


class Segmented(NamedTuple):
    """What the segments of one operation came to."""

    vetoes: Sequence[Evaluated]
    worst: Mapping[str, Segment]  # gate → the segment with the most evidence against the candidate


def judge_segments(scene: Scene, gates: Mapping[str, Gate], stats: Stats) -> Segmented:
    """The vetoes of one operation, and the worst segment of every gate that compares pairs."""
    blocking = {name: gate for name, gate in gates.items() if gate.blocking}
    found = sorted(_segments(scene, blocking, stats), key=lambda each: (-each.log_e, each.gate, each.name))
    alpha = scene.bar.alpha * SEGMENT_CLAIMS / scene.bar.family
    vetoes = []
    for rank, segment in enumerate(found):
        strength = segment.log_e - proof_at(alpha, len(found) - rank)
        if strength < 0.0:
            break
        vetoes.append(Evaluated(_finding(segment, scene), strength))
    worst: dict[str, Segment] = {}
    for segment in found:
        worst.setdefault(segment.gate, segment)
    return Segmented(vetoes, worst)


def _segments(scene: Scene, gates: Mapping[str, Gate], stats: Stats) -> list[Segment]:
    """Every segment that is large enough, for every gate."""
    triples = scene.triples if scene.noise_pairs.height else None
    plain: list[_Seen] = []
    relative: list[_Seen] = []
    for name, gate in gates.items():
        if triples is not None and isinstance(gate, PairedExceed | PairedBand | PairedAny) and is_relative(gate):
            ours, noise = condition_marks(gate, None), condition_marks(gate, None, candidate="repeat")
            flags = flags_of(triples, ours.candidate, noise.candidate, among=ours.among & noise.among)
            relative.append(_Seen.of(name, flags, ours.margin))
        elif (marks := marks_of(gate, scene.earliest)) is not None:
            plain.append(_Seen.of(name, scene.flags(gate, marks), marks.margin))
    found = _counted(scene.pairs, plain, stats)
    return found if triples is None else [*found, *_counted(triples, relative, stats)]


class _Seen(NamedTuple):
    """Places of the pairs that a gate leaves out or calls bad: few, so that they are quickly counted by any key."""

    gate: str
    left_out: IntArray
    worse: IntArray
    better: IntArray
    margin: float

    @classmethod
    def of(cls, gate: str, flags: Flags, margin: float) -> Self:
        left_out, worse, better = (np.flatnonzero(each) for each in (~flags.among, flags.worse, flags.better))
        return cls(gate, left_out, worse, better, margin)


def _counted(pairs: pl.DataFrame, seen: Sequence[_Seen], stats: Stats) -> list[Segment]:
    found: list[Segment] = []
    for key in stats.segments if seen else ():
        groups = Groups(pairs.select(_KEYS[key]).to_series())
        if groups.sizes.size > 1:  # a part that is the whole says nothing new
            found += itertools.chain(*(_large(key, groups, each, stats.segment_min_pairs) for each in seen))
    return found


def _large(key: str, groups: Groups, seen: _Seen, least: int) -> list[Segment]:
    """The groups with a name and enough pairs that one gate looks at."""
    pairs = groups.sizes - groups.counts(seen.left_out)
    large = np.flatnonzero(pairs[: groups.named] >= least)
    numbers = [each[large] for each in (pairs, groups.counts(seen.worse), groups.counts(seen.better))]
    log_e = log_e_fail(numbers[1], numbers[2], numbers[0], seen.margin)
    columns = (each.tolist() for each in (*numbers, log_e))
    return [
        Segment(seen.gate, f"{key}={word}", pairs, worse, better, seen.margin, log_e)
        for word, pairs, worse, better, log_e in zip(groups.words[large], *columns, strict=True)
    ]


def _finding(segment: Segment, scene: Scene) -> Finding:
    gate, name, pairs, worse, better, margin, _ = segment
    low, high = (
        100.0 * float(np.asarray(bound(worse, better, pairs, alpha=scene.bar.alpha)))
        for bound in (lower_bound, upper_bound)
    )
    numbers: dict[str, Any] = {"pairs": pairs, "candidate_only": worse, "control_only": better}
    return Finding(
        gate=gate,
        operation=scene.operation,
        outcome=Outcome.FAIL,
        blocking=True,
        interval=Interval(estimate=100.0 * segment.excess, low=low, high=high, level=1.0 - scene.bar.alpha),
        limit=100.0 * margin,
        unit="pp",
        counts=numbers,
        reason=(
            f"{gate} fails in {name}: at least {amount(low, 'pp', signed=True)} against control, limit "
            f"{amount(100.0 * margin, 'pp', signed=True)}; candidate alone {worse:,}, control alone {better:,} of "
            f"{count(pairs, 'pair')}"
        ),
        segment=name,
    )
