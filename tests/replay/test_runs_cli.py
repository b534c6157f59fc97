import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.clock import FakeClock
from harness.errors import UsageError
from harness.gateway.live_run import LiveRun
from harness.store.runs import Run, audio_store
from replay.runs_cli import runs
from tests.harness.store.test_seal import run  # noqa: F401 - a fixture: a finished run under tmp_path/runs
from tests.replayed import a_live_run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))


def test_a_run_is_listed_with_its_state(run: Run) -> None:  # noqa: F811
    before = json.loads(CliRunner().invoke(runs, ["list", "--json"]).stdout)
    CliRunner().invoke(runs, ["seal"], catch_exceptions=False)
    after = json.loads(CliRunner().invoke(runs, ["list", "--json"]).stdout)

    assert [row["status"] for row in before] == ["not sealed"]
    assert after == [{"run": run.id, "kind": "replay", "status": "complete", "planned": 2, "decision": None}]


def test_people_get_one_line_a_run(run: Run) -> None:  # noqa: F811
    CliRunner().invoke(runs, ["seal", run.id], catch_exceptions=False)

    assert CliRunner().invoke(runs, ["list"]).stdout == f"{run.id}  replay   complete     not judged\n"


def test_without_runs_the_next_command_is_named() -> None:
    result = CliRunner().invoke(runs, ["list"])

    assert (result.stdout, result.stderr) == ("", "No run yet. Next: cutover demo\n")


def test_sealing_builds_the_database_and_names_it(run: Run) -> None:  # noqa: F811
    result = CliRunner().invoke(runs, ["seal", "latest"], catch_exceptions=False)

    assert result.stdout == f"{run.database}\n"
    assert "2 of 2 legs" in result.stderr


@pytest.mark.parametrize("command", ["seal", "verify"])
def test_latest_is_no_run_that_a_gateway_writes(run: Run, tmp_path: Path, command: str) -> None:  # noqa: F811
    CliRunner().invoke(runs, ["seal", run.id], catch_exceptions=False)
    live = a_live_run(tmp_path, sealed=False)

    result = CliRunner().invoke(runs, [command, "latest"], catch_exceptions=False)

    assert result.stderr.endswith(f" {run.id}\n")  # the next command
    assert f"latest is {run.id}; {live.id} is newer and live: give its id to choose it" in result.stderr
    assert not live.database.exists()


def test_a_run_that_is_not_there_is_our_one_sentence(run: Run) -> None:  # noqa: F811
    result = CliRunner().invoke(runs, ["seal", "nonsense"])

    assert isinstance(result.exception, UsageError)


def test_a_whole_run_passes_and_a_flipped_byte_names_its_record(run: Run) -> None:  # noqa: F811
    CliRunner().invoke(runs, ["seal", run.id], catch_exceptions=False)
    lines = run.journal.read_bytes().splitlines(keepends=True)
    harmed = bytearray(b"".join(lines))
    harmed[len(lines[0]) + len(lines[1]) // 2] ^= 1
    before = CliRunner().invoke(runs, ["verify", "--json"])
    run.journal.write_bytes(harmed)

    after = CliRunner().invoke(runs, ["verify", "--json"], standalone_mode=False)

    # The fixture's audio is in no store: everything else about it is whole.
    assert [problem.partition(":")[0] for problem in json.loads(before.stdout)["problems"]] == ["c1/0/control"]
    (problem,) = json.loads(after.stdout)["problems"]
    assert f"record 1 (byte {len(lines[0])}) is damaged" in problem
    assert after.return_value == 4
    assert "Next: cutover runs seal" in after.stderr


def test_files_of_no_run_are_shown_and_deleted_only_when_asked(run: Run, tmp_path: Path) -> None:  # noqa: F811
    orphan = audio_store(tmp_path).path(audio_store(tmp_path).put(b"orphan", "wav"), "wav")
    os.utime(orphan, (0, 0))

    shown = CliRunner().invoke(runs, ["compact"], catch_exceptions=False)
    there = orphan.exists()
    deleted = json.loads(CliRunner().invoke(runs, ["compact", "--delete", "--json"], catch_exceptions=False).stdout)

    assert f"{orphan}  6 bytes  audio of no run" in shown.stdout
    assert "Next: cutover runs compact --delete" in shown.stderr
    assert (there, orphan.exists()) == (True, False)
    assert (deleted["deleted"], deleted["bytes"], len(deleted["files"])) == (True, 6, 1)


def test_old_live_runs_are_shown_and_deleted_only_when_told(tmp_path: Path) -> None:
    live = LiveRun(tmp_path, kind="shadow", plan={}, clock=FakeClock(datetime(2026, 1, 1, tzinfo=UTC)))
    live.close()

    kept = CliRunner().invoke(runs, ["purge", "--older-than", "100000"], catch_exceptions=False)
    shown = CliRunner().invoke(runs, ["purge", "--older-than", "1"], catch_exceptions=False)
    was_there = live.run.path.exists()
    deleted = json.loads(
        CliRunner().invoke(runs, ["purge", "--older-than", "1", "--delete", "--json"], catch_exceptions=False).stdout
    )

    assert kept.stdout == "0 live runs older than 100000 days found.\n"
    assert live.run.id in shown.stdout
    assert "Next: cutover runs purge --delete" in shown.stderr
    assert was_there
    assert (deleted["runs"], live.run.path.exists()) == ([live.run.id], False)
