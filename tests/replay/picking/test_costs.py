import pytest

from harness.config import Settings
from harness.exchanges import Capture, Observed
from harness.providers.container_rate import ContainerRate
from harness.providers.pricing import PriceList
from harness.speech import Operation, VoiceKind
from replay.picking.costs import Bill, Cost, Costs
from tests.builders import a_capture, a_request, a_voice

COSTS = Costs(PriceList.load(Settings().prices), Settings().qwen)


def a_clone(text: str = "x" * 100) -> Capture:
    return a_capture(request=a_request(text, operation=Operation.CLONE))


@pytest.mark.parametrize(
    ("capture", "cost"),
    [
        pytest.param(a_capture(request=a_request("x" * 100)), Cost(1_000), id="a preset costs its words"),
        pytest.param(
            a_capture(request=a_request("x" * 100, voice=a_voice(VoiceKind.CLONE))),
            Cost(1_150, "voice-anna", 10_000),
            id="speech in a clone costs its voice once",
        ),
        pytest.param(
            a_capture(request=a_request("x" * 100, voice=a_voice(VoiceKind.DESIGN))),
            Cost(1_150, "voice-narrator", 200_000),
            id="speech in a design likewise",
        ),
        pytest.param(a_clone(), Cost(11_150), id="a clone makes a voice each time"),
        pytest.param(
            a_capture(request=a_request("Hi.", operation=Operation.DESIGN)), Cost(200_000), id="a design as well"
        ),
    ],
)
def test_a_capture_costs_its_words_and_its_voice(capture: Capture, cost: Cost) -> None:
    assert COSTS.of(capture) == cost


@pytest.mark.parametrize("capture", [a_capture(), a_clone(), a_capture(request=a_request(operation=Operation.DESIGN))])
def test_an_unknown_price_makes_an_unknown_cost(capture: Capture) -> None:
    assert Costs(PriceList([], "none"), Settings().qwen).of(capture) is None


def test_the_legacy_path_is_charged_for_the_seconds_that_production_waited() -> None:
    prices, settings = PriceList.load(Settings().prices), Settings()
    rate = ContainerRate(settings.modal, prices)
    both = Costs(prices, settings.qwen, legacy=rate)
    observed = Observed(provider="modal", status="ok", first_byte_s=None, total_s=4.0, audio_s=None)
    capture = a_capture(request=a_request("x" * 100), observed=observed)

    legacy = rate.microusd(4.0)
    assert legacy
    assert both.of(capture) == Cost(1_000 + legacy)
    assert COSTS.of(capture) == Cost(1_000)
    assert (COSTS.where, both.where) == ("at Qwen", "at both providers")


@pytest.mark.parametrize(
    "observed", [None, Observed(provider="modal", status="ok", first_byte_s=None, total_s=None, audio_s=None)]
)
def test_what_production_did_not_time_has_no_legacy_cost(observed: Observed | None) -> None:
    prices, settings = PriceList.load(Settings().prices), Settings()
    both = Costs(prices, settings.qwen, legacy=ContainerRate(settings.modal, prices))

    assert both.of(a_capture(observed=observed)) is None


def test_a_bill_charges_a_voice_once() -> None:
    bill, cost = Bill(), Cost(10, "anna", 200)

    assert bill.more(cost) == 210
    bill.add(cost)
    assert (bill.microusd, bill.more(cost)) == (210, 10)
    bill.add(cost)
    bill.add(Cost(5))
    assert bill.microusd == 225
