import asyncio
import base64
import hashlib
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr
from yarl import URL

from harness.clock import FakeClock
from harness.config import QwenSettings, Settings
from harness.emulators.server import QwenOptions, Standin, running_qwen
from harness.errors import ConfigError, ErrorKind
from harness.exchanges import Failure, Speech
from harness.providers import open_provider
from harness.providers.base import Deadline
from harness.providers.pricing import PriceList
from harness.providers.qwen import QwenProvider
from harness.providers.voices import VoiceKey, VoiceRegistry
from harness.speech import Operation, Reference, SpeechRequest, Voice, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import NOON, a_request, a_voice
from tests.harness.providers.qwen_calls import SIGNED, SPEAK, VOICES, WISH, OpenQwen, asked, by_path, spoken, with_audio
from tests.harness.providers.stubs import (
    CANARY,
    PRICES,
    Handler,
    Till,
    a_server,
    a_wav,
    drops,
    hangs,
    says,
    sends,
)
from tests.virtual_time import VirtualClock


@pytest.mark.parametrize(
    ("request_", "model", "content"),
    [
        pytest.param(
            a_request(language=None, voice=a_voice(id="Ono_Anna")),
            "qwen3-tts-flash",
            {"text": "Good morning.", "voice": "Ono Anna", "language_type": "Auto"},
            id="preset",
        ),
        pytest.param(
            a_request(language="zh", instructions="whisper"),
            "qwen3-tts-instruct-flash",
            {"text": "Good morning.", "voice": "Cherry", "language_type": "Chinese", "instructions": "whisper"},
            id="preset with instructions",
        ),
    ],
)
async def test_a_preset_is_spoken_by_the_model_for_it(
    open_qwen: OpenQwen, request_: SpeechRequest, model: str, content: dict[str, str]
) -> None:
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), request_)

    assert api.seen[0].json == {"model": model, "input": content}
    assert exchange.model == model


@pytest.mark.parametrize("kind", [VoiceKind.CLONE, VoiceKind.DESIGN])
async def test_a_prepared_voice_is_spoken_by_the_model_it_is_bound_to_and_its_use_is_noted(
    open_qwen: OpenQwen, registry: VoiceRegistry, clock: FakeClock, kind: VoiceKind
) -> None:
    clock.advance(86_400.0)
    voice = a_voice(kind)
    made = says({"output": {"voice": "qwen-tts-x-voice-1"}, "request_id": "r0"})
    async with a_server(sends(a_wav())) as oss, a_server(by_path(spoken(f"{oss.url}/x.wav"), voices=made)) as api:
        provider = await with_audio(open_qwen, api, oss)
        model = "qwen3-tts-vc-2026-01-22" if kind is VoiceKind.CLONE else "qwen3-tts-vd-2026-01-26"
        source = "a" * 64 if kind is VoiceKind.CLONE else _description_hash(voice)
        key = VoiceKey(account="acme", region="ap-southeast-1", target_model=model, source=source)
        registry.add(key, "qwen-tts-x-voice-1", made_at=NOON)

        exchange = await asked(provider, a_request(voice=voice))

    assert exchange.outcome == "ok"
    assert registry.used_at("qwen-tts-x-voice-1") == clock.now()
    assert (api.seen[0].json["model"], api.seen[0].json["input"]["voice"]) == (model, "qwen-tts-x-voice-1")
    assert (exchange.model, exchange.voice_id) == (model, "qwen-tts-x-voice-1")


def _description_hash(voice: Voice) -> str:
    return hashlib.sha256((voice.description or "").encode()).hexdigest()


async def test_a_voice_that_was_not_prepared_is_not_found_and_costs_nothing(open_qwen: OpenQwen, anna: Voice) -> None:
    till = Till()
    async with a_server(says({})) as api:
        exchange = await asked(await open_qwen(api.url), a_request(voice=anna), till)

    assert isinstance(exchange.result, Failure)
    assert (exchange.result.kind, exchange.result.code) == (ErrorKind.VOICE_NOT_FOUND, "local.not_prepared")
    assert (api.seen, till.admitted, exchange.cost.microusd) == ([], [], 0)


