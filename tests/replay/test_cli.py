import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.config import PROJECT
from harness.store.database import open_db
from harness.store.journal import read_journal
from harness.store.ledger import Ledger
from harness.store.runs import list_runs
from tests.canaries import QWEN_KEY
from tests.killed import kill_when
from tests.standins import cutover, meter, running_standins

DEMO = str(PROJECT / "data" / "demo" / "captures.jsonl.zst")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with running_standins(tmp_path, "--time-scale", "0.004") as found:
        yield found


def confirmation(arguments: list[str], environment: dict[str, str]) -> str:
    plan = json.loads(cutover([*arguments, "--json"], environment).stdout)
    return str(plan["confirm"])


def home(environment: dict[str, str]) -> Path:
    return Path(environment["CUTOVER_HOME"])


def billed_by_standins(environment: dict[str, str]) -> dict[str, float]:
    return {
        f"{provider} {unit}": units
        for provider in ("qwen", "modal")
        for unit, units in meter(environment, provider)["total"].items()
    }


def test_a_dry_run_sends_nothing_and_names_the_hash(environment: dict[str, str]) -> None:
    result = cutover(["replay", DEMO, "--limit", "6"], environment)

    assert result.returncode == 0
    assert "6 captures" in result.stdout
    assert "Nothing was sent" in result.stderr
    assert billed_by_standins(environment) == {}
    assert not (home(environment) / "runs").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--live"], "--live needs --budget"),
        (["--live", "--budget", "5"], "--live needs --confirm HASH"),
        (["--live", "--budget", "5", "--confirm", "0123456789ab"], "is not this plan's hash"),
        (["--pace", "quickly"], "--pace: 'quickly' is no pacing; valid are at-once"),
        (
            ["--live", "--budget", "5", "--confirm", "HASH", "--budget-for", "azure=5"],
            "--budget-for azure=5: write it as PROVIDER=USD with one of modal, qwen",
        ),
        (["--label", "night"], "--label night: write it as KEY=VALUE"),
    ],
)
def test_money_is_spent_only_for_a_plan_that_was_seen(options: list[str], sentence: str, tmp_path: Path) -> None:
    offline = {**os.environ, "CUTOVER_HOME": str(tmp_path), "CUTOVER_QWEN__API_KEY": QWEN_KEY}
    offline |= {"CUTOVER_MODAL__BASE_URL": "https://modal.invalid"}

    arguments = ["replay", DEMO, "--limit", "6"]
    if "HASH" in options:
        options = [confirmation(arguments, offline) if word == "HASH" else word for word in options]
    result = cutover([*arguments, *options], offline)

    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_a_live_replay_answers_every_leg_and_its_books_agree_with_the_providers(environment: dict[str, str]) -> None:
    arguments = ["replay", DEMO, "--limit", "15"]
    live = ["--live", "--budget", "50", "--confirm", confirmation(arguments, environment)]

    result = cutover([*arguments, *live, "--json"], environment)

    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["planned"] == summary["final"]
    assert summary["lanes"]["control"]["outcomes"] == summary["lanes"]["candidate"]["outcomes"] == {"ok": 15}
    (run,) = list_runs(home(environment))
    with open_db(run.database) as database:
        rows = database.execute(
            "SELECT provider, sum(cost_usd)::DOUBLE FROM exchanges GROUP BY provider ORDER BY provider"
        ).fetchall()
    ledger = Ledger.of(read_journal(run.journal).records)
    assert dict(rows)["modal"] == pytest.approx(ledger.spent_microusd("modal") / 1e6)
    assert dict(rows)["qwen"] <= ledger.spent_microusd("qwen") / 1e6  # voices made beforehand are on no row
    assert billed_by_standins(environment)["qwen voices"] == sum(
        call["provider"] == "qwen" and call["purpose"] in ("clone", "design") for call in ledger.calls.values()
    )


def test_the_same_command_after_the_end_starts_a_new_run_and_before_it_goes_on(environment: dict[str, str]) -> None:
    arguments = ["replay", DEMO, "--limit", "6"]
    live = ["--live", "--budget", "50", "--confirm", confirmation(arguments, environment)]

    runs = {json.loads(cutover([*arguments, *live, "--json"], environment).stdout)["run"] for _ in range(2)}

    assert len(runs) == 2


def _results(runs: Path) -> int:
    return sum(journal.read_bytes().count(b'"type":"result"') for journal in runs.glob("*/journal.jsonl"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_replay_goes_on_and_pays_for_nothing_twice(
    environment: dict[str, str], number: signal.Signals
) -> None:
    arguments = ["replay", DEMO, "--limit", "60", "--repeat-share", "0", "--pace", "constant:30"]
    command = [*arguments, "--live", "--budget", "50", "--confirm", confirmation(arguments, environment), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    runs = home(environment) / "runs"
    kill_when(process, lambda: _results(runs) >= 20, number=number)
    (journal,) = runs.glob("*/journal.jsonl")

    again = cutover(command, environment)

    assert process.returncode == (130 if number is signal.SIGINT else -number)
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert summary["run"] == journal.parent.name
    assert summary["planned"] == summary["final"] == 120
    lost = sum(row["outcomes"].get("unknown_outcome", 0) for row in summary["lanes"].values())
    assert lost <= (0 if number is signal.SIGINT else 2 * 16)
    ledger = Ledger.of(read_journal(journal).records)
    calls = [(call["leg"], call["purpose"], call["attempt"]) for call in ledger.calls.values()]
    assert len(calls) == len(set(calls))
    assert (
        billed_by_standins(environment)["qwen characters"]
        <= sum(call["purpose"] == "speak" for call in ledger.calls.values() if call["provider"] == "qwen") * 600
    )


def test_voices_are_allowed_for_one_command_and_that_is_another_plan(
    environment: dict[str, str],
) -> None:
    closed = environment | {"CUTOVER_QWEN__ALLOW_VOICE_CREATION": "0"}
    arguments = ["replay", DEMO, "--limit", "9"]

    plain = cutover([*arguments, "--plan", "--json"], closed)
    allowed = cutover([*arguments, "--plan", "--json", "--allow-voice-create"], closed)

    assert [json.loads(result.stdout)["blocked"] > 0 for result in (plain, allowed)] == [True, False]
    assert confirmation(arguments, closed) != confirmation([*arguments, "--allow-voice-create"], closed)
    assert billed_by_standins(environment) == {}
