from harness.errors import ErrorKind
from harness.exchanges import Failure, Lane, Speech
from harness.gateway.journey import LiveCall
from tests.builders import an_exchange
from tests.journeys import a_journey


def test_the_result_is_that_of_the_last_call() -> None:
    journey = a_journey()
    assert journey.result is None

    for audio in (b"first", b"last"):
        exchange = an_exchange(audio=audio)
        journey.calls.append(LiveCall(lane=Lane.CONTROL, exchange=exchange, microusd=1, change=None, ended_s=0.0))

    assert isinstance(journey.result, Speech)
    assert journey.result.audio == b"last"


def test_speech_that_did_not_reach_the_caller_is_none() -> None:
    left = Failure(kind=ErrorKind.CANCELLED, code="local.listener", detail="the listener left")
    journey = a_journey(undelivered=left)
    assert journey.result is None

    for exchange, result in ((an_exchange(), ErrorKind.CANCELLED), (an_exchange(failed=ErrorKind.DNS), ErrorKind.DNS)):
        journey.calls.append(LiveCall(lane=Lane.CONTROL, exchange=exchange, microusd=1, change=None, ended_s=0.0))
        assert isinstance(journey.result, Failure)
        assert journey.result.kind is result