async def test_a_voice_is_prepared_once_and_then_known(
    open_qwen: OpenQwen, anna: Voice, registry: VoiceRegistry, clock: FakeClock
) -> None:
    till = Till()
    async with a_server(says({"output": {"voice": "v-1"}})) as api:
        provider = await open_qwen(api.url)
        ids = [
            await provider.prepare_voice(anna, language="en", admission=till, deadline=Deadline(clock, 9.0))
            for _ in range(2)
        ]

    assert ids == ["v-1", "v-1"]
    assert len(api.seen) == 1
    assert till.amounts == [10_000]
    assert [key.account for key in registry.all().values()] == ["acme"]


async def test_a_preset_needs_no_preparation(open_qwen: OpenQwen, clock: FakeClock) -> None:
    provider = await open_qwen("http://127.0.0.1:9")

    prepared = await provider.prepare_voice(
        a_voice(id="Ono_Anna"), language=None, admission=Till(), deadline=Deadline(clock, 9.0)
    )

    assert prepared == "Ono Anna"


async def test_a_voice_that_cannot_be_prepared_says_why(open_qwen: OpenQwen, clock: FakeClock) -> None:
    provider = await open_qwen("http://127.0.0.1:9")

    prepared = await provider.prepare_voice(
        a_voice(VoiceKind.CLONE), language=None, admission=Till(), deadline=Deadline(clock, 9.0)
    )

    assert isinstance(prepared, Failure)
    assert prepared.kind is ErrorKind.BAD_REFERENCE


async def test_a_clone_is_a_voice_and_then_its_probe(open_qwen: OpenQwen, anna: Voice, registry: VoiceRegistry) -> None:
    till = Till()
    made = says({"output": {"voice": "v-1", "fallback_mode": False}, "request_id": "r0"})
    async with (
        a_server(sends(a_wav())) as oss,
        a_server(by_path(spoken(f"{oss.url}/x.wav", chars=60), voices=made)) as api,
    ):
        exchange = await asked(
            await with_audio(open_qwen, api, oss), a_request("", operation=Operation.CLONE, voice=anna), till
        )

    assert exchange.outcome == "ok"
    assert api.paths() == [VOICES, SPEAK]
    assert api.seen[1].json == {
        "model": "qwen3-tts-vc-2026-01-22",
        "input": {
            "text": "The weather is lovely today, let us take a walk in the park.",
            "voice": "v-1",
            "language_type": "English",
        },
    }
    assert [(call.purpose, call.attempt, call.worst_microusd) for call in till.admitted] == [
        ("clone", 1, 10_000),
        ("speak", 2, 690),
    ]
    assert exchange.cost.microusd == 10_690
    assert exchange.cost.basis.startswith("fee per voice, reported characters; ")
    assert (exchange.usage.unit, exchange.usage.units, exchange.usage.voices) == ("voices", 1.0, 1)
    assert (exchange.usage.reported_chars, exchange.voice_id) == (60, "v-1")
    assert exchange.facts["fallback_mode"] is False
    assert registry.all() == {}  # made to be measured, not to speak for others


async def test_a_clone_whose_probe_fails_still_names_the_voice_it_made(open_qwen: OpenQwen, anna: Voice) -> None:
    till = Till()
    refused = says({"code": "DataInspectionFailed", "message": ""}, 400)
    async with a_server(by_path(refused, voices=says({"output": {"voice": "v-1"}}))) as api:
        exchange = await asked(await open_qwen(api.url), a_request("", operation=Operation.CLONE, voice=anna), till)

    assert exchange.outcome == "content_blocked"
    assert (exchange.voice_id, exchange.usage.voices, exchange.cost.microusd) == ("v-1", 1, 10_000)
    assert till.amounts == [10_000, 0]


