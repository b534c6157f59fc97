import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.clock import FakeClock, SystemClock
from harness.errors import ErrorKind
from harness.rollout.drill_book import DrillBook, DrillKind
from harness.rollout.evidence import Drill
from harness.rollout.places import drills_file, kill_file, spool_folder, state_folder
from harness.rollout.rules import DEFAULT_RULES
from harness.rollout.spool import Spool
from harness.rollout.state_file import StateFile
from harness.rollout_desk import Desk
from tests.harness.rollout.a_rollout import an_outcome
from tests.harness.rollout.judged import a_judged_run
from tests.harness.security.a_gate import a_gate_that_passed
from tests.replayed import a_live_run

EPOCH = "e1" * 32
NOW = SystemClock().now()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CUTOVER_MODAL__BASE_URL", "https://legacy.example")
    monkeypatch.delenv("CUTOVER_KILL", raising=False)
    return tmp_path / "home"


def run(*arguments: str) -> object:
    with pytest.raises(SystemExit) as exit_:
        main(["rollout", *arguments])
    return exit_.value.code


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert run("status", "--json") == 0
    return {row["operation"]: row for row in json.loads(capsys.readouterr().out)["operations"]}


def history(home: Path) -> list[dict[str, Any]]:
    return StateFile(state_folder(home), clock=FakeClock()).history()


