import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind, NotAdmitted
from harness.exchanges import Consent, Failure
from harness.gateway.qwen_voices import QwenVoices, as_spoken_at_qwen, consent_gap
from harness.providers.base import Admission, PaidCall
from harness.routing.breaker import BreakerRules, Phase
from harness.routing.breakers import Breaker
from harness.speech import Reference, VoiceKind
from tests.builders import NOON, a_voice
from tests.scripted import ScriptedProvider

CLONE = a_voice(VoiceKind.CLONE)
ALLOWED = Consent(scope=("clone:qwen",), region=None, expires_at=None, evidence=None)


def a_breaker(clock: FakeClock | None = None) -> Breaker:
    return Breaker(clock=clock or FakeClock(), rules=BreakerRules())


def voices(qwen: ScriptedProvider, made: list[object], *, breaker: Breaker | None = None) -> QwenVoices:
    return QwenVoices(
        qwen,
        region="here",
        clock=FakeClock(),
        kill_reason=lambda: None,
        breaker=breaker or a_breaker(),
        made=lambda result, _, change: made.append(change or result),
    )


class Maker(ScriptedProvider):
    """Knows no voice, and says what it made of a creation as the real one does."""

    def __init__(self, kind: ErrorKind | None = None) -> None:
        super().__init__("qwen", clock=FakeClock())
        self.kind = kind

    async def prepare_voice(self, *arguments: object, admission: Admission, **options: object) -> str | Failure:
        call = PaidCall(provider="qwen", purpose="clone", attempt=1, worst_microusd=10_000)
        try:
            await admission.admit(call)
        except NotAdmitted as refused:
            return Failure(kind=refused.kind, code=None, detail=str(refused))
        admission.settle(call, 0 if self.kind else 10_000)
        self.voices.append("made")
        return Failure(kind=self.kind, code="503", detail="no") if self.kind else "made"


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


async def asked_for(ready: QwenVoices, times: int) -> list[Failure | None]:
    """What became of so many voices, each of a recording of its own, one after the other."""
    wanted = [
        a_voice(VoiceKind.CLONE, reference=Reference(sha256=f"{number:064x}", transcript="Hi."))
        for number in range(times)
    ]
    return [await ready.ready(voice, language=None, consent=ALLOWED) for voice in wanted]


async def test_voices_that_cannot_be_made_open_the_breaker_on_them_and_then_nobody_asks() -> None:
    qwen, made, breaker = Maker(ErrorKind.OVERLOADED), list[object](), a_breaker()

    async with voices(qwen, made, breaker=breaker) as ready:
        found = await asked_for(ready, 5)

    assert [failure and failure.kind for failure in found] == [ErrorKind.OVERLOADED] * 3 + [ErrorKind.CANCELLED] * 2
    assert (breaker.state.phase, len(qwen.voices), made[-1]) == (Phase.OPEN, 3, "opened")


async def test_a_sentences_voice_is_a_probe_once_the_breaker_lets_one_through() -> None:
    clock = FakeClock()
    qwen, made, breaker = Maker(ErrorKind.OVERLOADED), list[object](), a_breaker(clock)
    async with voices(qwen, made, breaker=breaker) as ready:
        await asked_for(ready, 3)
        qwen.kind = None
        clock.advance(31.0)

        assert await asked_for(ready, 2) == [None, None]

    assert (breaker.state.phase, made[-1]) == (Phase.CLOSED, "closed")


async def test_a_voice_that_is_known_needs_no_leave() -> None:
    class Knows(ScriptedProvider):
        async def prepare_voice(self, *arguments: object, **options: object) -> str:
            return "known"

    breaker = a_breaker()
    async with voices(Maker(ErrorKind.OVERLOADED), [], breaker=breaker) as ready:
        await asked_for(ready, 3)
    async with voices(Knows("qwen", clock=FakeClock()), [], breaker=breaker) as ready:
        assert await asked_for(ready, 1) == [None]

    assert breaker.state.phase is Phase.OPEN


@pytest.mark.parametrize("kind", [None, ErrorKind.OVERLOADED])
async def test_of_a_permit_that_was_given_only_a_failure_is_told(kind: ErrorKind | None) -> None:
    breaker = a_breaker()
    breaker.state = replace(breaker.state, streak=1)
    permit = breaker.ask_permit()

    async with voices(Maker(kind), [], breaker=breaker) as ready:
        await ready.ready(CLONE, language=None, consent=ALLOWED, permit=permit)

    # A success would have ended the streak; whoever gave the permit tells of that.
    assert breaker.state.streak == (2 if kind else 1)


async def test_our_own_fault_ends_neither_the_gateway_nor_the_breakers_probe() -> None:
    class Broken(Maker):
        async def prepare_voice(self, *arguments: object, admission: Admission, **options: object) -> str | Failure:
            await super().prepare_voice(*arguments, admission=admission, **options)
            raise ZeroDivisionError

    clock = FakeClock()
    breaker = a_breaker(clock)
    async with voices(Maker(ErrorKind.OVERLOADED), [], breaker=breaker) as ready:
        await asked_for(ready, 3)
    clock.advance(31.0)

    async with voices(Broken(), [], breaker=breaker) as ready:
        (failure,) = await asked_for(ready, 1)

    assert failure is not None
    assert failure.kind is ErrorKind.INTERNAL
    assert (breaker.state.phase, breaker.state.probing_since_s) == (Phase.HALF_OPEN, None)
