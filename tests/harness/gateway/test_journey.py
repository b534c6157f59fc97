from harness.exchanges import Lane, Speech
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
