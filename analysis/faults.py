"""Why evidence cannot be judged at all: books that do not balance, lanes that do not pair, strangers in one sample."""

import itertools
from collections.abc import Sequence

import polars as pl

from analysis.evidence import Evidence, RunFacts
from analysis.samples import Sample
from analysis.units import count
from harness.exchanges import Lane

__all__ = ["failure_of_ours", "fault_of", "incomplete"]


def fault_of(evidence: Evidence) -> str | None:
    """Why nothing of these runs can be judged; None when their books balance."""
    for run in evidence.runs:
        if run.status != "complete" or run.planned != run.rows:
            return (
                f"run {run.run_id} is {run.status}: {run.planned:,} legs planned, {run.rows:,} have an outcome; "
                "the replay's own command goes on with it"
            )
        if run.strays:
            return (
                f"run {run.run_id}: clocks disagree, {count(run.strays, 'leg')} sent outside the run's own time or "
                "timed below zero; set the clock by NTP and replay"
            )
    ledger = evidence.ledger
    for lane in (Lane.CONTROL, Lane.CANDIDATE):
        legs = int(ledger.filter(pl.col("lane") == lane.value)["exchanges"].sum())
        if legs != evidence.pairs.height:
            return f"{legs:,} {lane} legs make {count(evidence.pairs.height, 'pair')}; every capture needs both lanes"
    return _strangers(evidence.runs)


def incomplete(sample: Sample, least: float) -> str | None:
    """Why this operation cannot be judged although the ledger balances: unequal gaps would look like quality.

    Args:
        sample: Of one operation.
        least: Share of the captures sent that must have been answered in both lanes.
    """
    if sample.completeness is None or sample.completeness >= least:
        return None
    sent = sample.planned - sample.unsent
    return (
        f"{sent - sample.unanswered:,} of {count(sent, 'capture')} sent have a final outcome in both lanes "
        f"({100 * sample.completeness:.1f} %), at least {100 * least:g} % must; find out why the others have none"
    )


def failure_of_ours(error: Exception) -> str:
    """The reason of whatever the judge could not judge because of a mistake of its own."""
    first_line = next(iter(str(error).splitlines()), "")
    return f"the judge itself failed ({type(error).__name__}: {first_line}); the log has the rest, please report it"


def _strangers(runs: Sequence[RunFacts]) -> str | None:
    """Two runs that met different models at the same place: their pairs do not add up to one sample."""
    for earlier, later in itertools.pairwise(runs):
        for place in sorted({" ".join(model.split()[:2]) for model in earlier.models}):
            before = {model for model in earlier.models if model.startswith(f"{place} ")}
            after = {model for model in later.models if model.startswith(f"{place} ")}
            if before and after and not before & after:
                return (
                    f"runs {earlier.run_id} and {later.run_id} met different models "
                    f"({', '.join(sorted(before))}; {', '.join(sorted(after))}); judge them apart"
                )
    return None
