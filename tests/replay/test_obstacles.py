from pathlib import Path
from typing import Any

import pytest

from harness.config import QwenSettings
from harness.exchanges import Capture, Consent
from harness.speech import Operation, Reference, SpeechRequest, VoiceKind
from harness.store.blobs import BlobStore
from replay.obstacles import needs_voice, obstacles, reference_problems
from tests.builders import NOON, a_capture, a_request, a_voice
from tests.harness.providers.stubs import a_wav

ALLOWED = QwenSettings(allow_voice_creation=True)
CONSENT = Consent(scope=("replay", "clone:qwen"), region=None, expires_at=None, evidence=None)
CLONE = a_voice(VoiceKind.CLONE)


def with_consent(request: SpeechRequest, **changes: Any) -> Capture:
    return a_capture(request=request, consent=CONSENT, **changes)


@pytest.mark.parametrize(
    ("capture", "code", "blocks"),
    [
        pytest.param(a_capture(request=a_request("x" * 601)), "text_too_long", True, id="text"),
        pytest.param(a_capture(request=a_request(language="sv")), "language", True, id="language"),
        pytest.param(
            with_consent(a_request(voice=CLONE, instructions="whisper")), "instructions", True, id="instructions"
        ),
        pytest.param(a_capture(request=a_request(voice=CLONE)), "no_consent", True, id="consent"),
        pytest.param(a_capture(request=a_request(response_format="mp3")), "format", False, id="format"),
        pytest.param(a_capture(request=a_request(sample_rate_hz=8_000)), "format", False, id="sample rate"),
        pytest.param(
            with_consent(a_request(voice=a_voice(VoiceKind.CLONE, id="new"))), "voice_not_migrated", False, id="voice"
        ),
    ],
)
def test_what_the_candidate_cannot_do_is_told_by_its_reason(capture: Capture, code: str, blocks: bool) -> None:
    found = obstacles(capture, settings=ALLOWED, problems={}, migrated={CLONE.id}, now=NOON)

    assert [(obstacle.code, obstacle.blocks) for obstacle in found] == [(code, blocks)]


def test_a_plain_request_meets_no_obstacle() -> None:
    assert obstacles(a_capture(), settings=QwenSettings(), problems={}, migrated=(), now=NOON) == []


@pytest.mark.parametrize("operation", [Operation.CLONE, Operation.DESIGN])
def test_a_voice_that_may_not_be_made_blocks(operation: Operation) -> None:
    capture = with_consent(a_request(operation=operation))

    found = obstacles(capture, settings=QwenSettings(), problems={}, migrated={CLONE.id}, now=NOON)

    assert [(obstacle.code, obstacle.blocks) for obstacle in found] == [("voice_not_migrated", True)]


async def test_each_recording_is_looked_at_once(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    hashes = [store.put(a_wav(3.0, rate_hz=rate_hz), "wav") for rate_hz in (24_000, 16_000)]
    voices = [a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="t")) for sha256 in hashes]
    captures = [a_capture(request=a_request(voice=voice)) for voice in [*voices, *voices, CLONE]]

    problems = await reference_problems(captures, store)

    assert {sha256: problem.code for sha256, problem in problems.items()} == {
        hashes[1]: "local.reference_rate",
        "a" * 64: "local.reference_missing",
    }


@pytest.mark.parametrize(
    ("request_", "migrated", "needed"),
    [
        (a_request(), (), False),
        (a_request(voice=CLONE), (), True),
        (a_request(voice=CLONE), (CLONE.id,), False),
        (a_request(operation=Operation.CLONE), (CLONE.id,), True),
        (a_request(operation=Operation.DESIGN), (), True),
    ],
    ids=["preset", "cloned", "cloned and migrated", "the making of a clone", "the making of a design"],
)
def test_a_voice_is_needed_unless_it_is_there(request_: SpeechRequest, migrated: tuple[str, ...], needed: bool) -> None:
    assert needs_voice(a_capture(request=request_), migrated) is needed
