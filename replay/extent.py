"""What a plan comes to, counted in one pass over its captures: legs, characters, and the most it can cost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.capturing.consent import consent_problem
from harness.exchanges import Lane
from harness.providers.base import Provider
from harness.speech import billed_chars
from replay.plan import ReplayPlan
from replay.warming import WARMED, warm_up_captures

__all__ = ["Extent", "extent_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The figures of a plan."""

    captures: int
    billed_chars: int
    operations: Mapping[str, int]
    legs: Mapping[Lane, int]
    skipped: Mapping[Lane, int]  # of the legs, those refused before anything is sent: no consent, or unsupported
    worst_microusd: Mapping[Lane, int | None]  # of one attempt of every leg; None when a price is unknown


def extent_of(plan: ReplayPlan, providers: Mapping[Lane, Provider], *, now: datetime) -> Extent:
    """Count what `plan` would send, its warm-up included in the cost.

    Args:
        plan: What would be sent.
        providers: Lane → who would get it.
        now: Against which consent expires.
    """
    chars, operations, legs, skipped = 0, Counter[str](), Counter[Lane](), Counter[Lane]()
    worst: dict[Lane, int | None] = dict.fromkeys(Lane, 0)
    for entry in plan.entries():
        request = entry.capture.request
        if entry.legs[0].repetition == 0:
            chars += billed_chars(request.spoken_text)
            operations[request.operation.value] += 1
        for leg in entry.legs:
            target = plan.targets[leg.lane]
            unwilling = consent_problem(entry.capture, provider=target.provider, region=target.region, now=now)
            bound = 0 if unwilling else providers[leg.lane].worst_microusd(request)
            legs[leg.lane] += 1
            skipped[leg.lane] += bound == 0
            worst[leg.lane] = _sum(worst[leg.lane], bound)
    for capture in warm_up_captures(plan.captures, plan.warm_up):
        for lane in WARMED:
            worst[lane] = _sum(worst[lane], providers[lane].worst_microusd(capture.request))
    return Extent(
        captures=operations.total(),
        billed_chars=chars,
        operations=operations,
        legs=legs,
        skipped=+skipped,
        worst_microusd=worst,
    )


def _sum(total: int | None, microusd: int | None) -> int | None:
    return None if total is None or microusd is None else total + microusd
