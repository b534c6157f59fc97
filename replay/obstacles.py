"""What stands in a captured request's way at the candidate, found without asking it anything.

An obstacle that blocks makes the request fail whatever is spent; another is work for somebody before the cutover.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from harness.capturing.consent import consent_problem
from harness.config import QwenSettings
from harness.exchanges import Capture, Failure
from harness.providers.base import References
from harness.providers.qwen_terms import objection_to
from harness.providers.reference import enrolment_problem, load_recording
from harness.speech import Operation, VoiceKind

__all__ = ["VOICE_NOT_MIGRATED", "Obstacle", "needs_voice", "obstacles", "reference_problems"]

VOICE_NOT_MIGRATED: Final = "voice_not_migrated"
_RATE_HZ: Final = 24_000  # what the candidate delivers (providers.md A2)


class Obstacle(NamedTuple):
    """One reason why a request would not go through as it was captured."""

    code: str
    blocks: bool  # False: it works, but somebody has to do something about it
    words: str


async def reference_problems(captures: Iterable[Capture], references: References) -> dict[str, Failure]:
    """What speaks against each reference recording, by its hash; those that will do are not in it."""
    problems: dict[str, Failure] = {}
    seen: set[str] = set()
    for voice in (capture.request.voice for capture in captures):
        if voice.kind is not VoiceKind.CLONE or voice.reference is None or voice.reference.sha256 in seen:
            continue
        seen.add(voice.reference.sha256)
        recording = await load_recording(references, voice)
        problem = recording if isinstance(recording, Failure) else await enrolment_problem(recording)
        if problem:
            problems[voice.reference.sha256] = problem
    return problems


def obstacles(
    capture: Capture,
    *,
    settings: QwenSettings,
    problems: Mapping[str, Failure],
    migrated: Container[str],
    now: datetime,
) -> list[Obstacle]:
    """Everything that stands in one request's way at the candidate.

    Args:
        capture: The request and its consent.
        settings: The candidate's models, limits and region.
        problems: From `reference_problems`.
        migrated: Ids (the caller's own) of voices that exist at the candidate.
        now: Against which consent expires.
    """
    request = capture.request
    found = []
    objection = objection_to(request, settings)
    if objection:
        found.append(Obstacle(_code(objection), True, objection.detail))
    unwilling = consent_problem(capture, provider="qwen", region=settings.region, now=now)
    if unwilling:
        found.append(Obstacle("no_consent", True, unwilling))
    reference = request.voice.reference
    problem = problems.get(reference.sha256) if reference and request.voice.kind is VoiceKind.CLONE else None
    if problem:
        found.append(Obstacle(_code(problem), True, problem.detail))
    if needs_voice(capture, migrated):
        may_be_made = settings.allow_voice_creation
        words = "the voice does not exist there yet" + ("" if may_be_made else ", and may not be made")
        found.append(Obstacle(VOICE_NOT_MIGRATED, not may_be_made, words))
    if request.response_format != "wav" or request.sample_rate_hz != _RATE_HZ:
        words = f"asked for {request.response_format} of {request.sample_rate_hz} Hz, comes as WAV of {_RATE_HZ} Hz"
        found.append(Obstacle("format", False, words))
    return found


def needs_voice(capture: Capture, migrated: Container[str]) -> bool:
    """Whether a voice has to be made first; a clone or a design is the making of one itself."""
    request = capture.request
    made = request.voice.kind is not VoiceKind.PRESET
    return made and (request.operation is not Operation.GENERATE or request.voice.id not in migrated)


def _code(failure: Failure) -> str:
    return (failure.code or failure.kind.value).removeprefix("local.")
