from dataclasses import replace
from datetime import timedelta

import pytest

from analysis.faults import failure_of_ours, fault_of, incomplete
from analysis.samples import take_sample
from analysis.thresholds import Stats
from harness.speech import Operation
from tests.builders import NOON
from tests.frames import a_run_fact, mostly, some_evidence, some_pairs


def test_books_that_balance_are_no_fault() -> None:
    assert fault_of(some_evidence(some_pairs(20))) is None


@pytest.mark.parametrize(
    ("planned", "rows", "status"), [(42, 40, "interrupted"), (41, 40, "complete")], ids=["interrupted", "unbalanced"]
)
def test_a_run_whose_legs_do_not_add_up_is_named(planned: int, rows: int, status: str) -> None:
    run = a_run_fact(planned=planned, rows=rows, status=status)

    assert f"run run-1 is {status}: {planned} legs planned, 40 have" in str(
        fault_of(some_evidence(some_pairs(20), runs=(run,)))
    )


def test_a_leg_without_a_partner_is_a_fault() -> None:
    evidence = some_evidence(some_pairs(20))

    assert str(fault_of(replace(evidence, pairs=evidence.pairs.head(19)))).startswith("20 control legs make 19 pairs")


def test_other_models_at_the_same_place_are_strangers() -> None:
    runs = (
        a_run_fact(planned=20),
        a_run_fact("run-2", planned=20, models=frozenset({"candidate generate qwen/new@here"})),
    )

    assert "met different models" in str(fault_of(some_evidence(some_pairs(20), runs=runs)))


@pytest.mark.parametrize(("lost", "is_incomplete"), [(0, False), (2, False), (3, True)])
def test_an_operation_is_incomplete_below_its_share(lost: int, is_incomplete: bool) -> None:
    pairs = some_pairs(100, candidate={"outcome": mostly("ok", 100, internal=lost)})
    sample = take_sample(pairs, Operation.GENERATE, Stats(), as_of=NOON + timedelta(hours=1))

    assert (incomplete(sample, 0.98) is not None) is is_incomplete


def test_our_own_failure_is_one_line_that_names_it() -> None:
    assert failure_of_ours(ZeroDivisionError("no\npairs")).startswith(
        "the judge itself failed (ZeroDivisionError: no);"
    )


def test_a_leg_sent_outside_its_run_shows_that_clocks_disagree() -> None:
    run = a_run_fact(planned=40, strays=3)

    fault = fault_of(some_evidence(some_pairs(20), runs=(run,)))

    assert str(fault).startswith("run run-1: clocks disagree, 3 legs sent outside the run's own time")
