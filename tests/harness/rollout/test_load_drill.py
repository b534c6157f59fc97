from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.errors import ErrorKind, UsageError
from harness.exchanges import Exchange, Lane
from harness.rollout.load_drill import busiest_minute, judge_load
from harness.speech import Operation
from harness.store.runs import Run
from tests.builders import NOON, an_exchange
from tests.harness.rollout.a_rollout import an_outcome
from tests.replayed import Answer, a_replayed_run


def every(seconds: float, *, failing: int = 0) -> Answer:
    """Requests one after the other; of every hundred at legacy so many fail."""

    def answer(number: int, lane: Lane, exchange: Exchange) -> Exchange:
        sent_at = NOON + timedelta(seconds=seconds * number)
        if lane is Lane.CONTROL and number % 100 < failing:
            exchange = replace(exchange, result=an_exchange(failed=ErrorKind.OVERLOADED).result)
        return replace(exchange, timing=replace(exchange.timing, sent_at=sent_at, service_s=1.0))

    return answer


def test_a_replay_at_the_load_that_was_answered_is_a_drill_passed_when_it_ended(tmp_path: Path) -> None:
    run = a_replayed_run(tmp_path, captures=120, answer=every(1.0))

    drill = judge_load(run, per_minute=60)

    assert drill.passed, drill.detail
    assert drill.at == NOON + timedelta(seconds=119 + 1)
    assert "of 60 needed, 100.00% answered, p95 1.0 s" in drill.detail


def test_too_small_a_load_proves_nothing(tmp_path: Path) -> None:
    run = a_replayed_run(tmp_path, captures=20, answer=every(10.0))

    drill = judge_load(run, per_minute=60)

    assert not drill.passed
    assert "of 60 needed" in drill.detail


@pytest.mark.parametrize(("failing", "passed"), [(0, True), (1, False)])
def test_legacy_must_have_answered_nearly_all(tmp_path: Path, failing: int, passed: bool) -> None:
    run = a_replayed_run(tmp_path, captures=100, answer=every(0.1, failing=failing))

    assert judge_load(run, per_minute=10).passed is passed


def test_without_a_known_load_somebody_has_to_say_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--per-minute"):
        judge_load(a_replayed_run(tmp_path, captures=2), per_minute=0)


def test_a_run_that_is_not_sealed_is_told_so(tmp_path: Path) -> None:
    run = Run(tmp_path / "runs" / "r1")

    with pytest.raises(UsageError, match="runs seal r1"):
        judge_load(run, per_minute=1)


def test_a_run_without_a_call_to_legacy_is_none(tmp_path: Path) -> None:
    run = a_replayed_run(tmp_path, captures=4, lost=9)

    with pytest.raises(UsageError, match="nothing was sent to legacy"):
        judge_load(run, per_minute=1)


def test_the_busiest_minute_is_of_all_operations_and_counts_a_caller_once() -> None:
    outcomes = [
        an_outcome(600.0, operation=Operation.GENERATE),
        an_outcome(601.0, operation=Operation.CLONE),
        an_outcome(602.0, kind=ErrorKind.OVERLOADED, caller_failed=False),
        an_outcome(603.0, lane=Lane.CONTROL, caller_failed=False),  # the same caller, answered by legacy
        an_outcome(700.0, operation=Operation.GENERATE),
    ]

    assert busiest_minute(outcomes) == 3
    assert busiest_minute([]) == 0
