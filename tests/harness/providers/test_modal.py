import asyncio
import base64
import logging
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.emulators.server import ModalOptions, running_modal
from harness.errors import ErrorKind
from harness.exchanges import Failure, Speech
from harness.providers.base import Deadline
from harness.speech import Operation, Reference, SpeechRequest, Voice, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_request, a_voice
from tests.canaries import MODAL_KEY, MODAL_SECRET
from tests.harness.providers.modal_requests import WORST, OpenModal, asked, redirect
from tests.harness.providers.stubs import (
    CANARY,
    Handler,
    Till,
    a_raw_server,
    a_server,
    a_wav,
    drops,
    hangs,
    says,
    sends,
)
from tests.virtual_time import VirtualClock


async def test_speech_comes_back_with_its_times_and_what_the_gpu_cost(
    open_modal: OpenModal, vivian: SpeechRequest
) -> None:
    till = Till()
    headers = {
        "X_Request_Id": "r1",
        "X_Model": "the-model",
        "X_Gpu": "A10G",
        "X_Inference_Seconds": "2.5",
        "X_Cold_Start": "1",
        "X_Container_Id": "c1",
    }
    async with a_server(sends(a_wav(silence_s=0.25), **headers)) as server:
        exchange = await asked(await open_modal(server.url), vivian, till)

    assert exchange.result == Speech(audio=a_wav(silence_s=0.25), extension="wav", sample_rate_hz=24_000)
    assert (exchange.provider, exchange.model, exchange.region) == ("modal", "the-model", "us-east")
    assert (exchange.provider_request_id, exchange.cold, exchange.attempts) == ("r1", True, 1)
    assert (exchange.usage.unit, exchange.usage.units, exchange.usage.gpu_s) == ("gpu_s", 2.5, 2.5)
    assert exchange.cost.microusd == 765
    assert exchange.cost.basis.startswith("reported GPU seconds; prices ")
    assert set(exchange.facts) == {"gpu", "container", "gpu_s_basis", "gpu_cost"}
    assert [exchange.facts[name] for name in ("gpu", "container", "gpu_s_basis")] == [
        "A10G",
        "c1",
        "reported GPU seconds",
    ]
    assert [(call.purpose, call.worst_microusd) for call in till.admitted] == [("speak", WORST)]
    assert till.amounts == [765]
    assert exchange.timing.first_byte_s is not None
    assert exchange.timing.first_audio_s == exchange.timing.first_byte_s + 0.25


async def test_a_deployment_that_tells_nothing_is_billed_by_the_time_it_took(
    open_modal: OpenModal, vivian: SpeechRequest, clock: FakeClock
) -> None:
    async def slowly(_: Any) -> Any:
        clock.advance(4.0)
        return await sends(a_wav())(_)

    async with a_server(slowly) as server:
        exchange = await asked(await open_modal(server.url), vivian)

    assert exchange.cold is None
    assert exchange.usage.gpu_s == 4.0
    assert exchange.cost.microusd == 1_224
    assert exchange.cost.basis.startswith("wall time as GPU seconds")


@pytest.mark.parametrize("told", ["soon", "-1", "nan", "inf", "1e300", ""])
async def test_gpu_seconds_that_make_no_sense_are_not_believed(
    open_modal: OpenModal, vivian: SpeechRequest, told: str
) -> None:
    async with a_server(sends(a_wav(), X_Inference_Seconds=told)) as server:
        exchange = await asked(await open_modal(server.url), vivian)

    assert exchange.facts["gpu_s_basis"] == "wall time as GPU seconds"


async def test_each_operation_goes_to_its_path_with_the_key(open_modal: OpenModal, anna: Voice) -> None:
    requests = [
        a_request(voice=a_voice(id="Vivian")),
        a_request(voice=anna),
        a_request("", operation=Operation.CLONE, voice=anna),
        a_request(operation=Operation.DESIGN),
    ]
    till = Till()
    async with a_server(sends(a_wav())) as server:
        provider = await open_modal(server.url)
        exchanges = [await asked(provider, request, till) for request in requests]

    assert [exchange.outcome for exchange in exchanges] == ["ok"] * 4
    assert server.paths() == ["POST /generate", "POST /clone", "POST /clone", "POST /design"]
    assert [call.purpose for call in till.admitted] == ["speak", "speak", "speak", "design"]
    assert base64.b64decode(server.seen[1].json["ref_audio_base64"]) == a_wav(3.0)
    assert {(seen.headers["modal-key"], seen.headers["modal-secret"]) for seen in server.seen} == {
        (f"wk-{CANARY}", f"ws-{CANARY}")
    }


