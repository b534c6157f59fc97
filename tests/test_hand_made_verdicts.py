"""Each outcome of `cutover verdict` on a run made by hand, sealed on disk and judged by the command itself."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analysis.verdict_cli import verdict
from harness.errors import ErrorKind
from harness.exchanges import Cost, Exchange, Failure, Lane
from tests.replayed import Answer, a_replayed_run

RULES = """
schema = 1
[stats]
min_pairs = 30
min_days = 1
[gate.errors]
kind = "paired_binary"
margin_pp = 25.0
[gate.cost]
kind = "ratio_of_totals"
per = "request"
ratio_max = 1.0
[gate.duration]
kind = "paired_exceed"
feature = "duration_s"
below = 1.0
margin_pp = 25.0
"""


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Replay by hand, judge by the command: the exit status and the JSON."""
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))
    monkeypatch.setenv("CUTOVER_THRESHOLDS", str(tmp_path / "thresholds.toml"))

    def run(rules: str = RULES, **how: Any) -> tuple[int, dict[str, Any]]:
        (tmp_path / "thresholds.toml").write_text(rules)
        a_replayed_run(tmp_path, **how)
        result = CliRunner().invoke(verdict, ["--json"], catch_exceptions=False)
        return result.exit_code, json.loads(result.stdout)

    return run


def failing(kind: ErrorKind, lane: Lane, *, every: int) -> Answer:
    def answer(number: int, asked: Lane, exchange: Exchange) -> Exchange:
        if asked is not lane or number % every:
            return exchange
        return replace(exchange, result=Failure(kind=kind, code=None, detail="by hand"))

    return answer


def unpriced(number: int, lane: Lane, exchange: Exchange) -> Exchange:
    return replace(exchange, cost=Cost(microusd=None, basis="no price")) if number == 1 else exchange


def sent_tomorrow(number: int, lane: Lane, exchange: Exchange) -> Exchange:
    timing = exchange.timing
    return replace(exchange, timing=replace(timing, sent_at=timing.sent_at + timedelta(days=1)))


def another_ruler(number: int, lane: Lane, exchange: Exchange) -> Exchange:
    if lane is not Lane.REPEAT:
        return exchange
    return replace(exchange, result=Failure(kind=ErrorKind.OVERLOADED, code="503", detail="by hand"))


def test_equal_providers_are_a_go(judged: Callable[..., Any]) -> None:
    status, view = judged()

    assert (status, view["decision"]) == (0, "go")


def test_a_failing_candidate_is_a_no_go(judged: Callable[..., Any]) -> None:
    status, view = judged(captures=200, answer=failing(ErrorKind.OVERLOADED, Lane.CANDIDATE, every=1))

    assert (status, view["deciding"]["gate"]) == (1, "errors")


def test_too_few_pairs_are_inconclusive_with_requests_money_and_nights(judged: Callable[..., Any]) -> None:
    status, view = judged(captures=20)

    forecast = view["operations"][0]["findings"][0]["forecast"]
    assert status == 3
    assert (forecast["pairs_low"], forecast["nights_low"]) == (10, 1)
    assert forecast["usd_low"] > 0.0


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        pytest.param({"lost": 2}, "90 legs planned, 88 have an outcome", id="the ledger does not balance"),
        pytest.param(
            {"answer": failing(ErrorKind.INTERNAL, Lane.CANDIDATE, every=10)},
            "36 of 40 captures sent have a final outcome in both lanes (90.0 %), at least 98 % must",
            id="too few final outcomes",
        ),
        pytest.param({"answer": unpriced}, "exchange is unknown", id="a price is unknown"),
        pytest.param({"answer": sent_tomorrow}, "clocks disagree", id="clocks disagree"),
        pytest.param({"captures": 480, "answer": another_ruler}, "the ruler moved", id="the noise floor moved"),
    ],
)
def test_what_cannot_be_trusted_is_invalid(judged: Callable[..., Any], how: dict[str, Any], reason: str) -> None:
    status, view = judged(**how)

    assert (status, view["decision"]) == (4, "invalid")
    assert reason in view["reason"]


def test_a_judge_that_breaks_is_invalid(judged: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr("analysis.judge.take_sample", breaks)

    status, view = judged()

    assert status == 4
    assert "the judge itself failed (ZeroDivisionError: by hand)" in view["reason"]


@pytest.mark.parametrize(("captures", "says_so"), [(399, True), (400, False)])
def test_a_p99_is_not_judged_below_400_pairs(judged: Callable[..., Any], captures: int, says_so: bool) -> None:
    p99 = '[gate.p99]\nkind = "paired_tail"\nquantile = 0.99\nratio_max = 9.0\n'

    _, view = judged(RULES + p99, captures=captures)

    reasons = {finding["gate"]: finding["reason"] for finding in view["operations"][0]["findings"]}
    assert ("not judged on 399 pairs; needs 1 more pair" in reasons["p99"]) is says_so


def test_limits_that_changed_after_the_result_are_a_new_epoch_that_says_so(judged: Callable[..., Any]) -> None:
    _, before = judged(captures=40)

    (first, second) = (before, judged(RULES.replace("25.0", "24.0"), captures=40, run_id="20261123T120000Z-aaaaab")[1])
    again = CliRunner().invoke(verdict, ["20261123T120000Z-aaaaaa"])

    assert first["evidence_epoch"] != second["evidence_epoch"]
    assert second["earlier_limits"] == []
    assert f"judged by other limits before ({first['thresholds']['sha256'][:12]})" in " ".join(again.stdout.split())