async def test_a_clone_of_a_poor_reference_is_refused_before_it_costs_anything(
    open_qwen: OpenQwen, references: BlobStore
) -> None:
    sha256 = references.put(a_wav(3.0, rate_hz=16_000), "wav")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript=None))
    till = Till()
    async with a_server(says({})) as api:
        exchange = await asked(await open_qwen(api.url), a_request("", operation=Operation.CLONE, voice=voice), till)

    assert isinstance(exchange.result, Failure)
    assert exchange.result.code == "local.reference_rate"
    assert (exchange.usage.voices, api.seen, till.admitted) == (0, [], [])


async def test_a_design_brings_its_preview_with_it(open_qwen: OpenQwen, registry: VoiceRegistry) -> None:
    till = Till()
    preview = {"data": base64.b64encode(a_wav(silence_s=0.5)).decode(), "sample_rate": 24_000}
    made = says({"output": {"voice": "v-2", "preview_audio": preview}, "request_id": "r2"})
    async with a_server(made) as api:
        exchange = await asked(await open_qwen(api.url), a_request("Welcome.", operation=Operation.DESIGN), till)

    assert isinstance(exchange.result, Speech)
    assert exchange.result.audio == a_wav(silence_s=0.5)
    assert (exchange.model, exchange.voice_id, exchange.provider_request_id) == ("qwen-voice-design", "v-2", "r2")
    assert api.seen[0].json["input"]["preview_text"] == "Welcome."
    assert (exchange.usage.unit, exchange.usage.units, exchange.cost.microusd) == ("voices", 1.0, 200_000)
    assert exchange.timing.first_audio_s is not None
    assert exchange.timing.first_audio_s >= 0.5
    assert exchange.timing.download_s is None
    assert registry.all() == {}


async def test_a_design_without_its_preview_is_no_speech_but_a_voice(open_qwen: OpenQwen) -> None:
    async with a_server(says({"output": {"voice": "v-2"}})) as api:
        exchange = await asked(await open_qwen(api.url), a_request(operation=Operation.DESIGN))

    assert exchange.outcome == "bad_response"
    assert (exchange.voice_id, exchange.usage.voices, exchange.cost.microusd) == ("v-2", 1, 200_000)


@pytest.mark.parametrize(
    ("request_", "worst"),
    [
        pytest.param(a_request("x" * 600), 6_000, id="speech"),
        pytest.param(a_request("你" * 300), 6_000, id="Han counts two"),
        pytest.param(a_request("x" * 100, voice=a_voice(VoiceKind.CLONE)), 1_150, id="cloned voice"),
        pytest.param(a_request("", operation=Operation.CLONE), 10_690, id="clone: voice and probe"),
        pytest.param(a_request(operation=Operation.DESIGN), 200_000, id="design"),
        pytest.param(a_request("x" * 601), 0, id="refused before it is sent"),
        pytest.param(a_request(instructions="whisper"), None, id="a model without a price"),
    ],
)
async def test_the_worst_cost_of_a_request_is_known_before_it_is_sent(
    open_qwen: OpenQwen, request_: SpeechRequest, worst: int | None
) -> None:
    provider = await open_qwen("http://127.0.0.1:9")

    assert provider.worst_microusd(request_) == worst


async def test_a_throttled_call_waits_as_told_and_is_admitted_again(open_qwen: OpenQwen, clock: FakeClock) -> None:
    till = Till()
    throttled = says({"code": "Throttling.RateQuota", "message": ""}, 429, Retry_After="2")
    async with a_server(sends(a_wav())) as oss, a_server(throttled, spoken(f"{oss.url}/x.wav")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), WISH, till)

    assert exchange.outcome == "ok"
    assert exchange.attempts == 2
    assert exchange.facts["failed_attempts"] == ["rate_limited"]
    assert till.amounts == [0, 210]
    assert 2.0 <= clock.monotonic() <= 2.5
    assert exchange.timing.service_s == clock.monotonic()


