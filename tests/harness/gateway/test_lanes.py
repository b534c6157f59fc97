from harness.errors import ErrorKind
from harness.exchanges import Failure, Lane
from harness.gateway.lanes import Lanes, wish_for
from harness.speech import VoiceKind
from tests.builders import a_request, a_voice
from tests.journeys import a_journey


def test_qwen_speaks_a_designed_voice_by_its_preview() -> None:
    designed = a_voice(VoiceKind.DESIGN)

    wish = wish_for(Lane.CANDIDATE, a_request(voice=designed))

    assert (wish.voice.kind, wish.voice.id, wish.voice.reference) == (
        VoiceKind.CLONE,
        designed.id,
        designed.reference,
    )


def test_legacy_gets_the_request_as_it_is() -> None:
    request = a_request(voice=a_voice(VoiceKind.DESIGN))

    assert wish_for(Lane.CONTROL, request) is request


def test_what_was_never_sent_cost_nothing() -> None:
    class Named:
        name = "qwen"

    lanes = Lanes({Lane.CANDIDATE: Named()}, voices=None)  # type: ignore[dict-item]
    failure = Failure(kind=ErrorKind.UNSUPPORTED, code=None, detail="no")

    unsent = lanes.unsent(Lane.CANDIDATE, a_journey(), failure)
    stopped = lanes.unsent(Lane.CANDIDATE, a_journey(), failure, microusd=900)

    assert (unsent.provider, unsent.attempts, unsent.cost.microusd) == ("qwen", 0, 0)
    assert (stopped.attempts, stopped.cost.microusd) == (1, 900)
