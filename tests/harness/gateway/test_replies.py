import pytest

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.gateway.replies import headers_of, nobody_up, refusal_of
from harness.speech import VoiceKind
from tests.builders import a_request, a_voice
from tests.journeys import a_journey, a_router


def a_failure(kind: ErrorKind, code: str | None = None) -> Failure:
    return Failure(kind=kind, code=code, detail="host 10.0.0.7 said: secret")


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_failure_has_an_answer_that_tells_nothing_internal(kind: ErrorKind) -> None:
    refused = refusal_of(a_failure(kind), a_journey())

    assert 400 <= refused.status < 600
    assert "10.0.0.7" not in refused.message
    assert (refused.retry_after_s is None) == (refused.status != 503)


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (ErrorKind.VOICE_NOT_FOUND, None, 409),
        (ErrorKind.UNSUPPORTED, "local.no_consent", 409),
        (ErrorKind.UNSUPPORTED, "local.text_too_long", 400),
        (ErrorKind.OVERLOADED, None, 503),
        (ErrorKind.AUTH, None, 503),
        (ErrorKind.INTERNAL, None, 500),
    ],
)
def test_the_status_says_whose_turn_it_is(kind: ErrorKind, code: str | None, status: int) -> None:
    journey = a_journey(a_request(voice=a_voice(VoiceKind.CLONE)))

    assert refusal_of(a_failure(kind, code), journey).status == status


def test_a_preset_that_the_provider_has_not_points_to_those_it_has() -> None:
    refused = refusal_of(a_failure(ErrorKind.VOICE_NOT_FOUND), a_journey())

    assert (refused.status, "GET /v1/voices" in refused.message) == (409, True)


def test_headers_tell_who_answered_why_and_by_which_flags() -> None:
    journey = a_journey(fallback="overloaded")
    journey.route = a_router().route(journey.request.operation, unit="u", request_id="r1")

    assert headers_of(journey, name="modal") == {
        "X-Request-Id": "r1",
        "X-Fallback": "overloaded",
        "X-Provider": "modal",
        "X-Route": "in-share",
        "X-Flag-Version": "v1",
        "X-Rollout-Version": "1",
    }


def test_nobody_up_says_when_to_come_again() -> None:
    assert (nobody_up().status, nobody_up().retry_after_s) == (503, 5.0)
