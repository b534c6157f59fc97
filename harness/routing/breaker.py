"""Open and close the path to a provider by its recent failures.

Decides only whether a call may go out; where it goes instead is the router's business. Everything here is a value and
a function of time; breakers.py keeps the values.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from harness.errors import KINDS, ErrorKind
from harness.routing.cusum import CusumRule

__all__ = ["LEGACY_RULES", "BreakerRules", "BreakerState", "Permit", "Phase", "ask_permit", "observe", "release"]

# Another call cannot help before a person does something.
_HOPELESS: Final = frozenset({ErrorKind.AUTH, ErrorKind.QUOTA, ErrorKind.BILLING})


class Phase(StrEnum):
    """Whether calls go out."""

    CLOSED = "closed"  # all of them
    OPEN = "open"  # none
    HALF_OPEN = "half-open"  # one at a time, to see


# The reasons for these and all other numbers of the live path stand in data/rollout.toml.
_ERRORS: Final = CusumRule(p0=0.01, p1=0.08, h=9.0)
_SLOW: Final = CusumRule(p0=0.05, p1=0.20, h=9.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens and how it closes again.

    Streak or sum together see 100 % of errors in 3 calls, 10 % in 53 and 5 % in about 170, and open wrongly less than
    once in 200,000 calls at 1 % (`python -m tests.benchmarks.triggers`).
    """

    consecutive: int = 3  # hard errors in a row
    errors: CusumRule = _ERRORS
    slow: CusumRule = _SLOW
    open_s: tuple[float, ...] = (30.0, 60.0, 120.0, 300.0)  # the next one each time, while it keeps opening
    good_probes: int = 2  # in a row, to close
    probe_timeout_s: float = 180.0  # a probe without outcome by then is taken for lost
    calm_s: float = 900.0  # closed for this long, the next opening is a first one again


# Nothing stands behind legacy, so refusing is worse than failing: its breaker opens only when next to nothing gets
# through, and looks again soon.
LEGACY_RULES: Final = BreakerRules(
    consecutive=20,
    errors=CusumRule(p0=0.30, p1=0.90, h=15.0),  # 14 failures in a row, or nine of ten for some thirty calls
    slow=CusumRule(p0=0.50, p1=0.95, h=15.0),
    open_s=(5.0, 10.0, 20.0, 30.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """All that a breaker remembers; times are of the caller's monotonic clock."""

    phase: Phase = Phase.CLOSED
    generation: int = 0  # rises with every phase and probe: an outcome of an older call changes nothing
    streak: int = 0
    error_sum: float = 0.0
    slow_sum: float = 0.0
    openings: int = 0  # without a calm in between
    changed_at_s: float = -1e9
    probing_since_s: float | None = None
    good_probes: int = 0
    reason: str = ""  # why it opened last


class Permit(NamedTuple):
    """Leave to send one call; hand it back with the outcome."""

    generation: int
    probe: bool  # the one call that decides whether the breaker closes


class Asked(NamedTuple):
    """The answer to `ask_permit`."""

    state: BreakerState
    permit: Permit | None  # None: not now


def ask_permit(state: BreakerState, now_s: float, rules: BreakerRules) -> Asked:
    """Ask for one call. While half-open only one permit is out at a time, and it is a probe."""
    if state.phase is Phase.CLOSED:
        return Asked(state, Permit(state.generation, probe=False))
    if state.phase is Phase.OPEN and now_s - state.changed_at_s < open_for_s(state, rules):
        return Asked(state, None)
    since_s = state.probing_since_s
    if since_s is not None and now_s - since_s < rules.probe_timeout_s:
        return Asked(state, None)
    probing = replace(state, phase=Phase.HALF_OPEN, generation=state.generation + 1, probing_since_s=now_s)
    return Asked(probing, Permit(probing.generation, probe=True))


def open_for_s(state: BreakerState, rules: BreakerRules) -> float:
    """How long the breaker stays open this time."""
    return rules.open_s[min(max(state.openings, 1), len(rules.open_s)) - 1]


def release(state: BreakerState, permit: Permit) -> BreakerState:
    """Take back a permit whose call never went out, or said nothing about the provider."""
    if permit.probe and permit.generation == state.generation:
        return replace(state, probing_since_s=None)
    return state


def observe(
    state: BreakerState, permit: Permit, kind: ErrorKind | None, *, slow: bool | None, now_s: float, rules: BreakerRules
) -> BreakerState:
    """The state after a call that was permitted.

    Args:
        state: The state now.
        permit: What `ask_permit` gave for the call.
        kind: Why it failed; None for speech.
        slow: Whether it took longer than it should; None where nobody knows.
        now_s: The time.
        rules: When to open.
    """
    if permit.generation != state.generation:
        return state
    if kind in _HOPELESS:
        return _open(state, f"{kind}: {KINDS[kind].meaning}", now_s, rules)
    if kind is not None and not KINDS[kind].blames_provider:
        return release(state, permit)
    if permit.probe:
        return _after_probe(state, kind, slow=slow, now_s=now_s, rules=rules)
    return _count(state, kind, slow=slow, now_s=now_s, rules=rules)


def _after_probe(
    state: BreakerState, kind: ErrorKind | None, *, slow: bool | None, now_s: float, rules: BreakerRules
) -> BreakerState:
    if kind is not None or slow:
        return _open(state, f"probe failed: {kind or 'slow'}", now_s, rules)
    if state.good_probes + 1 < rules.good_probes:
        return replace(state, good_probes=state.good_probes + 1, probing_since_s=None)
    return BreakerState(
        generation=state.generation + 1, openings=state.openings, changed_at_s=now_s, reason=state.reason
    )


def _count(
    state: BreakerState, kind: ErrorKind | None, *, slow: bool | None, now_s: float, rules: BreakerRules
) -> BreakerState:
    bad = kind is not None
    streak = state.streak + 1 if bad else 0
    error_sum = rules.errors.after(state.error_sum, bad=bad)
    slow_sum = state.slow_sum if slow is None else rules.slow.after(state.slow_sum, bad=slow)
    if streak >= rules.consecutive:
        return _open(state, f"{streak} hard errors in a row, the last one {kind}", now_s, rules)
    if rules.errors.trips(error_sum):
        return _open(state, f"errors well above {rules.errors.p0:.0%}, the last one {kind}", now_s, rules)
    if rules.slow.trips(slow_sum):
        return _open(state, f"slow calls well above {rules.slow.p0:.0%}", now_s, rules)
    if (streak, error_sum, slow_sum) == (state.streak, state.error_sum, state.slow_sum):
        return state
    return replace(state, streak=streak, error_sum=error_sum, slow_sum=slow_sum)


def _open(state: BreakerState, reason: str, now_s: float, rules: BreakerRules) -> BreakerState:
    calm = state.phase is Phase.CLOSED and now_s - state.changed_at_s >= rules.calm_s
    return BreakerState(
        phase=Phase.OPEN,
        generation=state.generation + 1,
        openings=1 if calm else state.openings + 1,
        changed_at_s=now_s,
        reason=reason,
    )
