"""Which pairs count as evidence, and whether they are enough.

Distinct captures, answered in both lanes, young enough, spoken by voices as they are now, not too many of one voice;
everything left out is counted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from analysis.groups import Groups
from analysis.pairs import answered, is_sent
from analysis.thresholds import Stats
from analysis.units import count
from harness.speech import Operation

__all__ = ["Sample", "Shortfall", "shortfall", "take_sample"]

_VOICED: Final = (Operation.CLONE, Operation.DESIGN)  # their quality is the voice's: many voices, few pairs of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The pairs of one operation that count, and what was left out on the way: the numbers add up."""

    operation: Operation
    pairs: pl.DataFrame  # the evidence
    planned: int  # pairs of legs = unsent + unanswered + too_old + enrolled_anew + repeated + over_voice_cap + pairs
    unsent: int  # neither lane sent anything
    unanswered: int  # sent, without a final outcome of the provider's in both lanes
    too_old: int
    enrolled_anew: int  # spoken by a voice that the candidate was given anew since
    repeated: int  # the same capture again: no new evidence (verdicts.md 2.3 J)
    over_voice_cap: int
    voices: int
    days: int  # UTC dates on which they were sent

    @property
    def completeness(self) -> float | None:
        """Share of the captures sent at all that were answered in both lanes; None when none was sent."""
        sent = self.planned - self.unsent
        return 1.0 - self.unanswered / sent if sent else None


class Shortfall(NamedTuple):
    """What a sample lacks before any gate may pass."""

    why: str
    pairs: int  # at least this many more
    further: str  # what else: "2 more days"; empty when only pairs are missing
    days: int = 0  # at least this many more


def take_sample(pairs: pl.DataFrame, operation: Operation, stats: Stats, *, as_of: datetime) -> Sample:
    """The evidence of one operation.

    Args:
        pairs: Of all operations and runs, in any order.
        operation: The one wanted.
        stats: Age limit and cap for each voice.
        as_of: The end of the newest run, which age is counted back from.
    """
    planned = pairs.lazy().filter(pl.col("operation") == operation.value)
    sent_at = pl.coalesce("candidate_sent_at", "control_sent_at")
    is_complete = answered("control") & answered("candidate")
    is_young = (sent_at >= as_of - timedelta(days=stats.max_age_days)).fill_null(value=True)
    asked = (pl.len().alias("asked"), (is_sent("control") | is_sent("candidate")).sum().alias("sent"))
    planned_pairs, sent, complete = planned.select(*asked, is_complete.sum().alias("complete")).collect().row(0)
    young = planned.filter(is_complete & is_young).with_columns(sent_at=sent_at).collect()
    current = _as_enrolled_now(young)
    distinct = _first_of_each_capture(current)
    capped = _up_to_each_voice(distinct, stats.voice_cap) if operation in _VOICED else distinct
    return Sample(
        operation=operation,
        pairs=capped,
        planned=planned_pairs,
        unsent=planned_pairs - sent,
        unanswered=sent - complete,
        too_old=complete - young.height,
        enrolled_anew=young.height - current.height,
        repeated=current.height - distinct.height,
        over_voice_cap=distinct.height - capped.height,
        voices=Groups(capped["voice_id"]).named,
        days=capped["sent_at"].dt.date().drop_nulls().n_unique(),
    )


def _as_enrolled_now(pairs: pl.DataFrame) -> pl.DataFrame:
    """Without what a voice said before it was enrolled anew: another voice by the same name proves nothing of this one.

    The enrolment that spoke last counts. A failure may name none, so it belongs to the one of its time.
    """
    named = pairs.select("voice_id", "candidate_voice", "sent_at").drop_nulls()
    if Groups(named["voice_id"]).determine(Groups(named["candidate_voice"])):
        return pairs
    used = named.group_by("voice_id", "candidate_voice").agg(
        began=pl.col("sent_at").min(), ended=pl.col("sent_at").max()
    )
    newest = used.sort("ended", "candidate_voice").group_by("voice_id").agg(pl.col("candidate_voice", "began").last())
    joined = pairs.join(newest.rename({"candidate_voice": "newest"}), on="voice_id", how="left", maintain_order="left")
    is_newest = (pl.col("candidate_voice") == pl.col("newest")).fill_null(pl.col("sent_at") >= pl.col("began"))
    return joined.filter(pl.col("newest").is_null() | is_newest).drop("newest", "began")


def _first_of_each_capture(pairs: pl.DataFrame) -> pl.DataFrame:
    if pairs["capture_id"].hash().n_unique() == pairs.height:  # hashes that differ are of words that do
        return pairs
    in_order = pairs.sort("sent_at", "run_id", "capture_id", "repetition", nulls_last=True)
    return in_order.unique("capture_id", keep="first", maintain_order=True)


def _up_to_each_voice(pairs: pl.DataFrame, most: int) -> pl.DataFrame:
    """The earliest pairs of each voice: chosen by time, never by result."""
    if Groups(pairs["voice_id"]).sizes.max(initial=0) <= most:
        return pairs
    in_order = pairs.sort("sent_at", "capture_id", nulls_last=True)
    return in_order.filter(pl.int_range(pl.len()).over("voice_id") < most)


def shortfall(sample: Sample, stats: Stats) -> Shortfall | None:
    """What is missing before a pass may be believed; None when the sample is large and varied enough."""
    pairs = sample.pairs.height
    lacks: list[tuple[int, str, str]] = []  # how many, of what, why
    if sample.operation in _VOICED and sample.voices < stats.min_voices:
        why = f"{count(sample.voices, 'voice')} of at least {stats.min_voices}"
        lacks.append((stats.min_voices - sample.voices, "more voice", why))
    if sample.days < stats.min_days:
        why = f"sent on {count(sample.days, 'day')} of at least {stats.min_days}"
        lacks.append((stats.min_days - sample.days, "more day", why))
    whys = [why for _, _, why in lacks]
    missing = max(0, stats.min_pairs - pairs)
    if missing:
        whys.insert(0, f"{count(pairs, 'pair')} of at least {stats.min_pairs:,}")
    if not whys:
        return None
    further = " and ".join(count(number, noun) for number, noun, _ in lacks)
    return Shortfall(", ".join(whys), missing, further, max(0, stats.min_days - sample.days))
