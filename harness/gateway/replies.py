"""What a caller is told: the headers of every answer, and which refusal a provider's failure becomes."""

from typing import Final

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.gateway.journey import Journey
from harness.gateway.refusals import Refused
from harness.speech import VoiceKind

__all__ = ["REQUEST_ID", "headers_of", "nobody_up", "refusal_of"]

REQUEST_ID: Final = "X-Request-Id"
_RETRY_S: Final = 5.0  # the shortest time for which a breaker on legacy stays open

# Our own objections of either provider to a voice: the other one could speak it, and nobody else.
_UNSPEAKABLE: Final = frozenset(
    {
        "local.no_reference",
        "local.no_consent",
        "local.not_prepared",
        "local.voice_creation_off",
        "local.no_description",
        "local.reference_missing",
    }
)
_CALLERS_FAULT: Final = {
    ErrorKind.BAD_REQUEST: (400, "request_refused", "the provider does not take this request; check its parameters"),
    ErrorKind.UNSUPPORTED: (400, "unsupported", "this cannot be spoken: check length, language and instructions"),
    ErrorKind.BAD_REFERENCE: (400, "bad_reference", "the recording cannot be used: send 3 to 60 s of clear speech"),
    ErrorKind.CONTENT_BLOCKED: (400, "content_blocked", "the provider's content filter refuses this text"),
}


def headers_of(journey: Journey, *, name: str | None) -> dict[str, str]:
    """Who answered and why.

    Args:
        journey: The request, as far as it has come.
        name: The provider that answers; None where none does.
    """
    headers = {REQUEST_ID: journey.request_id, "X-Fallback": journey.fallback or "none"}
    if name is not None:
        headers["X-Provider"] = name
    route = journey.route
    if route is not None:
        headers["X-Route"] = route.because.value
        headers["X-Flag-Version"] = route.flag_version
        headers["X-Rollout-Version"] = str(route.rollout_version)
    return headers


def nobody_up() -> Refused:
    """When no provider can be asked."""
    return Refused(
        503,
        "providers_unavailable",
        "no provider can answer at the moment; try again after the time in Retry-After",
        retry_after_s=_RETRY_S,
    )


def refusal_of(failure: Failure, journey: Journey) -> Refused:
    """What the caller is told about the last provider's failure; never the provider's own words."""
    voice = journey.request.voice
    if voice.kind is VoiceKind.PRESET and failure.kind is ErrorKind.VOICE_NOT_FOUND:
        said = "the provider that may answer does not have this voice; GET /v1/voices lists those that every one has"
        return Refused(409, "voice_not_speakable", said)
    if failure.kind is ErrorKind.VOICE_NOT_FOUND or failure.code in _UNSPEAKABLE:
        said = "no provider that may answer can speak with this voice; make it anew with POST /v1/voices/clone"
        if failure.code == "local.no_consent":
            said += " and a consent whose scope holds clone:qwen"
        return Refused(409, "voice_not_speakable", said)
    if failure.kind in _CALLERS_FAULT:
        return Refused(*_CALLERS_FAULT[failure.kind])
    if failure.kind is ErrorKind.INTERNAL:
        return Refused(500, "internal_error", "something went wrong here; tell us the request_id")
    return nobody_up()
