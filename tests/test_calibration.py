"""The calibration bench in short: the same worlds with fewer runs, and a few of them through the whole judge."""

from pathlib import Path

import numpy as np
import pytest

from analysis.judge import judge
from analysis.thresholds import Thresholds
from harness.judgement import Outcome
from tests.benchmarks.calibration import AT_MARGIN, EQUAL, RULES, SECTIONS, engine, ever, nights
from tests.frames import some_evidence, some_pairs, thresholds_of

RUNS = 400


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_promise_holds(section: object) -> None:
    lines = list(section(RUNS, np.random.default_rng(11)))  # type: ignore[operator] # one of the bench's sections

    assert [line for line in lines if not line.holds] == []


def test_other_rules_let_a_bad_candidate_pass_where_ours_does_not() -> None:
    counts = nights(AT_MARGIN, RUNS, np.random.default_rng(12))

    false_go = {name: ever(rule(counts), name) for name, rule in RULES.items() if name != "scipy bootstrap"}

    assert false_go.pop("ours") <= 0.05
    assert min(false_go.values()) > 0.15


def test_the_whole_judge_says_what_the_bench_says_of_the_same_counts(tmp_path: Path) -> None:
    rules = thresholds_of(tmp_path, '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 1.0\n')
    counts = nights(EQUAL, 3, np.random.default_rng(13))
    expected = engine(counts)[:, ::9]

    found = [[_passes(counts[:, run, night].tolist(), rules) for night in range(0, 30, 9)] for run in range(3)]

    assert np.array_equal(np.array(found), expected)
    assert 0 < expected.sum() < expected.size


def _passes(counts: list[int], rules: Thresholds) -> bool:
    worse, better, both, pairs = counts
    rest = pairs - worse - better - both
    candidate = ["overloaded"] * worse + ["ok"] * better + ["overloaded"] * both + ["ok"] * rest
    control = ["ok"] * worse + ["overloaded"] * better + ["overloaded"] * both + ["ok"] * rest
    frame = some_pairs(pairs, candidate={"outcome": candidate}, control={"outcome": control})
    judgement = judge(some_evidence(frame), rules)
    return judgement.overall.findings[0].outcome is Outcome.PASS