@pytest.mark.parametrize(
    ("answer", "outcome", "amounts"),
    [
        pytest.param(says({"code": "Throttling", "message": ""}, 429), "rate_limited", [0, 0, 0], id="throttled"),
        pytest.param(says({"code": "InternalError", "message": ""}, 500), "overloaded", [None] * 3, id="overloaded"),
        pytest.param(says({"code": "Arrearage", "message": ""}, 400), "billing", [0], id="bill unpaid"),
        pytest.param(says({"code": "InvalidApiKey", "message": ""}, 401), "auth", [0], id="key refused"),
        pytest.param(says({"code": "ModelNotFound", "message": ""}, 404), "model_retired", [0], id="model gone"),
        pytest.param(says({"output": {"audio": {}}}), "bad_response", [None] * 3, id="no audio named"),
        pytest.param(sends(b"<html>", 200), "bad_response", [None] * 3, id="page instead of JSON"),
        pytest.param(drops(), "unknown_outcome", [None], id="connection lost"),
    ],
)
async def test_a_failed_call_is_retried_and_settled_by_its_kind(
    open_qwen: OpenQwen, answer: Handler, outcome: str, amounts: list[int | None]
) -> None:
    till = Till()
    async with a_server(answer) as api:
        exchange = await asked(await open_qwen(api.url), WISH, till)

    assert exchange.outcome == outcome
    assert till.amounts == amounts
    assert exchange.cost.microusd == sum(210 for amount in amounts if amount is None)


async def test_what_cannot_be_expressed_is_told_without_a_call(open_qwen: OpenQwen) -> None:
    till = Till()
    async with a_server(says({})) as api:
        exchange = await asked(await open_qwen(api.url), a_request("x" * 601), till)

    assert (exchange.outcome, exchange.attempts, exchange.cost.microusd) == ("unsupported", 0, 0)
    assert (api.seen, till.admitted) == ([], [])


async def test_a_spent_budget_sends_nothing(open_qwen: OpenQwen) -> None:
    async with a_server(says({})) as api:
        exchange = await asked(await open_qwen(api.url), WISH, Till(calls=0))

    assert (exchange.outcome, exchange.attempts, api.seen) == ("budget", 0, [])


async def test_a_budget_that_ends_between_voice_and_probe_keeps_the_voice(open_qwen: OpenQwen, anna: Voice) -> None:
    async with a_server(says({"output": {"voice": "v-1"}})) as api:
        exchange = await asked(
            await open_qwen(api.url), a_request("", operation=Operation.CLONE, voice=anna), Till(calls=1)
        )

    assert (exchange.outcome, exchange.voice_id, exchange.cost.microusd) == ("budget", "v-1", 10_000)


async def test_the_deadline_bounds_everything(open_qwen: OpenQwen) -> None:
    till = Till()
    async with a_server(hangs()) as api:
        exchange = await asked(await open_qwen(api.url), WISH, till, seconds=0.05)

    assert exchange.outcome == "timeout_total"
    assert till.amounts == [None]


async def test_a_stalled_reply_is_a_read_timeout_and_is_retried(open_qwen: OpenQwen) -> None:
    till = Till()
    async with a_server(hangs()) as api:
        exchange = await asked(await open_qwen(api.url, read_timeout_s=0.05, max_attempts=2), WISH, till)

    assert exchange.outcome == "timeout_read"
    assert till.amounts == [None, None]


@pytest.mark.parametrize("where", ["api", "download"])
async def test_cancellation_passes_through_and_leaves_nothing_open(open_qwen: OpenQwen, where: str) -> None:
    till = Till()
    async with a_server(hangs()) as oss, a_server(hangs() if where == "api" else spoken(f"{oss.url}/x.wav")) as api:
        provider = await with_audio(open_qwen, api, oss)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(asked(provider, WISH, till))
            while not (api if where == "api" else oss).seen:
                await VirtualClock().sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    assert till.amounts == [None if where == "api" else 210]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(says({"code": "InvalidApiKey", "message": f"bad key {CANARY}"}, 401), id="key quoted"),
        pytest.param(says({"code": "InvalidParameter", "message": "Call me: 0171 5550123"}, 400), id="text quoted"),
        pytest.param(sends(f"<html>{CANARY} Call me: 0171 5550123".encode(), 502), id="gateway that quotes"),
        pytest.param(spoken(f"http://evil.example/x.wav?{SIGNED}"), id="address refused"),
        pytest.param(drops(), id="connection lost"),
    ],
)
async def test_neither_key_nor_signature_nor_text_is_in_the_exchange_or_the_log(
    open_qwen: OpenQwen, caplog: pytest.LogCaptureFixture, answer: Handler
) -> None:
    caplog.set_level(logging.DEBUG)
    async with a_server(answer) as api:
        provider = await open_qwen(api.url)
        exchange = await asked(provider, WISH)

    shown = f"{exchange!r}{provider!r}{caplog.text}{[vars(record) for record in caplog.records]}"
    assert isinstance(exchange.result, Failure)
    for secret in (CANARY, "canary%2Bsignature", "5550123"):
        assert secret not in shown


