from dataclasses import replace
from pathlib import Path

import pytest

from analysis.evidence import AT_ONCE
from analysis.gates import Gate, PairedBinary, PairedExceed, PairedTail
from analysis.judge import judge
from analysis.load import counting, held_back, is_paced, load_fault
from harness.judgement import Outcome
from replay.pacing import AtOnce, Constant
from tests.frames import a_run_fact, a_scene, some_evidence, some_noise, some_pairs, thresholds_of

P95 = PairedTail(kind="paired_tail", feature="from_due_s", quantile=0.95, ratio_max=1.1)
GATES: dict[str, Gate] = {
    "load": P95,
    "speed": PairedTail(kind="paired_tail", feature="service_s", ratio_max=1.1),
    "errors": PairedBinary(kind="paired_binary", margin_pp=1.0),
}


def test_the_run_that_made_most_of_its_calls_wait_counts() -> None:
    runs = [a_run_fact(held_back_share=0.02), a_run_fact("run-2", held_back_share=0.4)]

    assert held_back(runs) == 0.4
    assert held_back([]) == 0.0


def test_the_word_for_no_schedule_is_the_one_that_replays_write() -> None:
    assert repr(AtOnce()) == AT_ONCE
    assert repr(Constant(rate_hz=2.0)) != AT_ONCE


@pytest.mark.parametrize(
    ("pacings", "paced"),
    [
        pytest.param(["Constant(rate_hz=2.0)", None], True, id="a schedule, or an old run that does not say"),
        pytest.param(["Constant(rate_hz=2.0)", "AtOnce()"], False, id="one without is enough"),
    ],
)
def test_runs_are_paced_when_none_was_sent_as_fast_as_it_went(pacings: list[str | None], paced: bool) -> None:
    assert is_paced([a_run_fact(pacing=pacing) for pacing in pacings]) is paced


@pytest.mark.parametrize(
    ("gate", "share", "counts"),
    [
        pytest.param(P95, 0.010, True, id="one in a hundred is punctual"),
        pytest.param(P95, 0.011, False, id="more is not, whatever the quantile"),
        pytest.param(P95.model_copy(update={"quantile": 0.999}), 0.002, False, id="fewer decide a higher quantile"),
        pytest.param(
            PairedExceed(kind="paired_exceed", feature="from_due_s", above=9.0, margin_pp=0.5),
            0.006,
            False,
            id="fewer decide a narrow margin",
        ),
        pytest.param(GATES["speed"], 1.0, True, id="time from sending is never ours"),
    ],
)
def test_a_gate_about_load_counts_while_what_we_held_back_cannot_decide_it(
    gate: Gate, share: float, counts: bool
) -> None:
    assert (load_fault(gate, replace(a_scene(), held_back_share=share)) is None) is counts


def test_the_gates_that_count_are_all_but_those_about_load() -> None:
    scene = replace(a_scene(), is_paced=False)

    assert list(counting(GATES, a_scene())) == ["load", "speed", "errors"]
    assert list(counting(GATES, scene)) == ["speed", "errors"]
    assert "replay with --pace" in str(load_fault(P95, scene))


def test_what_we_held_back_vetoes_nothing_and_moves_no_ruler(tmp_path: Path) -> None:
    rules = thresholds_of(tmp_path, '[gate.load]\nkind = "paired_tail"\nfeature = "from_due_s"\nratio_max = 1.1\n')
    late = [9.0 if index % 4 == 0 else 1.0 for index in range(400)]
    languages = ["ja" if index % 4 == 0 else "en" for index in range(400)]
    pairs = some_pairs(control={"from_due_s": 1.0}, candidate={"from_due_s": late}, language=languages)
    noise = some_noise(400, repeat={"from_due_s": late}).with_columns(control_from_due_s=1.0)
    paced, at_once = (
        judge(some_evidence(pairs, noise=noise, runs=(a_run_fact(planned=800, pacing=pacing),)), rules)
        for pacing in ("Constant(rate_hz=2.0)", AT_ONCE)
    )

    assert "the ruler moved" in paced.overall.reason
    (finding,) = at_once.overall.findings
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert at_once.details[0].self_test.fault is None
    assert at_once.details[0].worst_pairs == ()
