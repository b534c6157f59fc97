import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import UsageError
from harness.flags.flagset import FlagSet
from harness.gateway.voice_book import VoiceBook, voice_book_path
from harness.rollout.places import state_folder
from harness.rollout.stage import Stage
from harness.rollout.state_file import StateFile
from harness.rollout_desk import Desk
from harness.speech import Operation, VoiceKind
from tests.builders import a_voice
from tests.harness.rollout.a_rollout import a_rollout
from tests.harness.rollout.judged import a_judged_run
from tests.standins import cutover, running_standins

FLAGS = 'schema = 1\nsalt = "t-1"\n' + "".join(f'[{each}]\nmode = "qwen"\n' for each in Operation)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "flags.toml").write_text(FLAGS)
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CUTOVER_FLAGS__FILE", str(tmp_path / "flags.toml"))
    return tmp_path / "home"


def put_at(home: Path, stage: Stage) -> None:
    state = StateFile(state_folder(home), clock=FakeClock())
    asyncio.run(state.change(lambda _: a_rollout(stage), operations=tuple(Operation), who="test", why="test"))


def test_the_effective_share_is_the_smaller_of_flag_and_rollout_and_none_when_killed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_at(home, Stage.C5)

    before = Desk.open().row(Operation.GENERATE)
    monkeypatch.setenv("CUTOVER_KILL", "1")
    after = Desk.open().row(Operation.GENERATE)

    assert (before["share_bp"], after["share_bp"]) == (500, 0)


def test_flags_that_cannot_be_used_mean_legacy_and_say_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_at(home, Stage.C5)
    monkeypatch.setenv("CUTOVER_FLAGS__FILE", str(home / "none.toml"))

    row = Desk.open().row(Operation.GENERATE)

    assert row["share_bp"] == 0
    assert "none.toml" in row["reason"]


def test_two_epochs_with_one_head_are_told_apart(home: Path) -> None:
    a_judged_run(home, captures=2, epoch="abc1")
    a_judged_run(home, captures=2, epoch="abc2", day=1)
    desk = Desk.open()

    assert desk.whole_epoch("abc1") == "abc1"
    assert desk.whole_epoch("new") == "new"
    with pytest.raises(UsageError, match="2 evidence epochs"):
        desk.whole_epoch("abc")


def test_voices_that_qwen_cannot_be_asked_about_are_no_voices_it_has(home: Path) -> None:
    put_at(home, Stage.FULL)
    VoiceBook(voice_book_path(home), FakeClock()).add("hmac:a", a_voice(VoiceKind.CLONE), None)
    desk = replace(Desk.open(), flags=FlagSet.all_legacy("gone"))

    said = [each.what for each in desk.dependencies()]

    assert any("1 voices" in line or "voice voice-anna" in line for line in said)
    assert any("flags cannot be read" in line for line in said)


def test_a_drill_on_stand_ins_and_a_gateway_of_its_own_passes(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CUTOVER_")}

    result = cutover(["rollout", "drill", "--local", "--who", "anna"], {**clean, "CUTOVER_HOME": str(tmp_path)})

    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed: on stand-ins: 20 requests after the switch" in result.stdout
    line = (tmp_path / "rollout" / "drills.jsonl").read_text().split(" ", 2)[2]
    assert json.loads(line)["passed"] is True
    assert not (tmp_path / "KILL").exists()


def test_a_drill_on_a_gateway_that_serves_at_1_percent_finds_a_caller_of_that_share(home: Path) -> None:
    put_at(home, Stage.C1)
    with running_standins(home, "--time-scale", "0.02") as environment:
        environment["CUTOVER_FLAGS__FILE"] = os.environ["CUTOVER_FLAGS__FILE"]
        serve = [sys.executable, "-m", "harness.cli", "serve", "--port", "0", "--admin-port", "0", "--json"]
        with subprocess.Popen(
            serve, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as gateway:
            assert gateway.stdout
            url = json.loads(gateway.stdout.readline())["base_url"]
            result = cutover(["rollout", "drill", "--url", url], environment)
            gateway.terminate()

    assert result.returncode == 0, result.stdout + result.stderr
    assert "none by Qwen" in result.stdout
    assert "[[key]]" not in (home / "gateway" / "callers.toml").read_text()
