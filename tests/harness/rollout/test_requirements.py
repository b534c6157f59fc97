from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from harness.judgement import Decision, Outcome, Verdict
from harness.rollout.evidence import Drill, Share
from harness.rollout.requirements import missing
from harness.rollout.stage import NEXT, Stage
from tests.harness.rollout.a_rollout import NOON, a_finding, a_gate, a_rollout, a_verdict, full_evidence, full_live

STEPS = list(NEXT)
LIVE = [Stage.C1, Stage.C5, Stage.C25, Stage.C50]
JUDGED = [Stage.SHADOW, *LIVE]
FROM_5 = [Stage.C5, Stage.C25, Stage.C50]
FROM_25 = [Stage.C25, Stage.C50]
NAN = float("nan")


@pytest.mark.parametrize("stage", STEPS)
def test_full_evidence_carries_every_step(stage: Stage) -> None:
    assert missing(a_rollout(stage), full_evidence(), NOON) == []


def drill(**changes: Any) -> Drill:
    return replace(Drill(at=NOON, passed=True, detail="it did not switch"), **changes)


# What is taken away, the stages that cannot be left without it, and what must be said.
EVIDENCE = [
    ({"epoch": "e0"}, STEPS, "epoch e0"),
    ({"approved_by": None}, STEPS, "approved"),
    ({"approved_by": ""}, STEPS, "approved"),
    ({"legacy_healthy": None}, STEPS, "legacy is not known to be healthy"),
    ({"rollback_drill": None}, STEPS, "no rollback drill"),
    ({"rollback_drill": drill(passed=False)}, STEPS, "failed: it did not switch"),
    ({"rollback_drill": drill(at=NOON - timedelta(hours=24, seconds=1))}, STEPS, "not of the last 24 h"),
    ({"rollback_drill": drill(at=NOON + timedelta(seconds=1))}, STEPS, "not of the last 24 h"),
    ({"security_gate": None}, STEPS, "the security gate was not run; cutover gate run"),
    ({"security_gate": a_gate("it did not pass: S8-05")}, STEPS, "the security gate: it did not pass: S8-05"),
    ({"spend_cap_set": False}, STEPS, "no cap on spending"),
    ({"verdict": None}, JUDGED, "verdict on pairs is missing"),
    ({"verdict": a_verdict(Decision.INCONCLUSIVE)}, JUDGED, "is inconclusive: it is inconclusive"),
    ({"verdict": Verdict(operation=None, decision=Decision.GO, reason="nothing", findings=())}, JUDGED, "nothing"),
    ({"pairs": 499}, JUDGED, "499 distinct pairs of 500"),
    ({"completeness": None}, JUDGED, "an unknown share complete"),
    ({"completeness": 0.9799}, JUDGED, "97.99% complete"),
    ({"completeness": NAN}, JUDGED, "complete"),
    ({"noise_healthy": None}, JUDGED, "legacy against itself"),
    ({"noise_healthy": False}, JUDGED, "legacy against itself"),
    ({"live": None}, LIVE, "nothing is known about live requests"),
    ({"tickets_reviewed_by": None}, [Stage.C50], "tickets"),
    ({"signed_by": None}, [Stage.C50], "sign"),
    ({"load_drill": None}, [Stage.FULL], "no load drill on legacy"),
    ({"load_drill": drill(at=NOON - timedelta(days=32))}, [Stage.FULL], "load drill on legacy is not of the last"),
]

LIVE_EVIDENCE = [
    ({"covers_peak": None}, [Stage.C5], "peak"),
    ({"covers_peak": False}, [Stage.C5], "peak"),
    ({"fallbacks": None}, LIVE, "fallbacks were not counted"),
    ({"fallbacks": Share(part=994, whole=1_000)}, LIVE, "99.40% of fallbacks"),
    ({"verdict": None}, LIVE, "not judged"),
    ({"verdict": a_verdict(Decision.NO_GO)}, LIVE, "is no-go"),
    ({"verdict": a_verdict(Decision.INVALID)}, LIVE, "is invalid"),
    ({"verdict": a_verdict(Decision.INCONCLUSIVE)}, [Stage.C50], "is inconclusive"),
    ({"user_errors_upper": None}, FROM_5, "an unknown share"),
    ({"user_errors_upper": 0.0051}, FROM_5, "0.51%"),
    ({"user_errors_upper": NAN}, FROM_5, "added failures"),
    ({"rate_limited": None}, FROM_5, "rate limited"),
    ({"rate_limited": Share(part=0, whole=0)}, FROM_5, "rate limited"),
    ({"rate_limited": Share(part=11, whole=1_000)}, FROM_5, "1.10% of calls were rate limited"),
    ({"cost_per_1k_upper_usd": None}, FROM_5, "a price is unknown"),
    ({"cost_per_1k_upper_usd": 0.0151}, FROM_5, "may cost $0.0151"),
    ({"cost_per_1k_upper_usd": NAN}, FROM_5, "may cost"),
    ({"quota_headroom": None}, FROM_25, "quota is unknown"),
    ({"quota_headroom": 1.9}, FROM_25, "quota is 1.9x"),
    ({"verdict": a_verdict(Decision.GO, a_finding("error_rate"))}, FROM_25, "no latency gate"),
    ({"verdict": a_verdict(Decision.GO, a_finding(blocking=False))}, FROM_25, "no latency gate"),
    (
        {"verdict": a_verdict(Decision.INCONCLUSIVE, a_finding("ttfa_p95", Outcome.INCONCLUSIVE))},
        FROM_25,
        "live ttfa_p95: ttfa_p95 reads so",
    ),
]


