"""What speaks for the next step, gathered by others: the judge, the gateway's counters, drills and people.

None always means that nobody looked, and never counts as good.
"""

from dataclasses import dataclass
from datetime import datetime

from harness.judgement import Verdict

__all__ = ["Drill", "Evidence", "LiveEvidence", "SecurityGate", "Share"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A rehearsal: the kill switch was thrown, or legacy took the whole load."""

    at: datetime  # UTC
    passed: bool
    detail: str  # "last Qwen request 3 ms after the switch"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGate:
    """A record of the security gate, held against what runs here."""

    record: str  # its file
    digest: str | None  # None where it could not be read
    at: datetime | None  # UTC, when that run ended
    shortfalls: tuple[str, ...]  # why it does not count; empty when it does


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of how many."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; None of nothing."""
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvidence:
    """What was seen of real callers since the stage began, of this operation."""

    qwen_requests: int  # answered by Qwen
    covers_peak: bool | None  # an hour of the usual peak was among them
    fallbacks: Share | None  # answered by legacy, of those that Qwen failed
    user_errors_upper: float | None  # upper bound (95 %, any time) of the added share of failed callers, 0 to 1
    rate_limited: Share | None  # 429 from Qwen, of calls
    cost_per_1k_upper_usd: float | None  # upper bound, per 1,000 characters; None: a price is unknown
    cost_limit_usd: float | None  # what thresholds.toml allows; None: this operation is not paid by the character
    quota_headroom: float | None  # our quota by the peak load of the next stage
    verdict: Verdict | None  # the same judge and thresholds as of a night, on live exchanges


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the next step of one operation may rest on."""

    epoch: str  # of the figures below; evidence of another epoch proves nothing
    legacy_healthy: bool | None
    verdict: Verdict | None  # on replayed and shadowed pairs of the epoch
    pairs: int  # distinct captures answered in both lanes
    completeness: float | None  # of pairs, 0 to 1
    noise_healthy: bool | None  # legacy against itself reads as it used to: the ruler did not move
    rollback_drill: Drill | None
    load_drill: Drill | None  # legacy under the whole load
    security_gate: SecurityGate | None
    spend_cap_set: bool
    approved_by: str | None
    live: LiveEvidence | None = None
    tickets_reviewed_by: str | None = None
    signed_by: str | None = None  # the decision-maker
