from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.run_argument import run_named
from tests.replayed import a_live_run, a_replayed_run

REPLAY, LIVE = "20261122T120000Z-bbbbbb", "20261123T120000Z-cccccc"


def test_what_could_have_been_meant_is_said_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replay = a_replayed_run(tmp_path, run_id=REPLAY, captures=2)
    a_live_run(tmp_path, run_id=LIVE)

    found = run_named(tmp_path, "latest")

    said = capsys.readouterr()
    assert found == replay
    assert said.out == ""
    assert said.err == f"latest is {REPLAY}; {LIVE} is newer and live: give its id to choose it\n"


def test_a_choice_that_could_not_be_another_is_worth_no_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = a_replayed_run(tmp_path, run_id=REPLAY, captures=2)

    assert run_named(tmp_path, REPLAY) == replay
    assert capsys.readouterr().err == ""


def test_kind_and_seal_are_asked_for(tmp_path: Path) -> None:
    a_replayed_run(tmp_path, run_id=REPLAY, captures=2)
    live = a_live_run(tmp_path, run_id=LIVE, kind="canary", sealed=False)

    assert run_named(tmp_path, "latest", kind="canary", sealed=False) == live
    with pytest.raises(UsageError, match=f"run {LIVE} is not sealed yet"):
        run_named(tmp_path, "latest", kind="canary")
