"""A rollout, evidence that carries any step, and an outcome; a test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.exchanges import Lane
from harness.judgement import Decision, Finding, Interval, Outcome, Verdict
from harness.rollout.evidence import Drill, Evidence, LiveEvidence, SecurityGate, Share
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.stage import Rollout, Stage, Standing
from harness.speech import Operation

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_rollout(stage: Stage = Stage.SHADOW, standing: Standing = Standing.RUNNING, **changes: Any) -> Rollout:
    """Twenty days in its stage at noon."""
    base = Rollout(
        stage=stage,
        standing=standing,
        epoch="e1",
        started_at=NOON - timedelta(days=40),
        since=NOON - timedelta(days=20),
        reason="test",
    )
    return replace(base, **changes)


def a_finding(gate: str = "latency_p95", outcome: Outcome = Outcome.PASS, *, blocking: bool = True) -> Finding:
    return Finding(
        gate=gate,
        operation=Operation.GENERATE,
        outcome=outcome,
        blocking=blocking,
        interval=Interval(estimate=1.0, low=0.9, high=1.05),
        limit=1.1,
        unit="ratio",
        counts={"pairs": 600},
        reason=f"{gate} reads so",
    )


def a_verdict(decision: Decision = Decision.GO, *findings: Finding) -> Verdict:
    return Verdict(
        operation=Operation.GENERATE,
        decision=decision,
        reason=f"it is {decision}",
        findings=findings or (a_finding(),),
    )


def a_gate(*shortfalls: str) -> SecurityGate:
    """A record of the gate that passed, but for these."""
    return SecurityGate(record="gate.json", digest="9" * 64, at=NOON - timedelta(hours=5), shortfalls=shortfalls)


def full_live(**changes: Any) -> LiveEvidence:
    base = LiveEvidence(
        qwen_requests=6_000,
        covers_peak=True,
        fallbacks=Share(part=400, whole=400),
        user_errors_upper=0.004,
        rate_limited=Share(part=10, whole=6_000),
        cost_per_1k_upper_usd=0.0102,
        cost_limit_usd=0.015,
        quota_headroom=2.5,
        verdict=a_verdict(),
    )
    return replace(base, **changes)


def full_evidence(*, live: LiveEvidence | None = None, **changes: Any) -> Evidence:
    """Enough for every step at noon."""
    base = Evidence(
        epoch="e1",
        legacy_healthy=True,
        verdict=a_verdict(),
        pairs=3_000,
        completeness=0.995,
        noise_healthy=True,
        rollback_drill=Drill(at=NOON - timedelta(hours=3), passed=True, detail="last Qwen request after 3 ms"),
        load_drill=Drill(at=NOON - timedelta(days=10), passed=True, detail="legacy carried 100 %"),
        security_gate=a_gate(),
        spend_cap_set=True,
        approved_by="anna",
        live=live or full_live(),
        tickets_reviewed_by="ben",
        signed_by="carla",
    )
    return replace(base, **changes)


def an_outcome(at_s: float = 0.0, **changes: Any) -> LiveOutcome:
    """Speech from Qwen that nobody can complain about."""
    base = LiveOutcome(
        at_s=at_s,
        process="worker-1",
        operation=Operation.GENERATE,
        lane=Lane.CANDIDATE,
        slow=False,
        caller_failed=False,
        microusd=900,
        chars=90,
        troubles=(),
    )
    return replace(base, **changes)