async def test_what_cannot_be_expressed_is_told_without_a_call(open_modal: OpenModal) -> None:
    till = Till()
    async with a_server(sends(a_wav())) as server:
        provider = await open_modal(server.url)
        request = a_request(language="nl")

        exchange = await asked(provider, request, till)

        assert provider.worst_microusd(request) == 0
    assert exchange.outcome == "unsupported"
    assert (exchange.attempts, exchange.cost.microusd, till.admitted, server.seen) == (0, 0, [], [])


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        pytest.param(redirect(100, last=sends(a_wav())), "more than 30 redirects", id="without end"),
        pytest.param(sends(b"", 303, location="http://169.254.169.254/x"), "somewhere else", id="to the metadata"),
        pytest.param(sends(b"", 303, location="https://evil.example/x"), "somewhere else", id="to another host"),
        pytest.param(sends(b"", 303, location="http://127.0.0.1:1/x"), "somewhere else", id="to another port"),
        pytest.param(sends(b"", 303, location="http://127.0.0.1:99999/x"), "somewhere else", id="to no port"),
        pytest.param(sends(b"", 303, location="file:///etc/passwd"), "somewhere else", id="to a file"),
    ],
)
async def test_a_redirect_that_leads_nowhere_good_is_not_followed(
    open_modal: OpenModal, vivian: SpeechRequest, answer: Handler, detail: str
) -> None:
    async with a_server(answer) as server:
        exchange = await asked(await open_modal(server.url, max_attempts=1), vivian)

    assert isinstance(exchange.result, Failure)
    assert (exchange.result.kind, exchange.result.code) == (ErrorKind.BAD_RESPONSE, "local.redirect")
    assert detail in exchange.result.detail


async def test_the_key_does_not_follow_a_redirect_to_another_server(
    open_modal: OpenModal, vivian: SpeechRequest
) -> None:
    async with a_server(sends(a_wav())) as other, a_server(sends(b"", 303, location=f"{other.url}/x")) as server:
        await asked(await open_modal(server.url, max_attempts=1), vivian)

    assert other.seen == []


@pytest.mark.parametrize(
    ("answer", "outcome", "amounts"),
    [
        pytest.param(says({"detail": "'text' is required"}, 400), "bad_request", [0], id="refused"),
        pytest.param(says({"detail": "Unsupported speaker: X"}, 400), "unsupported", [0], id="no such speaker"),
        pytest.param(
            says({"detail": [{"loc": ["body", "text"], "msg": "field required", "type": "x"}]}, 422),
            "bad_request",
            [0],
            id="validation",
        ),
        pytest.param(
            sends(b"modal-http: missing credentials for proxy authorization", 401, "text/plain"),
            "auth",
            [0],
            id="no credentials",
        ),
        pytest.param(says({"detail": "Not Found"}, 404), "unsupported", [0], id="not in this deployment"),
        pytest.param(sends(b"modal-http: app stopped", 404, "text/plain"), "model_retired", [0], id="app gone"),
        pytest.param(sends(b"<html>login</html>"), "bad_audio", [0], id="page instead of audio"),
        pytest.param(sends(b""), "empty_audio", [0], id="nothing instead of audio"),
        pytest.param(sends(a_wav()[:-9]), "truncated_audio", [0], id="cut off"),
        pytest.param(sends(a_wav(0.0, silence_s=1.0)), "empty_audio", [0], id="silence"),
        pytest.param(drops(), "unknown_outcome", [None], id="connection lost"),
        pytest.param(sends(a_wav(), 206), "bad_response", [0, 0], id="a status we did not ask for"),
    ],
)
async def test_what_goes_wrong_is_an_outcome_and_is_settled(
    open_modal: OpenModal, vivian: SpeechRequest, answer: Handler, outcome: str, amounts: list[int | None]
) -> None:
    # The clock stands still meanwhile, so wall time costs nothing here.
    till = Till()
    async with a_server(answer) as server:
        exchange = await asked(await open_modal(server.url), vivian, till)

    assert exchange.outcome == outcome
    assert till.amounts == amounts
    assert exchange.attempts == len(amounts)


async def test_a_failed_generation_is_tried_again_and_billed_by_the_time_it_took(
    open_modal: OpenModal, vivian: SpeechRequest, clock: FakeClock
) -> None:
    async def failing(request: Any) -> Any:
        clock.advance(1.0)
        return await says({"detail": "Generation failed: CUDA out of memory"}, 500, X_Request_Id="r1")(request)

    till = Till()
    async with a_server(failing, sends(a_wav(), X_Inference_Seconds="1")) as server:
        exchange = await asked(await open_modal(server.url), vivian, till)

    assert exchange.outcome == "ok"
    assert till.amounts == [306, 306]
    assert exchange.facts["failed_attempts"] == ["overloaded"]


