import itertools
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.evidence import Evidence
from analysis.judge import Judgement, judge
from analysis.report import view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from harness.judgement import Decision, Outcome
from harness.speech import Operation
from tests.builders import NOON
from tests.frames import a_run_fact, mostly, some_evidence, some_pairs, thresholds_of, times

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")
PRODUCTION = Thresholds.load(PROJECT / "data" / "thresholds.toml")
COSTS = {"generate": (4_500, 1_000), "clone": (4_500, 10_600), "design": (4_500, 201_000)}
SEVERITY = [Decision.GO, Decision.INCONCLUSIVE, Decision.NO_GO, Decision.INVALID]


def demo_pairs(
    operation: str = "generate", count: int = 400, *, price: float = 1.0, **candidate: object
) -> pl.DataFrame:
    """What the demo's stand-ins give: half of control's time, at the prices of both providers."""
    legacy, offered = COSTS[operation]
    return some_pairs(
        count,
        operation=operation,
        control={"cost_microusd": legacy},
        candidate={"cost_microusd": round(offered * price), **candidate},
    )


def judged(*frames: pl.DataFrame, by: Thresholds = DEMO) -> Judgement:
    return judge(some_evidence(*frames), by)


def all_operations(count: int = 400, *, price: float = 1.0, **candidate: object) -> list[pl.DataFrame]:
    return [demo_pairs(operation, count, price=price, **candidate) for operation in COSTS]


class TestTheDemosWorlds:
    def test_a_fine_candidate_goes(self) -> None:
        judgement = judged(*all_operations(outcome=mostly("ok", 400, overloaded=1)))

        assert judgement.overall.decision is Decision.GO
        assert [verdict.decision for verdict in judgement.verdicts] == [Decision.GO] * 3
        assert judgement.overall.reason == "all 30 blocking gates passed on 1,200 pairs"

    @pytest.mark.parametrize(
        ("candidate", "gate"),
        [
            pytest.param({"outcome": mostly("ok", 400, overloaded=24, timeout_read=20)}, "error_rate", id="flaky"),
            pytest.param(
                {"service_s": [(8 if index % 4 == 0 else 1) * time_s for index, time_s in enumerate(times(400))]},
                "very_slow",
                id="slow",
            ),
            pytest.param(
                {
                    "duration_s": [1.0 if index % 20 == 0 else 3.0 for index in range(400)],
                    "clipped_share": [0.01 if index % 20 == 1 else 0.0 for index in range(400)],
                    "audio_outcome": ["empty_audio" if index % 20 == 2 else "ok" for index in range(400)],
                },
                "bad_audio",
                id="degraded",
            ),
        ],
    )
    def test_a_bad_candidate_does_not_and_the_gate_that_caught_it_is_named_first(
        self, candidate: dict[str, object], gate: str
    ) -> None:
        judgement = judged(*all_operations(**candidate))

        assert judgement.overall.decision is Decision.NO_GO
        assert judgement.overall.findings[0].gate == gate
        assert judgement.overall.reason == f"generate: {judgement.overall.findings[0].reason}"
        assert judgement.overall.reason.startswith(f"generate: {gate} fails: ")

    def test_a_costly_candidate_does_not(self) -> None:
        judgement = judged(*all_operations(price=3.0))

        assert [verdict.decision for verdict in judgement.verdicts] == [Decision.NO_GO] * 3
        assert [verdict.findings[0].gate for verdict in judgement.verdicts] == [
            "cost_per_1k_chars",
            "cost_per_clone",
            "cost_per_design",
        ]

    def test_twenty_captures_are_inconclusive_and_say_how_many_more(self) -> None:
        judgement = judged(*all_operations(7))

        assert judgement.overall.decision is Decision.INCONCLUSIVE
        assert "needs 293 more pairs" in judgement.overall.reason

    def test_production_asks_for_more_than_one_night(self) -> None:
        judgement = judged(*all_operations(400), by=PRODUCTION)

        assert judgement.overall.decision is Decision.INCONCLUSIVE
        assert "more days" in judgement.overall.reason


@pytest.fixture
def rules(tmp_path: Path) -> Thresholds:
    return thresholds_of(
        tmp_path,
        '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 3.0\n'
        '[gate.slow]\nkind = "paired_tail"\nratio_max = 1.1\noperations = ["generate"]\n'
        '[gate.clipping]\nkind = "paired_exceed"\nfeature = "clipped_share"\nabove = 0.001\nmargin_pp = 3.0\n'
        "blocking = false\n",
    )


def test_the_worst_operation_wins(rules: Thresholds) -> None:
    judgement = judged(
        some_pairs(), some_pairs(operation="clone", candidate={"outcome": mostly("ok", 400, tls=60)}), by=rules
    )

    assert [verdict.decision for verdict in judgement.verdicts] == [Decision.GO, Decision.NO_GO]
    assert judgement.overall.decision is Decision.NO_GO
    assert judgement.overall.reason.startswith("clone: errors fails")


