import asyncio
import json
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.emulators.server import ModalOptions, running_modal
from harness.errors import ErrorKind
from harness.exchanges import Exchange, Failure, Speech
from harness.providers.base import Deadline
from harness.speech import Operation, SpeechRequest, Voice, VoiceKind
from tests.builders import a_request, a_voice
from tests.harness.providers.modal_requests import WORST, OpenModal, asked, redirect
from tests.harness.providers.stubs import (
    CANARY,
    Handler,
    Script,
    Till,
    a_server,
    a_wav,
    drops,
    hangs,
    says,
    sends,
)
from tests.virtual_time import VirtualClock

LONG = "A long text about nothing much, which takes a while to say."
SUBMITTED = says({"job_id": "fc-1", "status": "submitted", "text_length": len(LONG)})
RUNNING = says({"job_id": "fc-1", "status": "running", "result_ready": False, "elapsed_seconds": 2.0})
COMPLETED = says({"job_id": "fc-1", "status": "completed", "result_ready": True})
FAILED = says({"job_id": "fc-1", "status": "failed", "result_ready": False, "error": "out of memory"})


@pytest.fixture
def long(anna: Voice) -> SpeechRequest:
    return a_request(LONG, voice=anna)


async def asked_at(
    open_modal: OpenModal,
    server: Script,
    request: SpeechRequest,
    *,
    till: Till | None = None,
    seconds: float = 10.0,
    **settings: Any,
) -> Exchange:
    provider = await open_modal(server.url, **({"submit_over_chars": 20} | settings))
    return await provider.synthesize(request, admission=till or Till(), deadline=Deadline(VirtualClock(), seconds))


async def test_a_long_text_is_submitted_and_asked_after_until_its_result_is_there(
    open_modal: OpenModal, clock: FakeClock, long: SpeechRequest
) -> None:
    till = Till()
    began_s = clock.monotonic()
    audio = sends(a_wav(), X_Inference_Seconds="3.0", X_Cold_Start="0")
    async with a_server(SUBMITTED, RUNNING, RUNNING, COMPLETED, audio) as server:
        exchange = await asked_at(open_modal, server, long, till=till)

    assert exchange.result == Speech(audio=a_wav(), extension="wav", sample_rate_hz=24_000)
    assert server.paths() == ["POST /submit-job", *["GET /job-status"] * 3, "GET /job-result"]
    assert {seen.query for seen in server.seen[1:]} == {"job_id=fc-1"}
    assert all(seen.headers["modal-key"] == f"wk-{CANARY}" for seen in server.seen)
    assert set(server.seen[0].json) == {"text", "language", "ref_audio_base64", "ref_text"}
    assert clock.monotonic() - began_s == 6.0  # two seconds before each question
    assert exchange.timing.service_s == 6.0  # the polls are part of what a caller waits
    assert exchange.timing.first_byte_s == 6.0
    assert (till.amounts, exchange.attempts, exchange.usage.gpu_s) == ([918], 1, 3.0)


@pytest.mark.parametrize(
    ("changes", "settings", "path"),
    [
        pytest.param({"text": LONG}, {}, "/submit-job", id="long"),
        pytest.param({"text": "x" * 20}, {}, "/clone", id="as long as allowed"),
        pytest.param({"text": LONG}, {"submit_over_chars": None}, "/clone", id="jobs are off"),
        pytest.param({"text": LONG, "voice": a_voice(id="Vivian")}, {}, "/generate", id="presets have no jobs"),
        pytest.param(
            {"text": LONG, "operation": Operation.DESIGN, "voice": a_voice(VoiceKind.DESIGN)},
            {},
            "/design",
            id="design",
        ),
    ],
)
async def test_only_long_cloned_speech_becomes_a_job(
    open_modal: OpenModal, long: SpeechRequest, changes: dict[str, Any], settings: dict[str, Any], path: str
) -> None:
    request = a_request(**({"voice": long.voice} | changes))
    async with a_server(says({"detail": "no"}, 400)) as server:
        await asked_at(open_modal, server, request, **settings)

    assert [seen.path for seen in server.seen] == [path]


@pytest.mark.parametrize(
    ("answers", "kind", "booked"),
    [
        pytest.param([says({"detail": "'text' is required"}, 400)], ErrorKind.BAD_REQUEST, 0, id="refused at once"),
        pytest.param([says({"status": "submitted"})], ErrorKind.BAD_RESPONSE, None, id="no job named"),
        pytest.param([sends(b"[]")], ErrorKind.BAD_RESPONSE, None, id="no object"),
        pytest.param(
            [SUBMITTED, FAILED, says({"detail": "Failed to get result: out of memory"}, 500)],
            ErrorKind.OVERLOADED,
            612,  # two seconds of the clock
            id="failed",
        ),
        pytest.param([SUBMITTED, says({"detail": "gone"}, 404)], ErrorKind.UNKNOWN_OUTCOME, None, id="forgotten"),
        pytest.param([SUBMITTED, says({"detail": "who?"}, 401)], ErrorKind.AUTH, None, id="a key taken away meanwhile"),
        pytest.param([SUBMITTED, COMPLETED, sends(b"")], ErrorKind.EMPTY_AUDIO, 612, id="nothing in it"),
    ],
)
async def test_a_job_that_goes_wrong_is_an_outcome_and_is_settled(
    open_modal: OpenModal, long: SpeechRequest, answers: list[Handler], kind: ErrorKind, booked: int | None
) -> None:
    till = Till()
    async with a_server(*answers) as server:
        exchange = await asked_at(open_modal, server, long, till=till, max_attempts=1)

    assert isinstance(exchange.result, Failure)
    assert exchange.result.kind is kind
    assert till.amounts == [booked]
    assert LONG not in exchange.result.detail


