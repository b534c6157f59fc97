import asyncio
from datetime import timedelta

import pytest

from harness.clock import FakeClock
from harness.exchanges import Consent, Failure
from harness.gateway.qwen_voices import QwenVoices, as_spoken_at_qwen, consent_gap
from harness.speech import VoiceKind
from tests.builders import NOON, a_voice
from tests.scripted import ScriptedProvider

CLONE = a_voice(VoiceKind.CLONE)
ALLOWED = Consent(scope=("clone:qwen",), region=None, expires_at=None, evidence=None)


def voices(qwen: ScriptedProvider, made: list[object], *, killed: str | None = None) -> QwenVoices:
    return QwenVoices(
        qwen, region="here", clock=FakeClock(), kill_reason=lambda: killed, made=lambda result, _: made.append(result)
    )


@pytest.mark.parametrize(
    ("consent", "word"),
    [
        (None, "clone:qwen"),
        (Consent(scope=("replay",), region=None, expires_at=None, evidence=None), "clone:qwen"),
        (Consent(scope=("clone:qwen",), region="there", expires_at=None, evidence=None), "region"),
        (Consent(scope=("clone:qwen",), region=None, expires_at=NOON - timedelta(days=1), evidence=None), "expired"),
    ],
)
def test_a_recording_stays_here_without_consent(consent: Consent | None, word: str) -> None:
    gap = consent_gap(CLONE, consent, region="here", now=NOON)

    assert gap is not None
    assert word in gap


def test_nobody_has_to_allow_a_preset_or_a_designed_voice() -> None:
    for kind in (VoiceKind.PRESET, VoiceKind.DESIGN):
        assert consent_gap(a_voice(kind), None, region="here", now=NOON) is None


def test_a_designed_voice_without_its_preview_stays_what_it_is() -> None:
    designed = a_voice(VoiceKind.DESIGN, reference=None)

    assert as_spoken_at_qwen(designed) is designed


async def test_a_voice_that_two_ask_for_is_made_once() -> None:
    qwen, made = ScriptedProvider("qwen", clock=FakeClock()), []  # type: ignore[var-annotated]

    async with voices(qwen, made) as ready, asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(ready.ready(CLONE, language="en", consent=ALLOWED))

    assert qwen.voices == [CLONE.id]
    assert made == [f"at-qwen-{CLONE.id}"]


async def test_a_caller_who_gives_up_does_not_stop_the_making() -> None:
    class Slow(ScriptedProvider):
        async def prepare_voice(self, *arguments: object, **options: object) -> str:
            await asyncio.sleep(0.03)
            self.voices.append("made")
            return "made"

    qwen = Slow("qwen", clock=FakeClock())
    async with voices(qwen, []) as ready:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await ready.ready(CLONE, language=None, consent=ALLOWED)

    assert qwen.voices == ["made"]


async def test_a_preset_needs_no_making() -> None:
    qwen = ScriptedProvider("qwen", clock=FakeClock())

    async with voices(qwen, []) as ready:
        assert await ready.ready(a_voice(), language=None, consent=None) is None

    assert qwen.voices == []


async def test_without_consent_nothing_is_sent() -> None:
    qwen = ScriptedProvider("qwen", clock=FakeClock())

    async with voices(qwen, []) as ready:
        failure = await ready.ready(CLONE, language=None, consent=None)

    assert isinstance(failure, Failure)
    assert (failure.code, qwen.voices) == ("local.no_consent", [])