def test_an_advisory_gate_never_votes(rules: Thresholds) -> None:
    judgement = judged(some_pairs(candidate={"clipped_share": 0.5}), by=rules)

    assert judgement.overall.decision is Decision.GO
    assert {finding.gate: finding.outcome for finding in judgement.overall.findings}["clipping"] is Outcome.FAIL
    assert judgement.overall.findings[-1].gate == "clipping"


def test_of_several_failed_gates_the_most_certain_is_named_first(rules: Thresholds) -> None:
    slow = [*times(40, median_s=0.5), *times(360, median_s=5.0)]
    candidate = {"outcome": mostly("ok", 400, overloaded=40), "service_s": slow}

    findings = judged(some_pairs(candidate=candidate), by=rules).overall.findings

    assert [(finding.gate, finding.outcome) for finding in findings[:2]] == [
        ("slow", Outcome.FAIL),
        ("errors", Outcome.FAIL),
    ]


def test_an_operation_is_judged_by_its_own_gates(rules: Thresholds) -> None:
    judgement = judged(some_pairs(), some_pairs(operation="design"), by=rules)

    assert [finding.gate for finding in judgement.verdicts[0].findings] == ["errors", "slow", "clipping"]
    assert [finding.gate for finding in judgement.verdicts[1].findings] == ["errors", "clipping"]


def test_an_operation_without_a_blocking_gate_is_never_go(tmp_path: Path) -> None:
    rules = thresholds_of(
        tmp_path, '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 3.0\noperations = ["generate"]\n'
    )

    judgement = judged(some_pairs(), some_pairs(operation="clone"), by=rules)

    assert judgement.overall.decision is Decision.INCONCLUSIVE
    assert judgement.overall.reason == "clone: no blocking gate judges it"


def test_no_request_at_all_is_inconclusive(rules: Thresholds) -> None:
    judgement = judged(by=rules)

    assert (judgement.overall.decision, judgement.overall.reason) == (Decision.INCONCLUSIVE, "no request was replayed")


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pairs_are_inconclusive(rules: Thresholds, count: int) -> None:
    assert judged(some_pairs(count), by=rules).overall.decision is Decision.INCONCLUSIVE


class TestWhatCannotBeTrusted:
    @pytest.mark.parametrize(("lost", "decision"), [(8, Decision.GO), (9, Decision.INVALID)])
    def test_fewer_than_98_percent_answered_in_both_lanes_are_invalid(
        self, rules: Thresholds, lost: int, decision: Decision
    ) -> None:
        judgement = judged(some_pairs(candidate={"outcome": mostly("ok", 400, internal=lost)}), by=rules)

        assert judgement.overall.decision is decision
        if decision is Decision.INVALID:
            assert "391 of 400 captures sent have a final outcome in both lanes (97.8 %)" in judgement.overall.reason
            assert {finding.outcome for finding in judgement.overall.findings} == {Outcome.INVALID}

    def test_an_incomplete_operation_leaves_the_others_their_verdict(self, rules: Thresholds) -> None:
        lost = some_pairs(operation="clone", candidate={"outcome": mostly("ok", 400, internal=50)})

        judgement = judged(some_pairs(), lost, by=rules)

        assert [verdict.decision for verdict in judgement.verdicts] == [Decision.GO, Decision.INVALID]
        assert judgement.overall.decision is Decision.INVALID

    @pytest.mark.parametrize(
        ("run", "reason"),
        [
            pytest.param(
                a_run_fact(planned=802, rows=800, status="interrupted"),
                "run run-1 is interrupted: 802 legs planned, 800 have an outcome",
                id="interrupted",
            ),
            pytest.param(
                a_run_fact(planned=801, rows=800),
                "run run-1 is complete: 801 legs planned, 800 have an outcome",
                id="the books do not balance",
            ),
        ],
    )
    def test_a_ledger_that_does_not_balance_is_invalid_with_its_numbers(
        self, rules: Thresholds, run: object, reason: str
    ) -> None:
        judgement = judge(some_evidence(some_pairs(), runs=(run,)), rules)

        assert judgement.overall.decision is Decision.INVALID
        assert reason in judgement.overall.reason
        assert all(finding.outcome is Outcome.INVALID for finding in judgement.verdicts[0].findings)

    def test_a_leg_that_found_no_partner_is_invalid(self, rules: Thresholds) -> None:
        evidence = some_evidence(some_pairs())
        short = Evidence(
            runs=evidence.runs,
            pairs=evidence.pairs.head(390),
            noise_pairs=evidence.noise_pairs,
            ledger=evidence.ledger,
        )

        judgement = judge(short, rules)

        assert judgement.overall.decision is Decision.INVALID
        assert judgement.overall.reason.startswith("400 control legs make 390 pairs")

    def test_an_unknown_price_is_invalid(self) -> None:
        frames = [demo_pairs(cost_microusd=[None] + [1_000] * 399)]

        judgement = judged(*frames)

        assert judgement.overall.decision is Decision.INVALID
        assert judgement.overall.findings[0].gate == "cost_per_1k_chars"

    def test_runs_that_met_different_models_are_not_added_up(self, rules: Thresholds) -> None:
        runs = (
            a_run_fact(planned=400),
            a_run_fact("run-2", planned=400, models=frozenset({"candidate generate qwen/another@here"})),
        )

        judgement = judge(some_evidence(some_pairs(), runs=runs), rules)

        assert judgement.overall.decision is Decision.INVALID
        assert "runs run-1 and run-2 met different models" in judgement.overall.reason


