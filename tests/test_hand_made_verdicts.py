"""Each outcome of `cutover verdict` on a run made by hand, sealed on disk and judged by the command itself."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from analysis.verdict_cli import verdict
from harness.errors import ErrorKind
from harness.exchanges import Cost, Exchange, Failure, Lane
from harness.store.journal import Journal
from harness.store.runs import Run
from harness.store.seal import seal
from tests.browsing import a_browser
from tests.builders import NOON
from tests.replayed import Answer, a_replayed_run
from tests.reports import html_of, junit_cases, junit_problems, samples_of

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


def enrolled(time: str) -> Answer:
    """The candidate speaks with voices that it was given at that time."""

    def answer(number: int, lane: Lane, exchange: Exchange) -> Exchange:
        return replace(exchange, voice_id=f"qwen-voice-{number % 40}-{time}") if lane is Lane.CANDIDATE else exchange

    return answer


@pytest.mark.parametrize(
    ("second", "pairs", "left_out"),
    [pytest.param("monday", 80, 0, id="the same voices"), pytest.param("tuesday", 40, 40, id="enrolled anew")],
)
def test_evidence_of_voices_that_were_enrolled_anew_is_not_added_to_theirs(
    tmp_path: Path, judged: Callable[..., Any], second: str, pairs: int, left_out: int
) -> None:
    first = a_replayed_run(tmp_path, answer=enrolled("monday"))
    judged(run_id="20261124T120000Z-bbbbbb", day=1, answer=enrolled(second))

    result = CliRunner().invoke(verdict, [first.id, "20261124T120000Z-bbbbbb", "--json"], catch_exceptions=False)

    sample = json.loads(result.stdout)["operations"][0]["sample"]
    assert (sample["pairs"], sample["enrolled_anew"], sample["planned"]) == (pairs, left_out, 80)


def at_once(home: Path, run_id: str) -> None:
    """The run says that its captures had no schedule."""
    run = Run(home / "runs" / run_id)
    with Journal(run.journal) as journal:
        journal.append({"type": "pacing", "pacing": "AtOnce()", "at": NOON.isoformat()})
        journal.sync()
    seal(run)


def test_time_under_load_does_not_count_in_a_run_that_was_sent_as_fast_as_it_went(
    tmp_path: Path, judged: Callable[..., Any]
) -> None:
    rules = RULES + '[gate.load]\nkind = "paired_tail"\nfeature = "from_due_s"\nquantile = 0.9\nratio_max = 9.0\n'
    before, view = judged(rules, captures=200)
    at_once(tmp_path, view["runs"][0]["run_id"])

    after = CliRunner().invoke(verdict, ["--json"], catch_exceptions=False)

    assert (before, after.exit_code) == (0, 3)
    assert "load is open: a run was sent as fast as our own quota allows" in json.loads(after.stdout)["reason"]


class Chain(NamedTuple):
    """One outcome from a run on disk to every report of it."""

    decision: str
    exit_status: int
    stdout: str
    folder: Path

    def report(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    @property
    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.report("decision.json"))["verdict"]["operations"][0]["findings"]
        return found


# Decision → how its run went, the exit status, and what a JUnit reader sees of it.
OUTCOMES: Mapping[str, tuple[dict[str, Any], int, str | None]] = {
    "go": ({}, 0, None),
    "no-go": ({"captures": 200, "answer": failing(ErrorKind.OVERLOADED, Lane.CANDIDATE, every=1)}, 1, "failure"),
    "inconclusive": ({"captures": 20}, 3, "skipped"),
    "invalid": ({"answer": unpriced}, 4, "error"),
}
REPORTS = {
    "--html": "verdict.html",
    "--junit": "verdict.xml",
    "--openmetrics": "verdict.prom",
    "--comment-file": "verdict.md",
    "--record": "decision.json",
}


@pytest.fixture(scope="module", params=OUTCOMES)
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A hand-made run of one outcome, judged by the command with every report."""
    how, status, _ = OUTCOMES[request.param]
    home = tmp_path_factory.mktemp("home")
    (home / "thresholds.toml").write_text(RULES)
    a_replayed_run(home, **how)
    files = [part for option, name in REPORTS.items() for part in (option, str(home / name))]
    environment = {"CUTOVER_HOME": str(home), "CUTOVER_THRESHOLDS": str(home / "thresholds.toml")}
    result = CliRunner().invoke(verdict, files, env=environment, catch_exceptions=False)
    assert result.exit_code == status
    return Chain(request.param, result.exit_code, result.stdout, home)


class TestTheWholeChain:
    def test_the_terminal_begins_with_the_decision(self, chain: Chain) -> None:
        assert chain.stdout.startswith(f"{chain.decision.upper()}  ")

    def test_junit_keeps_to_its_schema_and_a_library_reads_the_decision(self, chain: Chain) -> None:
        document = chain.report("verdict.xml")

        element, reason = junit_cases(document)["verdict"]["verdict"]
        assert junit_problems(document) == []
        assert element == OUTCOMES[chain.decision][2]
        assert (reason is None) is (chain.decision == "go")

    def test_prometheus_own_parser_reads_one_true_decision(self, chain: Chain) -> None:
        samples = samples_of(chain.report("verdict.prom"))

        true = [dict(labels) for (name, labels), value in samples.items() if name == "cutover_verdict" and value]
        assert {labels["cutover_verdict"] for labels in true if labels["operation"] == "all"} == {chain.decision}
        waiting = {dict(labels)["gate"] for (name, labels) in samples if name == "cutover_gate_needed_pairs"}
        assert waiting == {finding["gate"] for finding in chain.findings if finding["forecast"]}

    def test_a_reader_of_markdown_sees_the_decision_first_and_a_table(self, chain: Chain) -> None:
        html = html_of(chain.report("verdict.md"))

        assert html.startswith(f"<p><strong>{chain.decision.upper()}</strong> ")
        assert html.count("<table>") == 1
        assert html.count("<tr>") == 1 + len(chain.findings)

    @pytest.mark.browser
    def test_a_real_browser_shows_the_page_without_a_complaint_and_asks_nobody(self, chain: Chain) -> None:
        complaints: list[str] = []
        asked: list[str] = []
        with a_browser() as chromium:
            page = chromium.new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            address = (chain.folder / "verdict.html").as_uri()
            page.goto(address)

            heading = page.get_by_role("heading", level=1).inner_text()
            rows = page.locator("table").first.locator("tbody tr").count()

        assert heading == f"{chain.decision.upper()} May we cut over?"
        assert rows == 3
        assert (complaints, asked) == ([], [address])

    def test_the_decision_record_comes_out_the_same_when_it_is_judged_again(self, chain: Chain) -> None:
        arguments = ["--verify", str(chain.folder / "decision.json")]

        result = CliRunner().invoke(verdict, arguments, env={"CUTOVER_HOME": str(chain.folder)}, catch_exceptions=False)

        assert result.exit_code == 0
        assert "every number came out the same" in result.stdout
