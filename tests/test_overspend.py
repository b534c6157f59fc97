"""No cap is ever passed, by the meter of the stand-in that sends the bill: not by one run, not by two at once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from harness.capture import capture_to_json
from harness.config import Settings
from harness.providers.pricing import PriceList
from harness.store.journal import read_journal
from harness.store.ledger import Ledger
from harness.store.runs import list_runs
from tests.builders import a_capture, a_request
from tests.standins import cutover, meter, running_standins

CAPTURES = 300
QWEN_CAP_USD = 0.06  # of about 0.20 that everything would cost at either process
# Refused unbilled, broken after it was billed, refused, failed inside: every second call of speech goes wrong.
FAULTS = ("rate-quota", "reset-after", "internal-error", "cut")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with running_standins(tmp_path, "--time-scale", "0.004") as found:
        yield found | {
            "CUTOVER_REPLAY__CONCURRENCY": "256",
            "CUTOVER_QWEN__MAX_ATTEMPTS": "2",
            "CUTOVER_MODAL__DEADLINE_S": "30",
        }


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    path = tmp_path / "captures.jsonl"
    text = "The quick brown fox jumps over the lazy dog, number {}, again."
    lines = [capture_to_json(a_capture(f"c{n}", request=a_request(text.format(n)))) for n in range(CAPTURES)]
    path.write_text("\n".join(lines) + "\n")
    return path


def break_every_second_call(environment: dict[str, str]) -> None:
    # An entry lets pass what it is told to skip, counted while it waits its turn: one more each, and calls alternate.
    script = {
        "faults": [
            {"fault": FAULTS[number % len(FAULTS)], "path": "*/generation", "skip": number + 1}
            for number in range(4 * CAPTURES)
        ]
    }
    url = environment["CUTOVER_QWEN__BASE_URL"] + "/_standin/faults"
    with urlopen(Request(url, data=json.dumps(script).encode(), method="POST")) as reply:
        assert reply.status < 300


def billed_microusd(environment: dict[str, str]) -> int:
    """What the stand-in's bill comes to at our prices."""
    prices = PriceList.load(Settings().prices)
    bill = meter(environment, "qwen")["billed"]
    amounts = [
        prices.microusd("qwen", "ap-southeast-1", item, unit, units)
        for item, counted in bill.items()
        for unit, units in counted.items()
    ]
    return sum(amount for amount in amounts if amount is not None)


def a_replay(captures: Path, environment: dict[str, str], *, seed: int, budget: str) -> list[str]:
    arguments = ["replay", str(captures), "--repeat-share", "0", "--seed", str(seed)]
    confirm = json.loads(cutover([*arguments, "--json"], environment).stdout)["confirm"]
    return [*arguments, "--live", "--budget", budget, "--budget-for", "qwen=0.05", "--confirm", confirm, "--json"]


def test_a_run_at_256_ways_with_half_the_calls_failing_stays_below_its_cap(
    environment: dict[str, str], captures: Path
) -> None:
    break_every_second_call(environment)

    result = cutover(a_replay(captures, environment, seed=1, budget="100"), environment)

    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    outcomes = summary["lanes"]["candidate"]["outcomes"]
    assert sum(outcomes.values()) == CAPTURES
    assert outcomes["budget"] > 0
    assert f"{outcomes['budget']} legs had no room in a budget" in result.stderr
    assert len(set(outcomes) - {"ok", "budget"}) >= 2
    assert 0.025e6 < billed_microusd(environment) <= summary["spent_usd"]["qwen"] * 1e6 <= 0.05e6


def test_two_runs_at_once_stay_below_the_day_s_cap_together(environment: dict[str, str], captures: Path) -> None:
    environment["CUTOVER_QWEN__BUDGET_USD_PER_DAY"] = str(QWEN_CAP_USD)
    break_every_second_call(environment)
    commands = [a_replay(captures, environment, seed=seed, budget="100") for seed in (1, 2)]

    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    ended = [(process.communicate(timeout=120), process.returncode) for process in processes]

    assert [status for _, status in ended] == [0, 0], ended
    ledgers = [Ledger.of(read_journal(run.journal).records) for run in list_runs(Path(environment["CUTOVER_HOME"]))]
    spent = [ledger.spent_microusd("qwen") for ledger in ledgers]
    assert billed_microusd(environment) <= sum(spent) <= QWEN_CAP_USD * 1e6
    assert sum(spent) > QWEN_CAP_USD * 1e6 * 0.9
    assert all(ledger.outcomes()["candidate"]["budget"] for ledger in ledgers)
    assert all(row["detail"] for ledger in ledgers for row in ledger.results.values() if row["outcome"] == "budget")