def test_evidence_is_as_old_as_its_newest_run(rules: Thresholds) -> None:
    runs = (
        a_run_fact(planned=400),
        a_run_fact("run-2", planned=400, started_at=NOON + timedelta(days=50), ended_at=NOON + timedelta(days=50)),
    )
    later = some_pairs(200, run_id="run-2", capture_id=[f"later-{index}" for index in range(200)]).with_columns(
        pl.col("candidate_sent_at", "control_sent_at") + timedelta(days=50)
    )

    judgement = judge(some_evidence(some_pairs(200), later, runs=runs), rules)

    assert judgement.samples[0].too_old == 200
    assert judgement.as_of == NOON + timedelta(days=50)


def test_a_changed_limit_model_or_extractor_begins_another_epoch(rules: Thresholds, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stricter = thresholds_of(tmp_path / "other", '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 2.0\n')
    variants = [
        judged(some_pairs(), by=rules),
        judged(some_pairs(), by=stricter),
        *(
            judge(some_evidence(some_pairs(), runs=(a_run_fact(planned=800, **{field: frozenset({"x"})}),)), rules)
            for field in ("models", "extractors")
        ),
    ]

    assert len({judgement.epoch for judgement in variants}) == 4
    assert judged(some_pairs(), by=rules).epoch == variants[0].epoch


def test_the_order_of_rows_never_matters() -> None:
    frames = all_operations(200, outcome=mostly("ok", 200, overloaded=9))
    evidence = some_evidence(*frames)
    shuffled = Evidence(
        runs=evidence.runs,
        pairs=evidence.pairs.sample(fraction=1, shuffle=True, seed=3),
        noise_pairs=evidence.noise_pairs,
        ledger=evidence.ledger.sample(fraction=1, shuffle=True, seed=4),
    )

    assert view_of(judge(evidence, DEMO)) == view_of(judge(shuffled, DEMO))


WORSE = {
    "timeout": {"outcome": "timeout_total"},
    "silent": {"audio_outcome": "empty_audio"},
    "cut off": {"duration_s": 0.5},
    "clipped": {"clipped_share": 0.3},
    "slow": {"service_s": 60.0},
    "dear": {"cost_microusd": 900_000},
}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    spoilt=st.lists(
        st.tuples(st.integers(0, 319), st.sampled_from(sorted(WORSE))),
        min_size=1,
        max_size=60,
        unique_by=lambda x: x[0],
    ),
    further=st.lists(
        st.tuples(st.integers(0, 319), st.sampled_from(sorted(WORSE))), max_size=60, unique_by=lambda x: x[0]
    ),
)
def test_worse_evidence_never_makes_a_verdict_better(
    spoilt: list[tuple[int, str]], further: list[tuple[int, str]]
) -> None:
    names = {index for index, _ in spoilt}
    before = dict(spoilt)
    after = before | {index: name for index, name in further if index not in names}

    decisions = [judged(spoil(changes)).overall.decision for changes in ({}, before, after)]

    for better, worse in itertools.pairwise(decisions):
        assert SEVERITY.index(better) <= SEVERITY.index(worse)


def spoil(changes: dict[int, str]) -> pl.DataFrame:
    """Fine pairs, some of which have been made worse in one way each."""
    columns: dict[str, list[object]] = {
        "outcome": ["ok"] * 320,
        "audio_outcome": ["ok"] * 320,
        "duration_s": [3.0] * 320,
        "clipped_share": [0.0] * 320,
        "service_s": list(times(320, median_s=0.5, seed=1)),
        "cost_microusd": [1_000] * 320,
    }
    for index, name in changes.items():
        for column, value in WORSE[name].items():
            columns[column][index] = value
    return some_pairs(320, control={"cost_microusd": 4_500}, candidate=columns)


def test_every_operation_that_was_replayed_is_judged_in_the_same_order() -> None:
    judgement = judged(*reversed(all_operations(10)))

    assert [verdict.operation for verdict in judgement.verdicts] == list(Operation)


class TestAMistakeOfOurs:
    def test_in_one_gate_makes_that_gate_invalid_and_leaves_the_others(self, rules: Thresholds) -> None:
        judgement = judged(some_pairs().drop("candidate_clipped_share"), by=rules)

        found = {finding.gate: finding.outcome for finding in judgement.verdicts[0].findings}
        assert found == {"errors": Outcome.PASS, "slow": Outcome.PASS, "clipping": Outcome.INVALID}

    def test_anywhere_else_makes_everything_invalid_with_its_reason(self, rules: Thresholds) -> None:
        judgement = judged(some_pairs().drop("candidate_attempts"), by=rules)

        assert judgement.overall.decision is Decision.INVALID
        assert judgement.overall.reason.startswith("the judge itself failed (ColumnNotFoundError: ")
        assert view_of(judgement)["exit_status"] == 4