async def test_a_reply_cut_off_midway_is_a_broken_connection(open_modal: OpenModal, vivian: SpeechRequest) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 90000\r\n\r\n"
    till = Till()
    async with a_raw_server(head + a_wav(), then="reset") as base:
        exchange = await asked(await open_modal(base, max_attempts=1), vivian, till)

    assert exchange.outcome == "conn_reset"
    assert till.amounts == [None]


async def test_a_spent_budget_sends_nothing(open_modal: OpenModal, vivian: SpeechRequest) -> None:
    async with a_server(sends(a_wav())) as server:
        exchange = await asked(await open_modal(server.url), vivian, Till(calls=0))

    assert exchange.outcome == "budget"
    assert server.seen == []


async def test_the_deadline_bounds_everything(open_modal: OpenModal, vivian: SpeechRequest) -> None:
    till = Till()
    async with a_server(hangs()) as server:
        exchange = await asked(await open_modal(server.url), vivian, till, seconds=0.05)

    assert exchange.outcome == "timeout_total"
    assert till.amounts == [None]


async def test_cancellation_passes_through_and_leaves_nothing_open(
    open_modal: OpenModal, vivian: SpeechRequest
) -> None:
    till = Till()
    async with a_server(hangs()) as server:
        provider = await open_modal(server.url)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(asked(provider, vivian, till))
            while not server.seen:
                await VirtualClock().sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    assert till.amounts == [None]


async def test_a_gpu_without_a_price_costs_an_unknown_amount(open_modal: OpenModal, vivian: SpeechRequest) -> None:
    till = Till()
    async with a_server(sends(a_wav())) as server:
        provider = await open_modal(server.url, gpu="B300")

        exchange = await asked(provider, vivian, till)

        assert provider.worst_microusd(vivian) is None
    assert [call.worst_microusd for call in till.admitted] == [None]
    assert till.amounts == [None]
    assert (exchange.cost.microusd, exchange.cost.basis) == (None, "unknown price")


async def test_the_worst_case_is_a_gpu_busy_for_as_long_as_we_would_wait(
    open_modal: OpenModal, vivian: SpeechRequest
) -> None:
    provider = await open_modal("http://127.0.0.1:9", deadline_s=100.0)

    assert provider.worst_microusd(vivian) == 30_600


async def test_there_are_no_voices_to_prepare_or_delete(open_modal: OpenModal, anna: Voice, clock: FakeClock) -> None:
    provider = await open_modal("http://127.0.0.1:9")

    assert await provider.missing_voices([anna]) == []
    assert await provider.prepare_voice(anna, language="en", admission=Till(), deadline=Deadline(clock, 1.0)) is None
    assert await provider.delete_voice("any")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(says({"detail": "cannot say Call me: 0171 5550123"}, 500), id="text quoted"),
        pytest.param(says({"detail": f"bad key wk-{CANARY}"}, 401), id="key quoted"),
        pytest.param(sends(b"", 303, location=f"http://other.example/?key={CANARY}"), id="key in a redirect"),
        pytest.param(drops(), id="connection lost"),
    ],
)
async def test_neither_key_nor_text_is_in_the_exchange_or_the_log(
    open_modal: OpenModal, vivian: SpeechRequest, caplog: pytest.LogCaptureFixture, answer: Handler
) -> None:
    caplog.set_level(logging.DEBUG)
    async with a_server(answer) as server:
        provider = await open_modal(server.url)
        exchange = await asked(provider, vivian)

    shown = f"{exchange!r}{provider!r}{caplog.text}{[vars(record) for record in caplog.records]}"
    assert isinstance(exchange.result, Failure)
    assert CANARY not in shown
    assert "5550123" not in shown