async def test_hiccups_while_a_job_runs_do_not_lose_it(open_modal: OpenModal, long: SpeechRequest) -> None:
    till = Till()
    platform = sends(b"modal-http: bad gateway", 502, "text/plain")
    answers = [SUBMITTED, platform, drops(), COMPLETED, says({"detail": "Job still processing"}, 202), COMPLETED]
    async with a_server(*answers, sends(a_wav())) as server:
        exchange = await asked_at(open_modal, server, long, till=till)

    assert exchange.outcome == "ok"
    assert len(till.admitted) == 1
    assert server.paths().count("POST /submit-job") == 1


async def test_a_job_that_outlives_the_deadline_is_cancelled_and_stays_at_its_worst_cost(
    open_modal: OpenModal, clock: FakeClock, long: SpeechRequest
) -> None:
    till = Till()
    async with a_server(SUBMITTED, RUNNING) as server:
        provider = await open_modal(server.url, submit_over_chars=20, max_attempts=1)
        exchange = await provider.synthesize(long, admission=till, deadline=Deadline(clock, 9.0))

    assert exchange.outcome == "timeout_total"
    assert server.paths() == ["POST /submit-job", *["GET /job-status"] * 4, "POST /job-cancel"]
    assert json.loads(server.seen[-1].body) == {"job_id": "fc-1"}
    assert till.amounts == [None]


async def test_a_question_that_hangs_is_asked_again(open_modal: OpenModal, long: SpeechRequest) -> None:
    async with a_server(SUBMITTED, hangs(), COMPLETED, sends(a_wav())) as server:
        exchange = await asked_at(open_modal, server, long, read_timeout_s=0.05)

    assert exchange.outcome == "ok"


async def test_the_stand_in_does_a_job(open_modal: OpenModal, long: SpeechRequest) -> None:
    async with running_modal(ModalOptions(time_scale=0.001), clock=VirtualClock()) as standin:
        provider = await open_modal(standin.base_url, submit_over_chars=20, poll_s=0.5)
        exchange = await provider.synthesize(long, admission=Till(), deadline=Deadline(VirtualClock(), 10.0))

    assert exchange.outcome == "ok"
    assert exchange.usage.gpu_s is not None


async def test_a_long_request_is_followed_through_its_redirects_as_one_paid_call(
    open_modal: OpenModal, vivian: SpeechRequest
) -> None:
    till = Till()
    async with a_server(redirect(12, last=sends(a_wav(), X_Inference_Seconds="3"))) as server:
        exchange = await asked(await open_modal(server.url), vivian, till)

    assert exchange.outcome == "ok"
    assert exchange.redirect_hops == 12
    assert server.paths() == ["POST /generate"] + ["GET /generate"] * 12
    assert {seen.headers["modal-key"] for seen in server.seen} == {f"wk-{CANARY}"}
    assert [seen.body for seen in server.seen[1:]] == [b""] * 12
    assert till.amounts == [918]
    assert exchange.timing.connect_s is not None  # of the first request, which opened the connection


async def test_the_first_byte_is_counted_from_the_first_request_not_the_last_redirect(
    open_modal: OpenModal, vivian: SpeechRequest, clock: FakeClock
) -> None:
    async def slowly(request: Any) -> Any:
        clock.advance(150.0)
        return await redirect(2, last=sends(a_wav()))(request)

    async with a_server(slowly) as server:
        exchange = await asked(await open_modal(server.url), vivian)

    assert exchange.timing.first_byte_s == exchange.timing.service_s == 450.0


async def test_a_wait_that_breaks_is_taken_up_again_without_paying_again(
    open_modal: OpenModal, vivian: SpeechRequest
) -> None:
    till = Till()
    to_result = sends(b"", 303, location="/result?__modal_function_call_id=fc-1")
    async with a_server(to_result, drops(), drops(), sends(a_wav())) as server:
        exchange = await asked(await open_modal(server.url), vivian, till)

    assert exchange.outcome == "ok"
    assert [path for path in server.paths() if path.startswith("POST")] == ["POST /generate"]
    assert len(till.admitted) == 1


async def test_a_result_that_can_never_be_had_may_have_been_billed(
    open_modal: OpenModal, vivian: SpeechRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def then_unreachable(request: Any) -> Any:
        async def never(*_: Any) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
        return await sends(b"", 303, location="/result?__modal_function_call_id=fc-1", Connection="close")(request)

    till = Till()
    async with a_server(then_unreachable) as server:
        provider = await open_modal(server.url, max_attempts=1, connect_timeout_s=0.05)
        exchange = await asked(provider, vivian, till)

    assert exchange.outcome == "timeout_connect"  # which alone would cost nothing
    assert till.amounts == [None]
    assert exchange.cost.microusd == WORST
    assert exchange.cost.basis.startswith("worst case")
