import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.config import PROJECT
from harness.errors import BudgetExceeded, StoreError
from harness.store.journal import Journal
from harness.store.spending import ALL, DaySpending

TODAY = "2026-11-23"


@pytest.fixture
def day(tmp_path: Path) -> Iterator[DaySpending]:
    spending = DaySpending(tmp_path, owner="here", clock=FakeClock(), caps={ALL: 1_000, "qwen": 600})
    yield spending
    spending.close()


def another(home: Path, clock: FakeClock | None = None, **caps: int) -> DaySpending:
    """What another process under the same home would open."""
    return DaySpending(home, owner="there", clock=clock or FakeClock(), caps=caps)


def day_file(home: Path) -> Path:
    return home / "spending" / f"{TODAY}.jsonl"


def test_what_one_process_has_reserved_another_cannot_take(day: DaySpending, tmp_path: Path) -> None:
    other = another(tmp_path, all=1_000)
    day.reserve("a", provider="qwen", microusd=500)

    with pytest.raises(
        BudgetExceeded, match=r"\$0\.0006 and \$0\.0005 of the day's \$0\.00 for all is left; go on tomor"
    ):
        other.reserve("a", provider="modal", microusd=600)
    day.settle("a", 200)
    other.reserve("a", provider="modal", microusd=600)

    assert day.spent_microusd() == other.spent_microusd() == 800
    assert (day.spent_microusd("qwen"), day.spent_microusd("modal")) == (200, 600)


def test_a_provider_has_a_cap_of_its_own(day: DaySpending) -> None:
    with pytest.raises(BudgetExceeded, match="for qwen is left"):
        day.reserve("a", provider="qwen", microusd=601)

    day.reserve("b", provider="modal", microusd=601)


def test_a_process_that_ended_without_settling_leaves_its_reservation_as_spent(
    day: DaySpending, tmp_path: Path
) -> None:
    day.reserve("a", provider="qwen", microusd=500)
    day.close()

    assert another(tmp_path).spent_microusd() == 500


def test_a_new_day_begins_with_nothing_spent_and_old_calls_are_settled_on_theirs(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC))
    day = another(tmp_path, clock, all=1_000)
    day.reserve("a", provider="qwen", microusd=900)

    clock.advance(2.0)
    day.reserve("b", provider="qwen", microusd=900)
    day.settle("a", 100)

    assert day.spent_microusd() == 900
    assert another(tmp_path).spent_microusd() == 100


def test_a_line_that_a_crash_cut_off_is_cut_out_and_the_file_goes_on(day: DaySpending, tmp_path: Path) -> None:
    day.reserve("a", provider="qwen", microusd=300)
    with day_file(tmp_path).open("ab") as file:
        file.write(b'01234567 ["reserve","x","qwen",9')

    day.reserve("b", provider="modal", microusd=100)

    assert another(tmp_path).spent_microusd() == 400


def test_a_long_file_is_taken_in_by_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.store.spending._CHUNK_BYTES", 100)  # a line or two
    one = another(tmp_path)
    for number in range(50):
        one.reserve(str(number), provider="qwen", microusd=10)
        one.settle(str(number), number)
    one.close()
    with day_file(tmp_path).open("ab") as file:
        file.write(b"0123")  # cut off by a crash

    other = another(tmp_path)

    assert other.spent_microusd() == sum(range(50))
    assert day_file(tmp_path).read_bytes().endswith(b"\n")
    other.close()


def test_every_flipped_bit_stops_the_spending_and_says_what_to_do(day: DaySpending, tmp_path: Path) -> None:
    day.reserve("a", provider="qwen", microusd=300)
    day.settle("a", 100)
    path = day_file(tmp_path)
    whole = path.read_bytes()
    generator = random.Random(1)
    for position in range(len(whole) - 1):  # the last line's end: without it the line counts as cut off
        flipped = bytearray(whole)
        flipped[position] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)

        with pytest.raises(StoreError, match="damaged behind byte .*remove it, and it is built anew"):
            another(tmp_path).spent_microusd()


def test_a_file_that_was_cut_short_under_our_hands_stops_the_spending(day: DaySpending, tmp_path: Path) -> None:
    day.reserve("a", provider="qwen", microusd=300)
    day_file(tmp_path).write_bytes(b"")

    with pytest.raises(StoreError, match="cut short while in use"):
        day.reserve("b", provider="qwen", microusd=1)


def test_a_file_that_is_gone_is_built_anew_from_the_journals(tmp_path: Path) -> None:
    with Journal(tmp_path / "runs" / "r1" / "journal.jsonl") as journal:
        journal.append({"type": "plan"})
        for call, at in (("1", f"{TODAY}T08:00:00"), ("2", f"{TODAY}T09:00:00"), ("3", "2026-11-22T23:59:59")):
            intent = {"type": "intent", "call": call, "provider": "qwen", "worst_microusd": 500, "at": at}
            journal.append(intent)
        journal.append({"type": "settle", "call": "1", "microusd": 120})
        journal.append({"type": "settle", "call": "3", "microusd": 77})

    assert another(tmp_path).spent_microusd("qwen") == 620  # the second was never settled


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "spending").touch()

    with pytest.raises(StoreError, match="cannot be opened"):
        another(tmp_path).spent_microusd()


_GREEDY = """
import random, sys
from pathlib import Path
from harness.clock import FakeClock
from harness.errors import BudgetExceeded
from harness.store.spending import DaySpending
day = DaySpending(Path(sys.argv[1]), owner=sys.argv[2], clock=FakeClock(), caps={"all": 100_000, "qwen": 70_000})
generator, billed = random.Random(sys.argv[2]), 0
print("ready", flush=True)
sys.stdin.readline()
for number in range(300):  # less than all of it: nobody can take everything
    provider = generator.choice(("qwen", "modal"))
    try:
        day.reserve(str(number), provider=provider, microusd=300)
    except BudgetExceeded:
        continue
    cost = generator.choice((0, 150, 300))
    billed += cost
    if cost < 300:
        day.settle(str(number), cost)
print(billed)
"""


def test_processes_that_spend_at_the_same_time_never_pass_the_cap_together(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _GREEDY, str(tmp_path), name],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two", "three")
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()

    billed = [int(process.communicate(timeout=60)[0]) for process in processes]

    spending = another(tmp_path)
    assert 100_000 - 300 < sum(billed) == spending.spent_microusd() <= 100_000
    assert spending.spent_microusd("qwen") <= 70_000
    assert all(billed)
    owners = {json.loads(line[9:])[1].partition(":")[0] for line in day_file(tmp_path).read_text().splitlines()}
    assert owners == {"one", "two", "three"}
