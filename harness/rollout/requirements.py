"""What each step of the rollout asks for; a list of what is missing comes back, in words.

Asks pile up: what a small share had to prove, a larger one proves again. Numbers are those of verdicts.md 3.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from harness.judgement import Decision, Outcome, Verdict
from harness.rollout.evidence import Drill, Evidence, LiveEvidence
from harness.rollout.stage import Rollout, Stage

__all__ = ["MIN_PAIRS", "missing"]

MIN_PAIRS: Final = 500
MIN_COMPLETENESS: Final = 0.98
DRILL_AGE: Final = timedelta(hours=24)
LOAD_DRILL_AGE: Final = timedelta(days=31)
QUIET_DAYS: Final = timedelta(days=14)
MIN_FALLBACK: Final = 0.995
MAX_USER_ERRORS: Final = 0.005
MAX_RATE_LIMITED: Final = 0.01
MIN_HEADROOM: Final = 2.0
TAIL_GATES: Final = ("latency_p95", "ttfa_p95")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stay:
    """How long and how busy a stage must have been before it can be left."""

    hours: int
    qwen_requests: int
    peak: bool = False


_STAYS: Final = MappingProxyType(
    {
        Stage.C1: _Stay(hours=24, qwen_requests=300),
        Stage.C5: _Stay(hours=24, qwen_requests=1_000, peak=True),
        Stage.C25: _Stay(hours=48, qwen_requests=3_000),
        Stage.C50: _Stay(hours=72, qwen_requests=6_000),
        Stage.FULL: _Stay(hours=14 * 24, qwen_requests=0),
    }
)


def missing(rollout: Rollout, evidence: Evidence, now: datetime) -> list[str]:
    """What still speaks against the step out of `rollout.stage`; empty when nothing does."""
    asks = _ASKS[rollout.stage]
    return [shortfall for ask in asks for shortfall in ask(rollout, evidence, now)]


def _same_epoch(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    if evidence.epoch != rollout.epoch:
        yield f"the evidence is of epoch {evidence.epoch}, the rollout is in {rollout.epoch}: gather it anew"


def _approved(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    if not evidence.approved_by:
        yield "nobody approved it by name"


def _no_trip(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    if rollout.pending:
        yield f"a trip is waiting: {rollout.pending}"
    elif rollout.tripped_at is not None and rollout.tripped_at >= rollout.since:
        yield f"it tripped in this stage, at {rollout.tripped_at:%Y-%m-%d %H:%M} UTC"


def _legacy_healthy(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    if not evidence.legacy_healthy:
        yield "legacy is not known to be healthy, and it is what we fall back to"


def _rollback_drill(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    yield from _fresh(evidence.rollback_drill, "rollback drill", DRILL_AGE, now)


def _load_drill(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    yield from _fresh(evidence.load_drill, "load drill on legacy", LOAD_DRILL_AGE, now)


def _fresh(drill: Drill | None, name: str, age: timedelta, now: datetime) -> Iterator[str]:
    if drill is None:
        yield f"no {name} was run"
    elif not drill.passed:
        yield f"the {name} failed: {drill.detail}"
    elif not timedelta() <= now - drill.at <= age:
        yield f"the {name} is not of the last {age / timedelta(hours=1):.0f} h: {drill.at:%Y-%m-%d %H:%M} UTC"


def _shadow_verdict(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    yield from _go(evidence.verdict, "the verdict on pairs")
    if evidence.pairs < MIN_PAIRS:
        yield f"{evidence.pairs} distinct pairs of {MIN_PAIRS}"
    if not _at_least(evidence.completeness, MIN_COMPLETENESS):
        yield f"pairs are {_percent(evidence.completeness)} complete, {MIN_COMPLETENESS:.0%} are needed"
    if not evidence.noise_healthy:
        yield "legacy against itself is not known to read as usual"


def _safety(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    if evidence.security_gate is None:
        yield "the security gate was not run; cutover gate run"
    else:
        yield from (f"the security gate: {shortfall}" for shortfall in evidence.security_gate.shortfalls)
    if not evidence.spend_cap_set:
        yield "no cap on spending is set"


def _stayed(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    stay = _STAYS[rollout.stage]
    hours = (now - rollout.since) / timedelta(hours=1)
    requests = evidence.live.qwen_requests if evidence.live else 0
    if hours < stay.hours:
        yield f"{max(0.0, hours):.1f} h in this stage of {stay.hours}"
    if requests < stay.qwen_requests:
        yield f"{requests} live requests in this stage of {stay.qwen_requests}"
    if stay.peak and not (evidence.live and evidence.live.covers_peak):
        yield "no hour of the usual peak was among them"


def _callers_unharmed(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    live = evidence.live
    if live is None:
        yield "nothing is known about live requests"
        return
    # Without a single fallback the drill, which is asked for as well, stands for all of them.
    share = live.fallbacks.value if live.fallbacks else None
    if live.fallbacks is None:
        yield "fallbacks were not counted"
    elif live.fallbacks.whole and not _at_least(share, MIN_FALLBACK):
        yield f"{_percent(share)} of fallbacks succeeded, {MIN_FALLBACK:.1%} are needed"
    if live.verdict is None:
        yield "live requests were not judged"
    elif live.verdict.decision in (Decision.NO_GO, Decision.INVALID):
        yield f"the verdict on live requests is {live.verdict.decision}: {live.verdict.reason}"


def _affordable(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    live = evidence.live
    if live is None:
        return
    if not _at_most(live.user_errors_upper, MAX_USER_ERRORS):
        yield f"added failures of callers may be {_percent(live.user_errors_upper)}, {MAX_USER_ERRORS:.1%} is the limit"
    limited = live.rate_limited.value if live.rate_limited else None
    if not _at_most(limited, MAX_RATE_LIMITED):
        yield f"{_percent(limited)} of calls were rate limited, {MAX_RATE_LIMITED:.0%} is the limit"
    if live.cost_limit_usd is not None:
        yield from _cost(live.cost_per_1k_upper_usd, live.cost_limit_usd)


def _cost(upper_usd: float | None, limit_usd: float) -> Iterator[str]:
    if upper_usd is None:
        yield "a price is unknown, so the cost is"
    elif not _at_most(upper_usd, limit_usd):
        yield f"1,000 characters may cost ${upper_usd:.4f}, ${limit_usd:.4f} is the limit"


def _room_to_grow(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    live = evidence.live
    if live is None:
        return
    if not _at_least(live.quota_headroom, MIN_HEADROOM):
        has = "unknown" if live.quota_headroom is None else f"{live.quota_headroom:.1f}x"
        yield f"quota is {has} of the next stage's load, {MIN_HEADROOM:g}x is needed"
    yield from _tails_pass(live)


def _tails_pass(live: LiveEvidence) -> Iterator[str]:
    """Every blocking tail gate passes on live requests, and there is one."""
    findings = live.verdict.findings if live.verdict else ()
    tails = [each for each in findings if each.gate in TAIL_GATES and each.blocking]
    if not tails:
        yield "no latency gate judged live requests"
    yield from (f"live {each.gate}: {each.reason}" for each in tails if each.outcome is not Outcome.PASS)


def _all_live_gates(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    if evidence.live:
        yield from _go(evidence.live.verdict, "the verdict on live requests")


def _people_agree(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    if not evidence.tickets_reviewed_by:
        yield "nobody reviewed the support tickets"
    if not evidence.signed_by:
        yield "the decision-maker did not sign"


def _quiet(rollout: Rollout, evidence: Evidence, now: datetime) -> Iterator[str]:
    if rollout.tripped_at is not None and now - rollout.tripped_at < QUIET_DAYS:
        yield f"it tripped less than {QUIET_DAYS.days} days ago"


def _go(verdict: Verdict | None, name: str) -> Iterator[str]:
    if verdict is None:
        yield f"{name} is missing"
    elif verdict.decision is not Decision.GO or not verdict.findings:
        yield f"{name} is {verdict.decision}: {verdict.reason}"


def _at_least(value: float | None, limit: float) -> bool:
    """Whether a known value reaches the limit; `nan`, like None, never does."""
    return value is not None and value >= limit


def _at_most(value: float | None, limit: float) -> bool:
    """Whether a known value keeps the limit; `nan`, like None, never does."""
    return value is not None and value <= limit


def _percent(share: float | None) -> str:
    return "an unknown share" if share is None else f"{share:.2%}"


_Ask = Callable[[Rollout, Evidence, datetime], Iterator[str]]
_ALWAYS: Final[tuple[_Ask, ...]] = (_same_epoch, _approved, _no_trip, _legacy_healthy, _rollback_drill, _safety)
_FROM_1: Final = (*_ALWAYS, _shadow_verdict, _stayed, _callers_unharmed)
_FROM_5: Final = (*_FROM_1, _affordable)
_FROM_25: Final = (*_FROM_5, _room_to_grow)
_FROM_50: Final = (*_FROM_25, _all_live_gates, _people_agree)

_ASKS: Final = MappingProxyType(
    {
        Stage.SHADOW: (*_ALWAYS, _shadow_verdict),
        Stage.C1: _FROM_1,
        Stage.C5: _FROM_5,
        Stage.C25: _FROM_25,
        Stage.C50: _FROM_50,
        # Nothing more is replayed by then: fourteen quiet days and a legacy that still carries the load.
        Stage.FULL: (*_ALWAYS, _stayed, _quiet, _load_drill),
    }
)