def test_a_rollout_begins_in_shadow_and_says_what_it_lacks(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("start", "generate", "--epoch", "e1", "--why", "the night was a go", "--who", "anna") == 0

    found = rows(capsys)
    assert found["generate"]["name"] == "shadow"
    assert found["clone"]["name"] == "not begun"
    assert any("no rollback drill" in line for line in found["generate"]["missing"])
    assert [(change["who"], change["why"]) for change in history(home)] == [("anna", "the night was a go")]


def test_the_head_of_an_epoch_stands_for_all_of_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_judged_run(home, captures=2, epoch=EPOCH)

    assert run("start", "generate", "--epoch", EPOCH[:8], "--why", "go") == 0

    assert rows(capsys)["generate"]["epoch"] == EPOCH


def _ready(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the first step asks for, but for people's words."""

    async def healthy(_: Desk) -> bool:
        return True

    home.mkdir()
    capped = DEFAULT_RULES.read_text().replace("# hour_usd", "hour_usd").replace("# day_usd", "day_usd")
    (home / "rollout.toml").write_text(capped)
    monkeypatch.setenv("CUTOVER_ROLLOUT_RULES", str(home / "rollout.toml"))
    monkeypatch.setattr(Desk, "_legacy_is_healthy", healthy)
    a_judged_run(home, captures=520, epoch=EPOCH)
    drill = Drill(at=NOW - timedelta(minutes=5), passed=True, detail="fine")
    DrillBook(drills_file(home), clock=FakeClock()).add(DrillKind.ROLLBACK, drill, who="anna")
    assert run("start", "generate", "--epoch", EPOCH, "--why", "go") == 0


def test_a_step_without_its_evidence_prints_what_is_missing_and_moves_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ready(home, monkeypatch)

    assert run("promote", "generate", "--approved-by", "anna") == 3

    said = capsys.readouterr().out
    assert "- the security gate was not run; cutover gate run" in said
    assert rows(capsys)["generate"]["name"] == "shadow"


def test_a_step_with_all_its_evidence_is_taken_and_logged_with_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ready(home, monkeypatch)
    a_gate_that_passed(home, ended=NOW - timedelta(minutes=5))

    assert run("promote", "generate", "--approved-by", "anna", "--dry-run") == 0
    assert rows(capsys)["generate"]["name"] == "shadow"
    assert run("promote", "generate", "--approved-by", "anna") == 0

    assert rows(capsys)["generate"]["name"] == "1%"
    evidence = history(home)[-1]["facts"]["evidence"]
    assert evidence["security_gate"]["shortfalls"] == []
    assert (evidence["pairs"], evidence["approved_by"], evidence["epoch"]) == (520, "anna", EPOCH)


def test_a_record_of_the_gate_can_be_named_and_counts_only_if_it_passed(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _ready(home, monkeypatch)
    a_gate_that_passed(home, ended=NOW - timedelta(minutes=5))
    failed = a_gate_that_passed(tmp_path / "other", ended=NOW - timedelta(minutes=1), exit_status=1)

    promote = ("promote", "generate", "--approved-by", "anna", "--dry-run")
    assert run(*promote, "--security-gate", str(failed)) == 3
    assert "- the security gate: it did not pass" in capsys.readouterr().out
    assert run(*promote) == 0


def test_evidence_against_it_holds_it_where_it_is(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ready(home, monkeypatch)
    a_gate_that_passed(home, ended=NOW - timedelta(minutes=5))
    a_judged_run(home, captures=4, epoch=EPOCH, decision="no-go", day=1)

    assert run("promote", "generate", "--approved-by", "anna") == 3  # in shadow nobody is hurt

    assert "it is no-go" in capsys.readouterr().out


def test_holding_resuming_and_rolling_back_are_one_word_each(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("start", "--epoch", "e1", "--why", "go") == 0
    assert run("hold", "generate", "--why", "release on Friday") == 0
    assert rows(capsys)["generate"]["name"] == "shadow held"
    assert run("resume", "generate", "--why", "it is Monday") == 0
    assert rows(capsys)["generate"]["name"] == "shadow"

    assert run("rollback", "--why", "listeners complain") == 0

    assert {row["name"] for row in rows(capsys).values()} == {"rolled back"}
    assert run("start", "--epoch", "e1", "--why", "again") == 2
    assert "was rolled back" in capsys.readouterr().err


def test_the_kill_switch_needs_neither_state_nor_gateway(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kill", "--why", "noise", "--who", "anna") == 0
    assert "anna: noise" in kill_file(home).read_text()

    assert run("unkill") == 0

    assert not kill_file(home).exists()
    assert run("unkill") == 0
    assert "It was not on" in capsys.readouterr().err


def test_a_variable_that_kills_is_not_lifted_by_a_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUTOVER_KILL", "1")

    assert run("unkill") == 1

    assert "CUTOVER_KILL" in capsys.readouterr().err


def test_a_backtest_says_when_the_spool_would_have_tripped(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool = Spool(spool_folder(home))
    for n in range(40):
        kind = ErrorKind.OVERLOADED if n >= 20 else None
        spool.append(an_outcome(NOW.timestamp() - 3_600 + 60 * n, kind=kind, troubles=None))
    spool.close()

    assert run("backtest") == 0
    said = capsys.readouterr().out
    assert "breaker generate candidate opens at call 23" in said
    assert run("backtest", "--json") == 0

    assert json.loads(capsys.readouterr().out)["outcomes"] == 40


def test_a_backtest_of_nothing_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest") == 0

    assert "no trigger would have fired" in capsys.readouterr().out


def test_a_sealed_run_can_be_tried_as_well(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_judged_run(home, captures=10)

    assert run("backtest", "--run", "latest") == 0

    assert "20 outcomes" in capsys.readouterr().out


@pytest.mark.parametrize("command", [("backtest", "--run"), ("drill", "--per-minute", "1", "--load")])
def test_latest_is_no_run_that_the_gateway_writes(
    home: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    a_judged_run(home, captures=10)
    live = a_live_run(home)

    assert run(*command, "latest") == 0

    said = capsys.readouterr()
    assert f"{live.id} is newer and live: give its id to choose it" in said.err
    assert "20 outcomes" in said.out or "of 1 needed" in said.out


def test_a_live_run_is_tried_when_it_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_judged_run(home, captures=10)

    assert run("backtest", "--run", a_live_run(home).id) == 0

    said = capsys.readouterr()
    assert (said.out[:11], said.err) == ("0 outcomes,", "")


def test_what_depends_on_legacy_is_listed_with_the_steps(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("retire", "--check") == 3

    said = capsys.readouterr().out
    assert "- generate: no rollout was begun ->" in said
    assert "- clone: the flag says legacy ->" in said
    assert "1. cutover rollout retire" in said
    assert run("retire", "--check", "--json") == 3
    assert json.loads(capsys.readouterr().out)["steps"]


def test_retiring_while_something_depends_on_legacy_changes_nothing(home: Path) -> None:
    assert run("retire", "--approved-by", "anna") == 3

    assert history(home) == []


def test_a_load_drill_is_a_replay_that_is_judged_and_written_down(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_judged_run(home, captures=10)

    assert run("drill", "--load", "latest") == 2
    assert "--per-minute" in capsys.readouterr().err
    assert run("drill", "--load", "latest", "--per-minute", "100000") == 1
    assert run("drill", "--load", "latest", "--per-minute", "1") == 0

    found = DrillBook(drills_file(home), clock=FakeClock()).last(DrillKind.LOAD)
    assert found is not None
    assert found.passed
    assert "of 1 needed" in found.detail


def test_a_drill_where_nobody_gets_qwen_says_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("start", "generate", "--epoch", "e1", "--why", "go") == 0

    assert run("drill") == 2

    assert "drill --local" in capsys.readouterr().err
    assert not drills_file(home).exists()
