import pytest

from analysis.findings import Evaluated, conclude, unjudged, withheld
from analysis.gates import Gate, PairedBinary, PairedTail, PerVoice, RatioOfTotals
from analysis.proofs import Proof, more_pairs
from analysis.samples import Shortfall
from harness.judgement import Finding, Forecast, Interval, Outcome
from harness.speech import Operation
from tests.frames import a_scene

GATE = PairedBinary(kind="paired_binary", margin_pp=1.0, abs_max_pct=2.0)


def a_proof(outcome: Outcome, *, strength: float = 0.0, words: str = "so many", **changes: object) -> Proof:
    interval = Interval(estimate=1.0, low=0.5, high=1.5)
    fields = {
        "outcome": outcome,
        "interval": interval,
        "limit": 1.0,
        "unit": "pp",
        "words": words,
        "strength": strength,
    }
    return Proof(**{**fields, **changes})  # type: ignore[arg-type] # a builder


def concluded(*claims: Proof) -> Finding:
    return conclude("errors", GATE, a_scene(), claims, "failures", {"pairs": 400}).finding


def test_a_gate_is_as_good_as_the_worst_of_its_claims() -> None:
    found = [
        concluded(a_proof(Outcome.PASS), a_proof(Outcome.PASS)).outcome,
        concluded(a_proof(Outcome.PASS), a_proof(Outcome.INCONCLUSIVE)).outcome,
        concluded(a_proof(Outcome.FAIL), a_proof(Outcome.INCONCLUSIVE)).outcome,
    ]

    assert found == [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]


def test_of_two_failed_claims_the_more_certain_one_speaks() -> None:
    finding = concluded(
        a_proof(Outcome.FAIL, strength=1.0, words="barely"), a_proof(Outcome.FAIL, strength=9.0, words="clearly")
    )

    assert finding.reason == "errors fails: failures clearly"


def test_a_reason_names_the_gate_what_became_of_it_and_what_it_still_needs() -> None:
    finding = concluded(a_proof(Outcome.INCONCLUSIVE, forecast=more_pairs(100, 900)))

    assert finding.reason == "errors is open: failures so many; needs about 100 to 900 more pairs"
    assert finding.counts == {"pairs": 400}


@pytest.mark.parametrize(
    ("gate", "unit"),
    [
        pytest.param(GATE, "pp", id="a margin"),
        pytest.param(PairedBinary(kind="paired_binary", abs_max_pct=1.0), "pct", id="a share"),
        pytest.param(PairedTail(kind="paired_tail", ratio_max=1.1), "ratio", id="a tail"),
        pytest.param(
            RatioOfTotals(kind="ratio_of_totals", per="request", abs_max_usd=1.0), "usd_per_request", id="a price"
        ),
        pytest.param(RatioOfTotals(kind="ratio_of_totals", per="request", ratio_max=1.0), "ratio", id="a ratio"),
        pytest.param(PerVoice(kind="per_voice"), "voices", id="voices"),
    ],
)
def test_a_gate_without_figures_still_has_its_unit(gate: Gate, unit: str) -> None:
    finding = unjudged("a_gate", gate, Operation.CLONE, outcome=Outcome.INVALID, why="no figures", counts={}).finding

    assert finding.unit == unit
    assert finding.reason == "a_gate is invalid: no figures"
    assert finding.interval.estimate is None


def shown(outcome: Outcome, forecast: Forecast | None = None) -> Evaluated:
    return conclude("errors", GATE, a_scene(), [a_proof(outcome, forecast=forecast)], "failures", {"pairs": 20})


SHORTFALL = Shortfall("20 pairs of at least 300", 280, "")


def test_a_pass_on_too_few_pairs_is_withheld_and_says_how_many_more() -> None:
    finding = withheld(shown(Outcome.PASS), SHORTFALL).finding

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert finding.reason == "errors is open: 20 pairs of at least 300; needs 280 more pairs"
    assert finding.forecast == Forecast(pairs_low=280, pairs_high=280, text="needs 280 more pairs")


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.INVALID])
def test_what_is_worse_than_open_stands_on_however_few_pairs(outcome: Outcome) -> None:
    assert withheld(shown(outcome), SHORTFALL) == shown(outcome)


def test_the_longer_of_two_needs_is_told() -> None:
    longer = withheld(shown(Outcome.INCONCLUSIVE, more_pairs(200, 900)), SHORTFALL).finding
    never = Forecast(pairs_low=None, pairs_high=None, text="will not pass at this rate")
    hopeless = withheld(shown(Outcome.INCONCLUSIVE, never), SHORTFALL).finding

    assert longer.forecast == more_pairs(200, 900)
    assert hopeless.forecast == never


def test_voices_and_days_are_asked_for_beside_pairs() -> None:
    lacking = Shortfall("too few", 280, "12 more voices and 2 more days")
    only_days = Shortfall("too few", 0, "2 more days")

    texts = [withheld(shown(Outcome.PASS), each).finding.forecast for each in (lacking, only_days)]

    assert [text.text for text in texts if text] == [
        "needs 280 more pairs and 12 more voices and 2 more days",
        "needs 2 more days",
    ]
