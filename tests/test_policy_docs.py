"""docs/policy.md states rules with numbers: each is compared with the file or the rule it comes from."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from analysis.gates import (
    ClusterMean,
    Gate,
    PairedAny,
    PairedBand,
    PairedBinary,
    PairedExceed,
    PairedTail,
    RatioOfTotals,
)
from analysis.order import ORDER_RULES
from analysis.shares import fewest_for
from analysis.thresholds import MAX_BLOCKING_GATES, Thresholds
from harness.config import PROJECT
from harness.rollout import requirements
from harness.rollout.evidence import Drill
from harness.rollout.retirement import STEPS
from harness.rollout.stage import NEXT, Stage
from harness.speech import Operation
from harness.store.balance import HELD_BACK_SHARE
from tests.harness.rollout.a_rollout import NOON
from tests.harness.rollout.test_retirement import flags, left, rollouts

PAGE = (PROJECT / "docs" / "policy.md").read_text()
WORDS = " ".join(PAGE.split())  # as they read, wherever a line ends
THRESHOLDS = Thresholds.load(PROJECT / "data" / "thresholds.toml")


def demanded(gate: Gate) -> str:
    """What a gate demands, in the words of the page."""
    return "; ".join(_demands(gate))


def _demands(gate: Gate) -> Iterator[str]:
    match gate:
        case PairedBinary():
            if gate.margin_pp is not None:
                yield f"at most {gate.margin_pp:g} pp more {gate.counts.replace('_', ' ')} than control"
            if gate.abs_max_pct is not None:
                yield f"at most {gate.abs_max_pct:g} %"
        case PairedTail():
            yield f"p{100 * gate.quantile:g} of {gate.feature} at most {gate.ratio_max:g} times control's"
        case PairedExceed() | PairedAny() | PairedBand():
            what = gate.feature if isinstance(gate, PairedExceed | PairedBand) else "any defect"
            yield f"{what}: at most {gate.margin_pp:g} pp more beyond the limit than control"
        case RatioOfTotals():
            if gate.ratio_max is not None:
                yield f"at most {gate.ratio_max:g} times control's"
            if gate.abs_max_usd is not None:
                yield f"at most ${gate.abs_max_usd:g} a {'1,000 characters' if gate.per == '1k_chars' else 'request'}"
        case ClusterMean():
            yield f"mean {gate.feature} at most {gate.margin:g} above control's own repeat, {gate.min_clusters} voices"
        case _:
            yield f"no voice with more than {100 * gate.fail_share:g} % of its requests failing"


def gate_rows() -> list[str]:
    return [
        f"| {name} | {', '.join(gate.operations) if len(gate.operations) < len(Operation) else 'all'} | "
        f"{demanded(gate)} | {'blocks' if gate.blocking else 'advises'} |"
        for name, gate in THRESHOLDS.gates.items()
    ]


def stage_rows() -> list[str]:
    stays = requirements._STAYS  # the table has no other name, and the page must not tell another story
    return [
        f"| {before.value} → {after.value} | {_hours(stays[before].hours)} | {stays[before].qwen_requests:,} |"
        for before, after in NEXT.items()
        if before is not Stage.SHADOW
    ]


def _hours(hours: int) -> str:
    return f"{hours} h" if hours < 24 * 7 else f"{hours // 24} days"


@pytest.mark.parametrize("row", [*gate_rows(), *stage_rows()])
def test_every_gate_and_every_step_stands_there_with_its_numbers(row: str) -> None:
    assert row in PAGE


def test_no_gate_stands_there_that_is_not_in_the_file() -> None:
    rows = [line for line in PAGE.splitlines() if line.endswith(("| blocks |", "| advises |"))]

    assert rows == gate_rows()


def test_how_much_evidence_is_enough_is_the_files() -> None:
    stats = THRESHOLDS.stats

    for sentence in (
        f"at least {stats.min_pairs} distinct pairs an operation",
        f"{stats.min_voices} voices for clone and design",
        f"sent on {stats.min_days} days",
        f"none older than {stats.max_age_days} days",
        f"at most {stats.voice_cap} of one voice",
        f"{100 * stats.min_pair_completeness:g} % of the captures sent",
        f"wrong pass of {100 * stats.alpha:g} % a gate",
        f"at most {MAX_BLOCKING_GATES} gates an operation may block",
        f"a p99 below {fewest_for(0.99)} pairs",
        f"our own limits held back at most {100 * HELD_BACK_SHARE:g} % of the calls",
    ):
        assert sentence in WORDS


def test_what_a_canary_and_a_farewell_need_is_the_rollouts() -> None:
    for sentence in (
        f"{requirements.MIN_PAIRS} pairs in the epoch",
        f"a rollback drill of the last {requirements.DRILL_AGE // timedelta(hours=1)} h",
        f"{requirements.QUIET_DAYS.days} days at 100 % without a trip",
        f"a load drill on legacy of the last {requirements.LOAD_DRILL_AGE.days} days",
        f"{100 * requirements.MIN_FALLBACK:g} % of fallbacks succeeded",
    ):
        assert sentence in WORDS


# What the page says the command looks at, and how each is missing.
FAREWELL: dict[str, dict[str, object]] = {
    "every operation is at 100 % and running": {"rollouts": rollouts(Stage.C50)},
    f"{requirements.QUIET_DAYS.days} days at 100 % without a trip": {
        "rollouts": rollouts(tripped_at=NOON - requirements.QUIET_DAYS + timedelta(hours=1))
    },
    f"a load drill on legacy of the last {requirements.LOAD_DRILL_AGE.days} days has passed": {
        "load_drill": Drill(at=NOON - requirements.LOAD_DRILL_AGE - timedelta(hours=1), passed=True, detail="")
    },
    "no caller was answered by legacy in those days": {"answered_by_legacy": {Operation.DESIGN: 1}},
    "every voice in use exists at Qwen": {"voices_without_qwen": ("voice-1",)},
    "every flag says qwen, copies nothing to legacy": {"flags": flags(shadow_bp=1)},
}


def conditions(heading: str) -> list[str]:
    """The list that follows a sentence of the page."""
    listed = PAGE.split(heading)[1].split("\n\n")[1]
    return [line.removeprefix("- ") for line in listed.splitlines() if line.startswith("- ")]


def test_the_command_looks_at_each_condition_of_a_farewell_and_at_no_other() -> None:
    listed = conditions("names\nwhat is missing:")

    assert left() == []
    assert len(listed) == len(FAREWELL)
    for said, (condition, missing) in zip(listed, FAREWELL.items(), strict=True):
        assert said.startswith(condition)
        assert left(**missing), condition


def test_what_no_command_looks_at_is_left_to_whoever_approves() -> None:
    consent, verdict = conditions("answers for them:")

    assert consent.startswith("the consent of every voice's owner names Qwen")
    assert f"a go and less than {THRESHOLDS.stats.max_age_days} days old" in verdict
    assert any("--approved-by NAME" in step for step in STEPS)


def test_the_order_of_operations_is_the_one_that_reports_recommend() -> None:
    for number, rule in enumerate(ORDER_RULES, start=1):
        assert f"{number}. {rule[0].upper()}{rule[1:]}." in WORDS
