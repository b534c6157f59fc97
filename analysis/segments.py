"""Parts of the pairs that may veto: a language, a length of text or a voice in which the candidate is worse.

A segment never needs a pass of its own. It fails only on its own evidence, Holm-corrected over all gates and segments
of an operation, so that looking into many corners finds nothing that is not there (verdicts.md 2.3 E).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from analysis.evalues import log_e_fail, lower_bound, proof_at, upper_bound
from analysis.findings import Evaluated
from analysis.gates import Gate, PairedAny, PairedBand, PairedExceed
from analysis.marks import Marks, condition_marks, is_relative, marks_of
from analysis.scene import Scene
from analysis.thresholds import Stats
from analysis.units import amount, count
from harness.judgement import Finding, Interval, Outcome

__all__ = ["SEGMENT_CLAIMS", "Segment", "Segmented", "judge_segments"]

# All segments of an operation together may fail wrongly as often as this many claims on all of its pairs.
SEGMENT_CLAIMS: Final = 3

_FLAGS: Final = r"^(pairs|worse|better)_\d+$"
_SHORT_CHARS, _LONG_CHARS = 60, 200  # a remark, a sentence or two, a paragraph
_KEYS: Final[Mapping[str, pl.Expr]] = {
    "language": pl.col("language").fill_null("auto"),
    "length": pl.when(pl.col("text_chars") <= _SHORT_CHARS)
    .then(pl.lit("short"))
    .when(pl.col("text_chars") <= _LONG_CHARS)
    .then(pl.lit("medium"))
    .otherwise(pl.lit("long")),
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

    @property
    def excess(self) -> float:
        """How much more often the candidate is bad; a share."""
        return (self.worse - self.better) / self.pairs

    @property
    def log_e(self) -> float:
        """Evidence that the margin is broken here."""
        return float(log_e_fail(self.worse, self.better, self.pairs, self.margin))


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
    plain: dict[str, Marks] = {}
    relative: dict[str, Marks] = {}
    for name, gate in gates.items():
        if triples is not None and isinstance(gate, PairedExceed | PairedBand | PairedAny) and is_relative(gate):
            ours, noise = condition_marks(gate, None), condition_marks(gate, None, candidate="repeat")
            relative[name] = Marks(ours.candidate, noise.candidate, ours.among & noise.among, ours.margin)
        elif (marks := marks_of(gate, scene.earliest)) is not None:
            plain[name] = marks
    found = _counted(scene.pairs, plain, stats)
    return found if triples is None else [*found, *_counted(triples, relative, stats)]


def _counted(pairs: pl.DataFrame, marks: Mapping[str, Marks], stats: Stats) -> list[Segment]:
    if not marks or not stats.segments:
        return []
    flags = [expression for number, each in enumerate(marks.values()) for expression in _flags(number, each)]
    # Flags first and sums of plain columns then: an expression inside a group-by is worked out group by group.
    flagged = pairs.lazy().select(*(_key(key, pairs, stats).alias(key) for key in stats.segments), *flags)
    finest = flagged.group_by(stats.segments).agg(pl.col(_FLAGS).sum()).collect()
    found = []
    for key in stats.segments:
        if finest[key].n_unique() < 2:
            continue  # a part that is the whole says nothing new
        totals = finest.group_by(key).agg(pl.col(_FLAGS).sum()).filter(pl.col(key).is_not_null())
        for number, (gate, each) in enumerate(marks.items()):
            columns = [key, f"pairs_{number}", f"worse_{number}", f"better_{number}"]
            large = totals.select(columns).filter(pl.col(columns[1]) >= stats.segment_min_pairs)
            found += [
                Segment(gate, f"{key}={value}", int(pairs), int(worse), int(better), each.margin)
                for value, pairs, worse, better in large.iter_rows()
            ]
    return found


def _key(key: str, pairs: pl.DataFrame, stats: Stats) -> pl.Expr:
    """The segment a pair is in, null where it is too small to have a say; keeps the groups few."""
    if key != "voice":
        return _KEYS[key]
    sizes = pairs["voice_id"].value_counts().filter(pl.col("count") >= stats.segment_min_pairs)
    return pl.when(pl.col("voice_id").is_in(sizes["voice_id"].to_list())).then(pl.col("voice_id"))


def _flags(number: int, marks: Marks) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    among = marks.among.fill_null(value=False)
    candidate, control = marks.candidate.fill_null(value=True), marks.control.fill_null(value=True)
    return (
        among.alias(f"pairs_{number}"),
        (among & candidate & ~control).alias(f"worse_{number}"),
        (among & control & ~candidate).alias(f"better_{number}"),
    )


def _finding(segment: Segment, scene: Scene) -> Finding:
    gate, name, pairs, worse, better, margin = segment
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