async def test_a_successful_exchange_holds_no_signed_address_either(
    open_qwen: OpenQwen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav?{SIGNED}")) as api:
        exchange = await asked(await with_audio(open_qwen, api, oss), WISH)

    assert exchange.outcome == "ok"
    assert "ignature" not in f"{exchange!r}{caplog.text}"


def test_without_a_key_the_start_is_refused_by_name(
    prices: PriceList, references: BlobStore, registry: VoiceRegistry, clock: FakeClock
) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_QWEN__API_KEY"):
        QwenProvider(QwenSettings(), prices=prices, references=references, voices=registry, allow_hosts=(), clock=clock)


async def test_the_workspace_is_named_when_there_is_one(open_qwen: OpenQwen) -> None:
    async with a_server(drops()) as api:
        await asked(await open_qwen(api.url, workspace="ws-team"), WISH)

    assert api.seen[0].headers["x-dashscope-workspace"] == "ws-team"


class TestAgainstTheStandIn:
    async def test_every_operation_works_and_voices_can_be_listed_and_deleted(
        self, open_qwen: OpenQwen, references: BlobStore, clock: FakeClock
    ) -> None:
        async with running_qwen(clock=VirtualClock()) as standin:
            provider = await open_qwen(standin.base_url, also=(_audio_host(standin),))
            text = "Welcome to the show of today, my dear friends of the radio, and good evening to all of you."
            designed = await asked(provider, a_request(text, operation=Operation.DESIGN))
            assert isinstance(designed.result, Speech)
            reference = Reference(sha256=references.put(designed.result.audio, "wav"), transcript=text)
            voice = a_voice(VoiceKind.CLONE, reference=reference)
            cloned = await asked(provider, a_request("", operation=Operation.CLONE, voice=voice))
            made = [
                await provider.prepare_voice(each, language="en", admission=Till(), deadline=Deadline(clock, 9.0))
                for each in (voice, a_voice(VoiceKind.DESIGN))
            ]
            said = [
                await asked(provider, request)
                for request in (
                    a_request(),
                    a_request(voice=voice),
                    a_request(voice=a_voice(VoiceKind.DESIGN)),
                    a_request("今天天气很好。", language="zh"),
                )
            ]
            missing = await provider.missing_voices([voice, a_voice(VoiceKind.DESIGN)])
            listed = await provider.account_voices()
            assert isinstance(listed, list)
            gone = [await provider.delete_voice(each.voice_id) for each in listed]
            left = await provider.account_voices()

        assert [exchange.outcome for exchange in (designed, cloned, *said)] == ["ok"] * 6
        assert missing == []
        assert {each.voice_id for each in listed} == {designed.voice_id, cloned.voice_id, *made}
        assert gone == [True] * 4
        assert left == []

    async def test_what_we_book_is_what_it_bills(self, open_qwen: OpenQwen, clock: FakeClock) -> None:
        till = Till()
        async with running_qwen(clock=VirtualClock()) as standin:
            provider = await open_qwen(standin.base_url, also=(_audio_host(standin),))
            for text in ("Good morning.", "那我来给大家推荐一款T恤，这款呢真的是超级好看。", "Hi, 你好!"):
                await asked(provider, a_request(text, language=None), till)
            billed = standin.account.meter()["billed"]

        units = sum(amount or 0 for amount in till.amounts) / 10  # 10 micro-dollars a character
        assert billed == {"qwen3-tts-flash": {"characters": units}}

    async def test_in_a_flaky_service_every_bill_is_covered_by_a_reservation(self, open_qwen: OpenQwen) -> None:
        till = Till()
        async with running_qwen(
            QwenOptions(scenario="flaky", requests_per_minute=1e9), clock=VirtualClock()
        ) as standin:
            provider = await open_qwen(standin.base_url, also=(_audio_host(standin),), read_timeout_s=0.2)
            outcomes = [
                (await asked(provider, a_request(f"Good morning number {each}."), till)).outcome for each in range(60)
            ]
            billed = standin.account.meter()["total"]["characters"] * 10

        worst = {id(call): call.worst_microusd or 0 for call in till.admitted}
        booked = sum(worst[id(call)] if amount is None else amount for call, amount in till.settled)
        assert len(till.settled) == len(till.admitted)
        assert outcomes.count("ok") >= 40
        assert len(set(outcomes)) > 1
        assert billed <= booked

    async def test_a_retired_model_is_told_as_such(self, open_qwen: OpenQwen) -> None:
        async with running_qwen(QwenOptions(retired=frozenset({"qwen3-tts-flash"})), clock=VirtualClock()) as standin:
            exchange = await asked(await open_qwen(standin.base_url), a_request())

        assert exchange.outcome == "model_retired"

    async def test_an_address_that_expired_is_told_as_such(self, open_qwen: OpenQwen) -> None:
        async with running_qwen(QwenOptions(url_lifetime_s=-1.0), clock=VirtualClock()) as standin:
            provider = await open_qwen(standin.base_url, also=(_audio_host(standin),))
            exchange = await asked(provider, a_request())

        assert exchange.outcome == "url_expired"

    async def test_a_voice_store_that_is_full_is_a_quota_and_not_throttling(
        self, open_qwen: OpenQwen, clock: FakeClock
    ) -> None:
        till = Till()
        async with running_qwen(QwenOptions(max_voices=0), clock=VirtualClock()) as standin:
            provider = await open_qwen(standin.base_url)
            made = await provider.prepare_voice(
                a_voice(VoiceKind.DESIGN), language="en", admission=till, deadline=Deadline(clock, 9.0)
            )

        assert isinstance(made, Failure)
        assert made.kind is ErrorKind.QUOTA
        assert till.amounts == [0]

    async def test_voices_are_remembered_for_the_account_they_were_opened_for(
        self, tmp_path: Path, references: BlobStore
    ) -> None:
        clock = VirtualClock()
        async with running_qwen(clock=VirtualClock()) as standin:
            settings = Settings(
                home=tmp_path,
                prices=PRICES,
                allow_hosts=frozenset({URL(standin.base_url).authority}),
                qwen=QwenSettings(
                    base_url=standin.base_url,
                    api_key=SecretStr(f"sk-{'0' * 32}"),
                    allow_voice_creation=True,
                ),
            )
            for account in ("one", "one", "other", None):
                async with open_provider(
                    "qwen", settings, references=references, account=account, clock=clock
                ) as provider:
                    await provider.prepare_voice(
                        a_voice(VoiceKind.DESIGN), language="en", admission=Till(), deadline=Deadline(clock, 9.0)
                    )

        keys = VoiceRegistry(tmp_path / "voices.jsonl").all().values()
        assert [key.account for key in keys] == ["one", "other", URL(standin.base_url).authority]


def _audio_host(standin: Standin) -> str:
    assert standin.audio_url is not None
    return URL(standin.audio_url).authority


@pytest.mark.parametrize("operation", list(Operation))
async def test_no_voice_is_made_unless_that_is_allowed(open_qwen: OpenQwen, anna: Voice, operation: Operation) -> None:
    till = Till()
    voice = a_voice(VoiceKind.DESIGN) if operation is Operation.DESIGN else anna
    request = a_request(operation=operation, voice=voice)
    async with a_server(says({})) as api:
        provider = await open_qwen(api.url, allow_voice_creation=False)
        exchange = await asked(provider, request, till)
        prepared = await provider.prepare_voice(
            voice, language="en", admission=till, deadline=Deadline(VirtualClock(), 5.0)
        )

    assert isinstance(exchange.result, Failure)
    assert (exchange.result.kind, exchange.result.code) == (ErrorKind.UNSUPPORTED, "local.voice_creation_off")
    assert "CUTOVER_QWEN__ALLOW_VOICE_CREATION=1" in exchange.result.detail
    assert prepared == exchange.result
    assert (api.seen, till.admitted, provider.worst_microusd(request)) == ([], [], 0)


async def test_a_voice_that_exists_is_spoken_with_although_none_may_be_made(
    open_qwen: OpenQwen, anna: Voice, registry: VoiceRegistry
) -> None:
    remember(registry, anna, "qwen-tts-vc-voice-1")
    async with a_server(sends(a_wav())) as oss, a_server(spoken(f"{oss.url}/x.wav")) as api:
        provider = await with_audio(open_qwen, api, oss, allow_voice_creation=False)
        exchange = await asked(provider, a_request(voice=anna))

    assert exchange.outcome == "ok"


def remember(registry: VoiceRegistry, voice: Voice, voice_id: str) -> None:
    assert voice.reference
    key = VoiceKey(
        account="acme",
        region="ap-southeast-1",
        target_model="qwen3-tts-vc-2026-01-22",
        source=voice.reference.sha256,
    )
    registry.add(key, voice_id, made_at=NOON)


async def test_a_voice_that_the_provider_no_longer_has_is_forgotten(
    open_qwen: OpenQwen, anna: Voice, registry: VoiceRegistry
) -> None:
    remember(registry, anna, "qwen-tts-vc-voice-1")
    async with a_server(says({"code": "BadRequest.VoiceNotFound", "message": "Voice not found."}, 400)) as api:
        exchange = await asked(await open_qwen(api.url), a_request(voice=anna))

    assert exchange.outcome == "voice_not_found"
    assert registry.all() == {}


async def test_a_preset_that_does_not_exist_is_nothing_to_forget(open_qwen: OpenQwen, registry: VoiceRegistry) -> None:
    remember(registry, a_voice(VoiceKind.CLONE), "qwen-tts-vc-voice-1")
    async with a_server(says({"code": "VoiceNotFound", "message": "Voice not found."}, 400)) as api:
        await asked(await open_qwen(api.url), WISH)

    assert list(registry.all()) == ["qwen-tts-vc-voice-1"]


@pytest.mark.parametrize(("share", "attempts"), [(0.0, [2, 2, 2, 1, 1, 1]), (1.0, [2] * 6)])
async def test_how_many_retries_all_requests_together_may_make_is_a_setting(
    open_qwen: OpenQwen, share: float, attempts: list[int]
) -> None:
    async with a_server(says({"code": "InternalError", "message": "m"}, 500)) as api:
        provider = await open_qwen(api.url, max_attempts=2, retry_share=share)
        exchanges = [await asked(provider, WISH) for _ in attempts]

    assert [exchange.attempts for exchange in exchanges] == attempts


@pytest.mark.parametrize(
    ("code", "status", "advice", "attempts"),
    [
        pytest.param("InternalError", 500, None, 2, id="nothing is advised"),
        pytest.param("InternalError", 500, "false", 1, id="it wants no more"),
        pytest.param("InvalidParameter", 409, None, 1, id="a refusal"),
        pytest.param("InvalidParameter", 409, "true", 2, id="a refusal that it wants to see again"),
    ],
)
async def test_whether_to_try_again_is_the_providers_word_where_it_gives_one(
    open_qwen: OpenQwen, code: str, status: int, advice: str | None, attempts: int
) -> None:
    headers = {} if advice is None else {"x_should_retry": advice}
    async with a_server(says({"code": code, "message": "m"}, status, **headers)) as api:
        exchange = await asked(await open_qwen(api.url, max_attempts=2), WISH)

    assert exchange.attempts == attempts
