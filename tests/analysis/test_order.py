import pytest

from analysis.judge import judge
from analysis.order import Place, recommended_order
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from tests.frames import mostly, some_evidence, some_pairs

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")
FLAKY = {"outcome": mostly("ok", 400, overloaded=100)}
OPERATIONS = ("clone", "design", "generate")


def ordered(**candidates: dict[str, object]) -> tuple[Place, ...]:
    frames = [some_pairs(operation=name, candidate=candidates.get(name, {})) for name in OPERATIONS]
    judgement = judge(some_evidence(*frames), DEMO)
    return recommended_order(judgement.verdicts, judgement.samples)


def names(places: tuple[Place, ...]) -> list[str]:
    return [place.operation.value for place in places]


def test_among_equals_what_is_easiest_to_take_back_goes_first() -> None:
    assert names(ordered()) == ["generate", "design", "clone"]


def test_a_go_goes_before_an_open_verdict_and_that_before_a_no_go() -> None:
    few = mostly("ok", 400, overloaded=12)

    places = ordered(generate=FLAKY, design={"outcome": few})

    assert names(places) == ["clone", "design", "generate"]
    assert [place.next_step.split(":")[0] for place in places] == ["start", "hold", "roll back"]


def test_what_the_candidate_does_not_serve_comes_later() -> None:
    refused = mostly("ok", 400, content_blocked=5)

    assert names(ordered(generate={"outcome": refused})) == ["design", "clone", "generate"]


def test_each_place_says_why() -> None:
    first = ordered()[0]

    assert first.why == (
        "go on 400 pairs",
        "33 % of the captures replayed",
        "0.0 % of them not served by the candidate alone",
        "$0.0010/request against control's $0.0010/request",
        "leaves nothing behind when it is taken back",
    )


@pytest.mark.parametrize("cost", [None, 1_000])
def test_a_price_that_is_not_known_is_left_out(cost: int | None) -> None:
    place = next(place for place in ordered(generate={"cost_microusd": cost}) if place.operation == "generate")

    assert any("$" in why for why in place.why) is (cost is not None)


def test_nothing_judged_has_no_order() -> None:
    assert recommended_order((), ()) == ()
