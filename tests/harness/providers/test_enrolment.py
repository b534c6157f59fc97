import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from harness.clock import FakeClock
from harness.config import QwenSettings
from harness.emulators.server import Standin, running_qwen
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.attempts import Attempts
from harness.providers.base import Deadline
from harness.providers.dashscope import DashScope, MadeVoice
from harness.providers.door import Door
from harness.providers.enrolment import Enrolment, Recipe
from harness.providers.pricing import PriceList
from harness.providers.retry import RetryPolicy
from harness.providers.voices import VoiceKey, VoiceRegistry
from harness.speech import Reference, Voice, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import NOON, a_voice
from tests.harness.providers.stubs import Handler, Script, Till, a_server, a_wav, drops, says, sends
from tests.virtual_time import VirtualClock

Open = Callable[[Script | Standin], Awaitable[Enrolment]]
MADE: dict[str, Any] = {"output": {"voice": "v-1"}, "request_id": "r1"}


@pytest.fixture
def open_enrolment(
    open_door: Callable[..., Awaitable[Door]],
    clock: FakeClock,
    prices: PriceList,
    references: BlobStore,
    registry: VoiceRegistry,
) -> Open:
    async def open_(server: Script | Standin) -> Enrolment:
        url = server.url if isinstance(server, Script) else server.base_url
        return Enrolment(
            DashScope(await open_door(url), URL(url), QwenSettings(), clock),
            QwenSettings(allow_voice_creation=True),
            account="acme",
            prices=prices,
            references=references,
            registry=registry,
            clock=clock,
        )

    return open_


@pytest.fixture
def deadline(clock: FakeClock) -> Deadline:
    return Deadline(clock, 5.0)


def attempts_of(till: Till, deadline: Deadline, clock: FakeClock) -> Attempts:
    policy = RetryPolicy(max_attempts=3, random=Random(1))
    return Attempts("qwen", admission=till, deadline=deadline, policy=policy, clock=clock)


def key_of(voice: Voice) -> VoiceKey:
    assert voice.reference is not None
    return VoiceKey(
        account="acme",
        region="ap-southeast-1",
        target_model="qwen3-tts-vc-2026-01-22",
        source=voice.reference.sha256,
    )


async def a_recipe(enrolment: Enrolment, voice: Voice) -> Recipe:
    recipe = await enrolment.recipe(voice, language="en", preview_text=None)
    assert isinstance(recipe, Recipe)
    return recipe


