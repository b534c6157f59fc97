from pathlib import Path

from harness.errors import ErrorKind
from harness.exchanges import Exchange, Lane
from harness.judgement import Decision, Outcome
from harness.rollout.run_evidence import epochs_of, judged_runs, noise_is_healthy, pairs_of
from harness.speech import Operation
from harness.store.runs import list_runs
from tests.builders import an_exchange
from tests.harness.rollout.judged import a_judged_run
from tests.replayed import a_replayed_run

GENERATE = Operation.GENERATE
PAIRED = frozenset({"replay", "shadow"})


def test_verdicts_come_back_with_their_findings_the_latest_last(tmp_path: Path) -> None:
    a_judged_run(tmp_path, decision="no-go", epoch="e2", captures=2, day=1)
    a_judged_run(tmp_path, decision="go", epoch="e1", captures=2)

    first, last = judged_runs(reversed(list_runs(tmp_path)), GENERATE, kinds=PAIRED)

    assert (first.verdict.decision, first.epoch) == (Decision.GO, "e1")
    assert (last.verdict.decision, last.epoch) == (Decision.NO_GO, "e2")
    assert [finding.outcome for finding in first.verdict.findings] == [Outcome.PASS]


def test_runs_of_another_kind_or_another_operation_say_nothing(tmp_path: Path) -> None:
    a_judged_run(tmp_path, kind="demo", captures=2)
    a_judged_run(tmp_path, kind="canary", captures=2, day=1)
    runs = list_runs(tmp_path)

    assert judged_runs(runs, GENERATE, kinds=PAIRED) == []
    assert judged_runs(runs, Operation.CLONE, kinds=frozenset({"canary"})) == []
    assert len(judged_runs(runs, GENERATE, kinds=frozenset({"canary"}))) == 1


def test_a_run_that_is_not_sealed_or_damaged_or_not_judged_is_passed_over(tmp_path: Path) -> None:
    unsealed, damaged = a_judged_run(tmp_path, captures=2), a_judged_run(tmp_path, captures=2, day=1)
    unjudged = a_replayed_run(tmp_path, run_id="20261126T120000Z-cccccc", captures=2)
    unsealed.database.unlink()
    damaged.database.chmod(0o600)
    damaged.database.write_bytes(b"no database")

    assert judged_runs([unsealed, damaged, unjudged], GENERATE, kinds=PAIRED) == []
    assert [epochs_of(run) for run in (unsealed, damaged, unjudged)] == [set(), set(), set()]


def test_pairs_are_captures_that_both_lanes_answered(tmp_path: Path) -> None:
    def answer(number: int, lane: Lane, exchange: Exchange) -> Exchange:
        failed = an_exchange(provider=exchange.provider, failed=ErrorKind.OVERLOADED)
        return failed if number == 3 and lane is Lane.CANDIDATE else exchange

    run = a_judged_run(tmp_path, captures=10, answer=answer)

    assert pairs_of([run], GENERATE) == (9, 10)
    assert pairs_of([run], Operation.CLONE) == (0, 0)
    assert pairs_of([], GENERATE) == (0, 0)
    assert epochs_of(run) == {"e1" * 32}


def test_noise_is_healthy_unknown_or_not(tmp_path: Path) -> None:
    def half_fail(number: int, lane: Lane, exchange: Exchange) -> Exchange:
        failed = an_exchange(provider="modal", failed=ErrorKind.OVERLOADED)
        return failed if lane is Lane.REPEAT and number % 8 == 0 else exchange

    healthy = a_replayed_run(tmp_path / "a", captures=160)
    few = a_replayed_run(tmp_path / "b", captures=40)
    flaky = a_replayed_run(tmp_path / "c", captures=160, answer=half_fail)

    assert [noise_is_healthy([run], GENERATE) for run in (healthy, few, flaky)] == [True, None, False]
    assert noise_is_healthy([flaky, healthy, few], GENERATE) is True  # the last one that can tell


def test_the_builder_changes_nothing_but_the_kind(tmp_path: Path) -> None:
    run = a_judged_run(tmp_path, kind="shadow", captures=4)

    assert pairs_of([run], GENERATE) == (4, 4)


def test_the_same_capture_in_two_runs_is_one(tmp_path: Path) -> None:
    run, other = a_judged_run(tmp_path, captures=4), a_judged_run(tmp_path, captures=3, day=1)

    assert pairs_of([run, run], GENERATE) == (4, 4)
    assert pairs_of([run, other], GENERATE) == (7, 7)
