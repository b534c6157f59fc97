import logging

import polars as pl
import pytest

from analysis.evaluators import evaluate
from analysis.gates import ClusterMean, PairedBinary, PairedExceed, PairedTail, PerVoice, RatioOfTotals
from harness.judgement import Outcome
from tests.frames import a_scene, some_pairs

GATES = [
    PairedBinary(kind="paired_binary", margin_pp=3.0),
    PairedTail(kind="paired_tail", ratio_max=1.1),
    PairedExceed(kind="paired_exceed", feature="clipped_share", above=0.1, margin_pp=3.0),
    PerVoice(kind="per_voice"),
    ClusterMean(kind="cluster_mean", feature="spectral_difference_db", margin=2.0),
    RatioOfTotals(kind="ratio_of_totals", per="request", ratio_max=1.0),
]


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.kind)
def test_every_kind_of_gate_is_judged(gate: object) -> None:
    assert evaluate("a_gate", gate, a_scene()).finding.outcome is Outcome.PASS  # type: ignore[arg-type] # one of them


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.kind)
def test_a_gate_whose_judging_breaks_is_invalid_with_its_reason_and_logged(
    gate: object, caplog: pytest.LogCaptureFixture
) -> None:
    broken = a_scene(some_pairs(20).select("capture_id"), noise=pl.DataFrame())

    with caplog.at_level(logging.ERROR):
        finding = evaluate("a_gate", gate, broken).finding  # type: ignore[arg-type] # one of them

    assert finding.outcome is Outcome.INVALID
    assert finding.reason.startswith("a_gate is invalid: the judge itself failed (ColumnNotFoundError: ")
    assert "\n" not in finding.reason
    assert [record.message for record in caplog.records] == ["gate could not be judged"]
