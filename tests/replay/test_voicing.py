from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.config import QuotaSettings, Settings
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.base import Admission, Deadline
from harness.speech import Operation, Voice, VoiceKind
from harness.store.logbook import Logbook
from replay.admission import Admissions
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.quota import Quota
from replay.routes import Route
from replay.voicing import Voicing, hopeless
from tests.builders import a_capture, a_request, a_voice, an_exchange
from tests.scripted import ScriptedProvider


@pytest.fixture
def voicing(tmp_path: Path) -> Iterator[Voicing]:
    clock = FakeClock()
    with Logbook(tmp_path / "journal.jsonl", clock=clock) as book:
        book.write({"type": "plan", "run_id": "r"})
        switch = KillSwitch(Settings(home=tmp_path))
        admissions = Admissions(budget=Budget(10**9), book=book, switch=switch, clock=clock)
        yield Voicing(book=book, admissions=admissions, clock=clock)


def a_route(voicing: Voicing, provider: ScriptedProvider | None = None) -> Route:
    quota = Quota(QuotaSettings(per_second=10**6, per_minute=10**6, share=1.0, ramp_s=0.0))
    found = provider or ScriptedProvider("qwen", clock=voicing.clock, keeps_voices=True)
    return Route(provider=found, quota=quota, region="ap-southeast-1", deadline_s=60.0)


def designed(voice_id: str) -> Voice:
    return a_voice(VoiceKind.DESIGN, id=voice_id)


async def test_every_voice_that_speech_needs_is_made_once_and_noted(voicing: Voicing) -> None:
    route = a_route(voicing)
    captures = [a_capture(f"c{n}", request=a_request(voice=designed(f"v{n % 3}"))) for n in range(9)]

    reason = await voicing.prepare([route], captures, at_once=4)

    assert reason is None
    assert sorted(voicing.book.balance.voices) == ["at-qwen-v0", "at-qwen-v1", "at-qwen-v2"]
    assert voicing.book.balance.spent_microusd() == 3 * 1_000


async def test_presets_and_voices_that_are_themselves_measured_are_not_made(voicing: Voicing) -> None:
    captures = [a_capture("preset"), a_capture("design", request=a_request(operation=Operation.DESIGN))]

    await voicing.prepare([a_route(voicing)], captures, at_once=4)

    assert voicing.book.balance.paid_calls == 0


async def test_a_voice_without_consent_is_not_made(voicing: Voicing) -> None:
    cloned = a_capture(request=a_request(voice=a_voice(VoiceKind.CLONE)))

    await voicing.prepare([a_route(voicing)], [cloned], at_once=1)

    assert voicing.book.balance.paid_calls == 0


class RefusingProvider(ScriptedProvider):
    async def prepare_voice(
        self, voice: Voice, *, language: str | None, admission: Admission, deadline: Deadline
    ) -> str | Failure | None:
        self.voices.append(voice.id)
        return Failure(kind=ErrorKind.BILLING, code="Arrearage", detail="access denied")


async def test_a_refusal_that_every_voice_would_meet_ends_the_making(voicing: Voicing) -> None:
    provider = RefusingProvider("qwen", clock=voicing.clock, keeps_voices=True)
    captures = [a_capture(f"c{n}", request=a_request(voice=designed(f"v{n}"))) for n in range(9)]

    reason = await voicing.prepare([a_route(voicing, provider)], captures, at_once=1)

    assert reason == "qwen answered billing (Arrearage): access denied"
    assert provider.voices == ["v0"]


async def test_nothing_is_made_once_the_switch_is_pulled(voicing: Voicing) -> None:
    voicing.admissions.switch.pull("asked to stop")

    await voicing.prepare([a_route(voicing)], [a_capture(request=a_request(voice=designed("v")))], at_once=1)

    assert voicing.book.balance.paid_calls == 0


async def test_a_measured_voice_is_forgotten_and_one_to_speak_with_is_kept(voicing: Voicing) -> None:
    provider = ScriptedProvider("qwen", clock=voicing.clock)
    measured = a_capture("d", request=a_request(operation=Operation.DESIGN))

    await voicing.forget(a_route(voicing, provider), measured, an_exchange(voice_id="made-1"))
    await voicing.forget(a_route(voicing, provider), a_capture("g"), an_exchange(voice_id="kept-1"))

    assert provider.deleted == ["made-1"]
    assert voicing.book.balance.voices == {}


@pytest.mark.parametrize("kind", ErrorKind)
def test_only_what_every_call_would_meet_is_hopeless(kind: ErrorKind) -> None:
    reason = hopeless("qwen", Failure(kind=kind, code="c", detail="d"))

    assert (reason is not None) == (kind in (ErrorKind.AUTH, ErrorKind.BILLING, ErrorKind.QUOTA))
