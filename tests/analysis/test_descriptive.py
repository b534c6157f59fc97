import pytest

from analysis.descriptive import beside
from analysis.evaluators import evaluate
from analysis.gates import ClusterMean, Gate, PairedBinary, PairedExceed, PairedTail, PerVoice, RatioOfTotals
from analysis.intervals import Beside
from analysis.scene import Scene
from tests.frames import a_scene, mostly, some_pairs, times

LOUDNESS = {"control": {"loudness_lufs": -20.0}, "candidate": {"loudness_lufs": times(400, seed=9)}}


def of(gate: Gate, scene: Scene) -> tuple[Beside, ...]:
    return beside(gate, evaluate("a_gate", gate, scene), scene)


@pytest.mark.parametrize(
    ("gate", "methods"),
    [
        (PairedBinary(kind="paired_binary", margin_pp=3.0), ["Tango score", "Clopper-Pearson"]),
        (PairedBinary(kind="paired_binary", abs_max_pct=3.0), ["Clopper-Pearson"]),
        (
            PairedExceed(kind="paired_exceed", feature="clipped_share", above=0.1, margin_pp=3.0),
            ["Tango score", "Clopper-Pearson"],
        ),
        (PairedTail(kind="paired_tail", ratio_max=1.1), ["paired bootstrap", "order statistics"]),
        (RatioOfTotals(kind="ratio_of_totals", per="request", ratio_max=1.0), ["BCa over voices"]),
        (ClusterMean(kind="cluster_mean", feature="loudness_lufs", margin=50.0), ["BCa over voices"]),
        (PerVoice(kind="per_voice"), ["Clopper-Pearson"]),
    ],
    ids=lambda value: value if isinstance(value, list) else value.kind,
)
def test_every_kind_of_gate_has_its_textbook_interval(gate: Gate, methods: list[str]) -> None:
    found = of(gate, a_scene(some_pairs(**LOUDNESS)))

    assert [each.method for each in found] == methods


def test_it_holds_the_estimate_and_is_narrower_than_what_may_be_looked_at_every_night() -> None:
    gate = PairedBinary(kind="paired_binary", margin_pp=3.0)
    scene = a_scene(some_pairs(candidate={"outcome": mostly("ok", 400, overloaded=10)}))
    interval = evaluate("a_gate", gate, scene).finding.interval

    difference, share = of(gate, scene)

    assert interval.estimate == 2.5
    assert interval.low < difference.low < 2.5 < difference.high < interval.high  # type: ignore[operator] # none lacks an end
    assert share.low < 2.5 < share.high  # type: ignore[operator] # none lacks an end


def test_no_broken_voice_among_forty_leaves_room_for_about_three_in_forty() -> None:
    (found,) = of(PerVoice(kind="per_voice"), a_scene())

    assert found.low == 0.0
    assert found.high == pytest.approx(8.8, abs=0.1)  # two-sided: 3.7/V rather than 3/V


def test_a_gate_that_measured_nothing_has_none() -> None:
    gate = PairedTail(kind="paired_tail", ratio_max=1.1, quantile=0.99)

    assert of(gate, a_scene(some_pairs(399))) == ()


def test_it_does_not_depend_on_the_order_of_rows() -> None:
    gate = PairedTail(kind="paired_tail", ratio_max=1.1)
    pairs = some_pairs()

    assert of(gate, a_scene(pairs)) == of(gate, a_scene(pairs.reverse()))
