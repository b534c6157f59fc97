import subprocess
import sys
from pathlib import Path

import pytest

from analysis.workers import Answer, WorkerPool, cores
from harness.errors import HarnessError

ACT = "tests.analysis.hazards:act"


def test_every_item_gets_one_answer_whatever_others_do_to_their_process(tmp_path: Path) -> None:
    good = [f"word {number}" for number in range(40)]
    hazards = ["segfault", "exit 3", f"segfault-once {tmp_path / 'mark'}"]
    items = [*good[:5], hazards[0], *good[5:20], *hazards[1:], *good[20:]]

    answers = list(WorkerPool(ACT, processes=2, deadline_s=30.0).run(items))

    assert sorted(answer.item for answer in answers) == sorted(items)
    given_up = {answer.item: answer.given_up for answer in answers if answer.given_up}
    assert given_up == {"segfault": "crashed (signal 11)", "exit 3": "crashed (exit status 3)"}
    assert all(answer.value == answer.item.upper() for answer in answers if not answer.given_up)


def test_a_worker_that_never_returns_is_ended_and_others_go_on() -> None:
    answers = list(WorkerPool(ACT, processes=1, deadline_s=1.0).run(["one", "hang", "two"]))

    assert sorted(answers) == sorted(
        [Answer("one", "ONE", None), Answer("two", "TWO", None), Answer("hang", None, "took longer than 1 s")]
    )


def test_a_few_items_are_shared_among_the_workers() -> None:
    pool = WorkerPool("tests.analysis.hazards:name_process", processes=2, deadline_s=30.0)

    answers = list(pool.run([1, 2, 3, 4]))

    assert len({answer.value for answer in answers}) == 2


def test_nothing_to_do_starts_nothing() -> None:
    assert list(WorkerPool("no.such.module:function", processes=2, deadline_s=1.0).run([])) == []


def test_a_function_that_cannot_be_imported_ends_the_run_with_a_word() -> None:
    with pytest.raises(HarnessError, match="does not start"):
        list(WorkerPool("no.such.module:function", processes=1, deadline_s=1.0).run(["one"]))


def test_what_a_decoder_prints_does_not_reach_the_terminal() -> None:
    script = (
        "from analysis.workers import WorkerPool\n"
        "if __name__ == '__main__':\n"
        f"    print(list(WorkerPool({ACT!r}, processes=1, deadline_s=9.0).run(['complain'])))\n"
    )

    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True)

    assert done.stdout == "[Answer(item='complain', value='COMPLAIN', given_up=None)]\n"
    assert done.stderr == ""


def test_workers_end_when_the_caller_stops_listening() -> None:
    pool = WorkerPool(ACT, processes=2, deadline_s=30.0)
    answers = pool.run([f"word {number}" for number in range(100)])

    first = next(answers)
    answers.close()  # type: ignore[attr-defined]  # a generator, as every function that yields

    assert first.given_up is None
    assert list(answers) == []


def test_a_machine_has_at_least_one_core() -> None:
    assert cores() >= 1