@pytest.mark.parametrize("stage", STEPS)
@pytest.mark.parametrize(("changes", "needed", "words"), EVIDENCE, ids=lambda value: None)
def test_each_piece_of_evidence_is_asked_for_where_it_is_due(
    stage: Stage, changes: dict[str, Any], needed: list[Stage], words: str
) -> None:
    evidence = replace(full_evidence(), **changes)

    said = "; ".join(missing(a_rollout(stage), evidence, NOON))

    if stage in needed:
        assert words in said
    else:
        assert said == ""


@pytest.mark.parametrize("stage", STEPS)
@pytest.mark.parametrize(("changes", "needed", "words"), LIVE_EVIDENCE, ids=lambda value: None)
def test_each_piece_of_live_evidence_is_asked_for_where_it_is_due(
    stage: Stage, changes: dict[str, Any], needed: list[Stage], words: str
) -> None:
    said = "; ".join(missing(a_rollout(stage), full_evidence(live=full_live(**changes)), NOON))

    assert (words in said) == (stage in needed)
    assert (said == "") == (stage not in needed)


@pytest.mark.parametrize(
    ("stage", "hours", "requests"),
    [(Stage.C1, 24, 300), (Stage.C5, 24, 1_000), (Stage.C25, 48, 3_000), (Stage.C50, 72, 6_000)],
)
def test_a_stage_has_to_be_long_and_busy_enough(stage: Stage, hours: int, requests: int) -> None:
    exactly = a_rollout(stage, since=NOON - timedelta(hours=hours))
    early = a_rollout(stage, since=NOON - timedelta(hours=hours) + timedelta(minutes=1))

    def said(rollout: Any, answered: int) -> list[str]:
        return missing(rollout, full_evidence(live=full_live(qwen_requests=answered)), NOON)

    assert said(exactly, requests) == []
    assert [f"of {hours}" in each for each in said(early, requests)] == [True]
    assert said(exactly, requests - 1) == [f"{requests - 1} live requests in this stage of {requests}"]


def test_without_a_single_fallback_the_drill_stands_for_them() -> None:
    evidence = full_evidence(live=full_live(fallbacks=Share(part=0, whole=0)))

    assert missing(a_rollout(Stage.C1), evidence, NOON) == []


def test_what_is_not_paid_by_the_character_needs_no_price_by_it() -> None:
    evidence = full_evidence(live=full_live(cost_per_1k_upper_usd=None, cost_limit_usd=None))

    assert missing(a_rollout(Stage.C5), evidence, NOON) == []


@pytest.mark.parametrize("stage", STEPS)
def test_a_trip_in_this_stage_or_one_that_waits_stands_against_it(stage: Stage) -> None:
    tripped = a_rollout(stage, tripped_at=NOON - timedelta(days=1))
    waiting = a_rollout(stage, pending="errors above 1%")
    before = a_rollout(stage, tripped_at=NOON - timedelta(days=21))

    assert "tripped in this stage" in missing(tripped, full_evidence(), NOON)[0]
    assert "a trip is waiting: errors above 1%" in missing(waiting, full_evidence(), NOON)[0]
    assert missing(before, full_evidence(), NOON) == []


def test_legacy_is_retired_only_after_fourteen_days_at_full_share_and_as_many_quiet_ones() -> None:
    young = a_rollout(Stage.FULL, since=NOON - timedelta(days=14) + timedelta(hours=1))
    tripped = a_rollout(Stage.FULL, since=NOON - timedelta(days=15), tripped_at=NOON - timedelta(days=15, hours=1))
    loud = a_rollout(Stage.FULL, tripped_at=NOON - timedelta(days=13))

    assert "335.0 h in this stage of 336" in missing(young, full_evidence(), NOON)
    assert missing(tripped, full_evidence(), NOON) == []
    assert any("less than 14 days ago" in each for each in missing(loud, full_evidence(), NOON))