def lists(*ids: str) -> Handler:
    """Answer a list with these voices, and a creation by breaking the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if (await request.json())["input"]["action"] == "create":
            return await drops()(request)
        listed = [{"voice": each} for each in ids]
        return web.json_response({"output": {"total_count": len(listed), "voice_list": listed}})

    return answer


async def test_a_clone_is_made_of_its_reference(open_enrolment: Open, anna: Voice) -> None:
    async with a_server(says(MADE)) as server:
        recipe = await a_recipe(await open_enrolment(server), anna)

    assert recipe.key == key_of(anna)
    assert (recipe.new.kind, recipe.new.target_model) == ("clone", "qwen3-tts-vc-2026-01-22")
    assert recipe.new.transcript == "I am Anna."
    assert (recipe.new.audio_url or "").startswith("data:audio/wav;base64,")


async def test_a_design_is_made_of_its_description_and_says_the_probe_when_nothing_else(
    open_enrolment: Open,
) -> None:
    voice = a_voice(VoiceKind.DESIGN)
    async with a_server(says(MADE)) as server:
        enrolment = await open_enrolment(server)
        recipe = await enrolment.recipe(voice, language="de", preview_text=None)
        told = await enrolment.recipe(voice, language="de", preview_text="Guten Tag.")

    assert isinstance(recipe, Recipe)
    assert isinstance(told, Recipe)
    assert recipe.key.source == hashlib.sha256(b"A calm middle-aged narrator.").hexdigest()
    assert recipe.key.target_model == "qwen3-tts-vd-2026-01-26"
    assert recipe.new.preview_text == "Das Wetter ist heute schön, lass uns im Park spazieren gehen."
    assert told.new.preview_text == "Guten Tag."


@pytest.mark.parametrize(
    ("language", "preview_text", "sent"),
    [
        pytest.param("fr", "Bonjour.", "fr", id="a language that is told"),
        pytest.param(None, "Good morning.", "en", id="Latin letters"),
        pytest.param(None, "Сегодня хорошо.", "ru", id="Cyrillic letters"),
        pytest.param(None, None, "en", id="the probe"),
    ],
)
async def test_a_design_is_always_told_its_language_since_none_means_chinese_there(
    open_enrolment: Open, language: str | None, preview_text: str | None, sent: str
) -> None:
    async with a_server(says(MADE)) as server:
        enrolment = await open_enrolment(server)
        recipe = await enrolment.recipe(a_voice(VoiceKind.DESIGN), language=language, preview_text=preview_text)

    assert isinstance(recipe, Recipe)
    assert recipe.new.language == sent


async def test_a_clone_without_a_language_leaves_it_open(open_enrolment: Open, anna: Voice) -> None:
    async with a_server(says(MADE)) as server:
        recipe = await (await open_enrolment(server)).recipe(anna, language=None, preview_text=None)

    assert isinstance(recipe, Recipe)
    assert recipe.new.language is None


async def test_every_recipe_has_a_name_of_its_own_that_the_provider_accepts(open_enrolment: Open, anna: Voice) -> None:
    async with a_server(says(MADE)) as server:
        enrolment = await open_enrolment(server)
        names = {(await a_recipe(enrolment, anna)).new.name for _ in range(20)}

    assert len(names) == 20
    assert all(len(name) == 16 and name.isalnum() for name in names)


@pytest.mark.parametrize(
    ("voice", "code"),
    [
        pytest.param(a_voice(VoiceKind.CLONE, reference=None), "local.no_reference", id="no reference"),
        pytest.param(a_voice(VoiceKind.CLONE), "local.reference_missing", id="not in the store"),
        pytest.param(a_voice(VoiceKind.DESIGN, description=None), "local.no_description", id="no description"),
    ],
)
async def test_a_voice_that_cannot_be_made_is_told_without_a_call(
    open_enrolment: Open, voice: Voice, code: str
) -> None:
    async with a_server(says(MADE)) as server:
        recipe = await (await open_enrolment(server)).recipe(voice, language=None, preview_text=None)

    assert isinstance(recipe, Failure)
    assert recipe.code == code
    assert server.seen == []


async def test_a_reference_below_qwens_rate_is_told_without_a_call(open_enrolment: Open, references: BlobStore) -> None:
    sha256 = references.put(a_wav(3.0, rate_hz=16_000), "wav")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript=None))
    async with a_server(says(MADE)) as server:
        recipe = await (await open_enrolment(server)).recipe(voice, language=None, preview_text=None)

    assert isinstance(recipe, Failure)
    assert recipe.code == "local.reference_rate"


async def test_a_voice_that_was_made_to_be_measured_is_paid_for_and_not_remembered(
    open_enrolment: Open, anna: Voice, deadline: Deadline, clock: FakeClock, registry: VoiceRegistry
) -> None:
    till = Till()
    async with a_server(says(MADE)) as server:
        enrolment = await open_enrolment(server)
        attempts = attempts_of(till, deadline, clock)

        made = await enrolment.make(await a_recipe(enrolment, anna), attempts=attempts, deadline=deadline)

    assert isinstance(made, MadeVoice)
    assert [(call.purpose, call.worst_microusd) for call in till.admitted] == [("clone", 10_000)]
    assert till.amounts == [10_000]
    assert registry.all() == {}


async def test_a_voice_that_was_prepared_is_remembered(
    open_enrolment: Open, anna: Voice, deadline: Deadline, clock: FakeClock, registry: VoiceRegistry
) -> None:
    async with a_server(says(MADE)) as server:
        enrolment = await open_enrolment(server)
        attempts = attempts_of(Till(), deadline, clock)

        voice_id = await enrolment.prepare(await a_recipe(enrolment, anna), attempts=attempts, deadline=deadline)

        assert enrolment.find(anna) == voice_id == "v-1"
    assert registry.all() == {"v-1": key_of(anna)}


async def test_a_voice_of_the_degraded_mode_is_recorded_as_one_and_told(
    open_enrolment: Open,
    anna: Voice,
    deadline: Deadline,
    clock: FakeClock,
    registry: VoiceRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = {**MADE["output"], "fallback_mode": True, "fallback_reason": "no_valid_asr_segments"}
    async with a_server(says({**MADE, "output": output})) as server:
        enrolment = await open_enrolment(server)
        attempts = attempts_of(Till(), deadline, clock)

        await enrolment.prepare(await a_recipe(enrolment, anna), attempts=attempts, deadline=deadline)

    assert registry.fallback_mode("v-1") is True
    assert "voice was made in degraded mode" in caplog.text


@pytest.mark.parametrize("fault", ["reset-after", "cut"])
async def test_a_voice_that_the_stand_in_made_before_it_hung_up_is_found_and_paid_for_once(
    open_enrolment: Open, references: BlobStore, deadline: Deadline, clock: FakeClock, fault: str
) -> None:
    reference = Reference(sha256=references.put(a_wav(5.0), "wav"), transcript="I am Anna.")
    anna = a_voice(VoiceKind.CLONE, reference=reference)
    async with running_qwen(clock=VirtualClock()) as standin:
        standin.script.load({"faults": [{"fault": fault, "path": "*customization"}]})
        enrolment = await open_enrolment(standin)
        attempts = attempts_of(Till(), deadline, clock)

        made = await enrolment.prepare(await a_recipe(enrolment, anna), attempts=attempts, deadline=deadline)

        assert list(standin.account.voices) == [made]
        assert standin.account.meter()["billed"] == {"qwen-voice-enrollment": {"voices": 1}}


async def test_a_throttled_creation_is_sent_again_under_the_same_name(
    open_enrolment: Open, anna: Voice, deadline: Deadline, clock: FakeClock
) -> None:
    till = Till()
    throttled = says({"code": "Throttling", "message": ""}, 429, Retry_After="1")
    async with a_server(throttled, says(MADE)) as server:
        enrolment = await open_enrolment(server)

        made = await enrolment.make(
            await a_recipe(enrolment, anna), attempts=attempts_of(till, deadline, clock), deadline=deadline
        )

    assert isinstance(made, MadeVoice)
    assert till.amounts == [0, 10_000]
    assert server.seen[0].json == server.seen[1].json


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(drops(), id="connection lost"),
        pytest.param(says({"code": "RequestTimeOut", "message": ""}, 500), id="timed out there"),
        pytest.param(sends(b"", 503), id="gateway"),
    ],
)
async def test_an_unsure_creation_is_never_repeated_and_its_voice_not_invented(
    open_enrolment: Open, anna: Voice, deadline: Deadline, clock: FakeClock, broken: Handler
) -> None:
    till = Till()
    async with a_server(broken, lists("qwen-tts-vc-another-voice-1")) as server:
        enrolment = await open_enrolment(server)

        made = await enrolment.make(
            await a_recipe(enrolment, anna), attempts=attempts_of(till, deadline, clock), deadline=deadline
        )

        assert enrolment.find(anna) is None
    assert isinstance(made, Failure)
    assert [seen.json["input"]["action"] for seen in server.seen] == ["create", "list"]
    assert till.amounts == [None]


async def test_a_voice_that_an_unsure_creation_made_is_found_by_its_name(
    open_enrolment: Open, anna: Voice, deadline: Deadline, clock: FakeClock
) -> None:
    till = Till()
    async with a_server(drops()) as server:
        enrolment = await open_enrolment(server)
        recipe = await a_recipe(enrolment, anna)
        voice_id = f"qwen-tts-vc-{recipe.new.name}-voice-20261123120000123-ab12"
        server.answers[:] = [lists("qwen-tts-vc-another-voice-1", voice_id)]

        made = await enrolment.prepare(recipe, attempts=attempts_of(till, deadline, clock), deadline=deadline)

        assert enrolment.find(anna) == voice_id
    assert made == voice_id
    assert [seen.json["input"]["action"] for seen in server.seen] == ["create", "list"]
    assert till.amounts == [None]  # its worst is its price


async def test_a_creation_that_never_left_is_not_searched_for(
    open_enrolment: Open, anna: Voice, deadline: Deadline, clock: FakeClock
) -> None:
    async with a_server(says(MADE)) as server:
        enrolment = await open_enrolment(server)
        recipe = await a_recipe(enrolment, anna)

        made = await enrolment.make(recipe, attempts=attempts_of(Till(calls=0), deadline, clock), deadline=deadline)

    assert isinstance(made, Failure)
    assert made.kind is ErrorKind.BUDGET
    assert server.seen == []


async def test_two_who_need_the_same_voice_at_once_pay_for_one(
    open_enrolment: Open, anna: Voice, deadline: Deadline, clock: FakeClock
) -> None:
    async def slowly(request: web.Request) -> web.StreamResponse:
        await VirtualClock().sleep(0.05)
        return await says(MADE)(request)

    till = Till()
    async with a_server(slowly) as server:
        enrolment = await open_enrolment(server)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    enrolment.prepare(
                        await a_recipe(enrolment, anna), attempts=attempts_of(till, deadline, clock), deadline=deadline
                    )
                )
                for _ in range(5)
            ]

    assert [task.result() for task in tasks] == ["v-1"] * 5
    assert len(till.admitted) == 1


async def test_voices_that_the_account_no_longer_has_are_missing(
    open_enrolment: Open, anna: Voice, registry: VoiceRegistry
) -> None:
    other = a_voice(VoiceKind.CLONE, reference=Reference(sha256="b" * 64, transcript=None))
    registry.add(key_of(anna), "v-kept", made_at=NOON)
    registry.add(key_of(other), "v-lost", made_at=NOON)
    never, preset = a_voice(VoiceKind.DESIGN), a_voice()
    async with a_server(lists("v-kept", "v-foreign")) as server:
        missing = await (await open_enrolment(server)).missing([anna, other, never, preset])

    assert missing == [other, never]
    assert [seen.json["model"] for seen in server.seen] == ["qwen-voice-enrollment", "qwen-voice-design"]
    assert list(registry.all()) == ["v-kept"]


async def test_an_account_that_cannot_be_listed_is_not_paid_for_twice(
    open_enrolment: Open, anna: Voice, registry: VoiceRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.add(key_of(anna), "v-1", made_at=NOON)
    async with a_server(sends(b"", 500)) as server:
        missing = await (await open_enrolment(server)).missing([anna])

    assert missing == []
    assert "could not be listed" in caplog.text


async def test_a_voice_made_just_before_a_kill_is_found_again_instead_of_paid_for_again(
    open_enrolment: Open, anna: Voice, registry: VoiceRegistry
) -> None:
    async with a_server(lists()) as server:
        recipe = await (await open_enrolment(server)).recipe(anna, language="en", preview_text=None, pooled=True)
    assert isinstance(recipe, Recipe)
    made = f"qwen-tts-vc-{recipe.new.name}-voice-20261123120000000-ab12"

    async with a_server(lists("v-foreign", made)) as server:
        missing = await (await open_enrolment(server)).missing([anna, a_voice()])

    assert missing == []
    assert registry.get(key_of(anna)) == made


async def test_the_pool_names_a_voice_by_what_it_is_made_from_and_a_measured_one_never_twice(
    open_enrolment: Open, anna: Voice
) -> None:
    names: dict[bool, list[str]] = {True: [], False: []}
    async with a_server(lists()) as server:
        enrolment = await open_enrolment(server)
        for pooled in (True, True, False, False):
            recipe = await enrolment.recipe(anna, language="en", preview_text=None, pooled=pooled)
            assert isinstance(recipe, Recipe)
            names[pooled].append(recipe.new.name)

    assert len(set(names[True])) == 1
    assert len({*names[True], *names[False]}) == 3
    assert all(len(name) <= 16 and name.isalnum() for name in (*names[True], *names[False]))


@pytest.mark.parametrize(
    ("voice_id", "target_model", "maker"),
    [
        pytest.param("odd-name", "qwen3-tts-vd-2026-01-26", "qwen-voice-design", id="remembered design"),
        pytest.param("odd-name", "qwen3-tts-vc-2026-01-22", "qwen-voice-enrollment", id="remembered clone"),
        pytest.param("qwen-tts-vd-x-voice-1", None, "qwen-voice-design", id="design by its name"),
        pytest.param("qwen-tts-vc-x-voice-1", None, "qwen-voice-enrollment", id="clone by its name"),
    ],
)
async def test_a_deleted_voice_is_forgotten_and_deleted_by_the_model_that_made_it(
    open_enrolment: Open, registry: VoiceRegistry, voice_id: str, target_model: str | None, maker: str
) -> None:
    if target_model:
        key = VoiceKey(account="acme", region="ap-southeast-1", target_model=target_model, source="a" * 64)
        registry.add(key, voice_id, made_at=NOON)
    async with a_server(says({"usage": {"count": 0}})) as server:
        assert await (await open_enrolment(server)).delete(voice_id)

    assert server.seen[0].json["model"] == maker
    assert registry.all() == {}


async def test_a_voice_that_could_not_be_deleted_stays_remembered(
    open_enrolment: Open, anna: Voice, registry: VoiceRegistry
) -> None:
    registry.add(key_of(anna), "v-1", made_at=NOON)
    async with a_server(sends(b"", 500)) as server:
        assert not await (await open_enrolment(server)).delete("v-1")

    assert list(registry.all()) == ["v-1"]


async def test_the_whole_account_is_listed_once_each(open_enrolment: Open, deadline: Deadline) -> None:
    async with a_server(lists("v-1", "v-2")) as server:
        listed = await (await open_enrolment(server)).listed(deadline=deadline)

    assert isinstance(listed, list)
    assert [voice.voice_id for voice in listed] == ["v-1", "v-2"]
    assert [seen.json["model"] for seen in server.seen] == ["qwen-voice-enrollment", "qwen-voice-design"]