class TestAgainstTheStandIn:
    async def test_every_operation_works(self, open_modal: OpenModal, references: BlobStore) -> None:
        options = ModalOptions(key=f"wk-{CANARY}", secret=f"ws-{CANARY}")
        async with running_modal(options, clock=VirtualClock()) as standin:
            provider = await open_modal(standin.base_url)
            text = "Welcome to the show of today, my dear friends of the radio."
            designed = await asked(provider, a_request(text, operation=Operation.DESIGN))
            assert isinstance(designed.result, Speech)
            preview = Reference(sha256=references.put(designed.result.audio, "wav"), transcript=text)
            rest = [
                await asked(provider, request)
                for request in (
                    a_request(voice=a_voice(id="Ono Anna"), language="ja"),
                    a_request(voice=a_voice(VoiceKind.DESIGN, reference=preview)),
                    a_request("", operation=Operation.CLONE, voice=a_voice(VoiceKind.CLONE, reference=preview)),
                )
            ]

        assert [exchange.outcome for exchange in rest] == ["ok"] * 3
        assert [exchange.cold for exchange in (designed, *rest)].count(None) == 0
        assert all((exchange.usage.gpu_s or 0) > 0 for exchange in rest)

    async def test_what_we_book_is_what_it_bills(self, open_modal: OpenModal, vivian: SpeechRequest) -> None:
        async with running_modal(clock=VirtualClock()) as standin:
            provider = await open_modal(standin.base_url)
            exchanges = [await asked(provider, vivian) for _ in range(3)]
            billed = standin.account.meter()["total"]

        assert sum(exchange.usage.units for exchange in exchanges) == pytest.approx(billed["gpu_s"], abs=0.01)

    async def test_a_request_that_is_held_is_followed(self, open_modal: OpenModal, vivian: SpeechRequest) -> None:
        async with running_modal(ModalOptions(hold_s=10.0, time_scale=0.003), clock=VirtualClock()) as standin:
            exchange = await asked(await open_modal(standin.base_url), vivian)
            meter = standin.account.meter()

        assert exchange.outcome == "ok"
        assert exchange.redirect_hops >= 1
        assert exchange.usage.units == pytest.approx(meter["total"]["gpu_s"], abs=0.01)

    async def test_a_wrong_key_is_told(self, open_modal: OpenModal, vivian: SpeechRequest) -> None:
        async with running_modal(ModalOptions(key=MODAL_KEY, secret=MODAL_SECRET), clock=VirtualClock()) as standin:
            exchange = await asked(await open_modal(standin.base_url), vivian)

        assert exchange.outcome == "auth"

    async def test_a_speaker_of_the_hosted_models_only_is_unsupported(self, open_modal: OpenModal) -> None:
        async with running_modal(clock=VirtualClock()) as standin:
            exchange = await asked(await open_modal(standin.base_url), a_request(voice=a_voice(id="Cherry")))

        assert exchange.outcome == "unsupported"


async def test_functions_with_hosts_of_their_own_are_called_there_with_the_key(
    open_modal: OpenModal, anna: Voice, clock: FakeClock
) -> None:
    submitted = says({"job_id": "fc-1"})
    done = says({"status": "completed"})
    async with (
        a_server(submitted) as submit,
        a_server(done) as status,
        a_server(sends(a_wav())) as result,
        a_server(redirect(1, last=sends(a_wav()))) as generate,
    ):
        hosts = (submit, status, result, generate)
        provider = await open_modal(
            None,
            also=tuple(server.url.removeprefix("http://") for server in hosts),
            submit_url=submit.url,
            status_url=status.url,
            result_url=result.url,
            generate_url=generate.url,
            submit_over_chars=0,
        )
        job = await asked(provider, a_request("A long text.", voice=anna), seconds=60.0)
        spoken = await asked(provider, a_request(voice=a_voice(id="Vivian")), seconds=60.0)
        designed = await asked(provider, a_request(operation=Operation.DESIGN))

    assert (job.outcome, spoken.outcome, spoken.redirect_hops) == ("ok", "ok", 1)
    assert [server.paths() for server in hosts] == [["POST /"], ["GET /"], ["GET /"], ["POST /", "GET /"]]
    assert {seen.headers["modal-key"] for server in hosts for seen in server.seen} == {f"wk-{CANARY}"}
    assert isinstance(designed.result, Failure)
    assert (designed.outcome, designed.cost.microusd) == ("unsupported", 0)
    assert "CUTOVER_MODAL__DESIGN_URL" in designed.result.detail


async def test_a_redirect_to_another_function_of_the_deployment_is_not_followed(
    open_modal: OpenModal, vivian: SpeechRequest
) -> None:
    async with a_server(sends(a_wav())) as other:
        away = sends(b"", 303, location=f"{other.url}/?__modal_function_call_id=fc-1")
        async with a_server(away) as generate:
            hosts = tuple(server.url.removeprefix("http://") for server in (generate, other))
            provider = await open_modal(None, also=hosts, generate_url=generate.url, clone_url=other.url)
            exchange = await asked(provider, vivian)

    assert exchange.outcome == "bad_response"
    assert other.seen == []


@pytest.mark.parametrize(("share", "attempts"), [(0.0, [2, 2, 2, 1, 1, 1]), (1.0, [2] * 6)])
async def test_how_many_retries_all_requests_together_may_make_is_a_setting(
    open_modal: OpenModal, vivian: SpeechRequest, share: float, attempts: list[int]
) -> None:
    async with a_server(says({"detail": "Generation failed: out of memory"}, 500)) as server:
        provider = await open_modal(server.url, retry_share=share)
        exchanges = [await asked(provider, vivian) for _ in attempts]

    assert [exchange.attempts for exchange in exchanges] == attempts
