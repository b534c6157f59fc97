import asyncio

import aiohttp
import pytest

from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.server import running_modal
from tests.harness.emulators.callers import Answer, Caller
from tests.virtual_time import VirtualClock

# At this scale a cold start takes about 160 ms, and a request is held for 40: shorter, and a busy machine sees one hop.
SHORT = {"hold_s": 20.0, "time_scale": 2e-3}


async def followed(caller: Caller, answer: Answer) -> tuple[Answer, int]:
    """The last answer of a chain of redirects, and how many there were."""
    hops = 0
    while answer.status == 303:
        hops += 1
        answer = await caller.get(answer.headers["Location"])
    return answer, hops


@pytest.mark.parametrize("dialect", Dialect)
async def test_a_long_call_is_redirected_until_it_is_done_and_billed_once(
    session: aiohttp.ClientSession, wav: bytes, dialect: Dialect
) -> None:
    async with running_modal(ModalOptions(dialect=dialect, **SHORT), clock=VirtualClock()) as standin:
        caller = Caller(session, standin.base_url)
        if dialect is Dialect.ENDPOINTS:
            first = await caller.clone(recording=wav)
        else:
            first = await caller.post("/v1/audio/speech", {"input": "Good morning.", "response_format": "mp3"})
        last, hops = await followed(caller, first)
        reloaded = await caller.get(first.headers["Location"])
        billed = standin.account.meter()["total"]["gpu_s"]

    assert hops >= 2
    assert (last.status, last.body) == (200, reloaded.body)
    assert last.headers["Content-Type"] == ("audio/wav" if dialect is Dialect.ENDPOINTS else "audio/mpeg")
    assert billed == pytest.approx(float(last.headers["X-Inference-Seconds"]))


async def test_an_unknown_call_is_the_platforms_own_404(modal: Caller) -> None:
    answer = await modal.get("/clone?__modal_function_call_id=fc-NONE")

    assert (answer.status, answer.body) == (404, b"modal-http: function call not found")


async def test_two_that_wait_get_their_own_voices(session: aiohttp.ClientSession) -> None:
    async with running_modal(ModalOptions(dialect=Dialect.VLLM, **SHORT), clock=VirtualClock()) as standin:
        caller = Caller(session, standin.base_url)
        bodies = [{"input": "Hello.", "seed": 1, "response_format": each} for each in ("wav", "flac")]
        firsts = await asyncio.gather(*(caller.post("/v1/audio/speech", body) for body in bodies))
        lasts = [(await followed(caller, first))[0] for first in firsts]

    assert [last.body[:4] for last in lasts] == [b"RIFF", b"fLaC"]
