"""The rows of the fault matrix (reliability.md, section 3) that the client of the legacy path answers for."""

from pathlib import Path
from typing import Any

import pytest

from harness.exchanges import Failure
from harness.providers.modal import ModalProvider
from tests.faulted import VIVIAN, Case, a_modal_bench, case, request_of
from tests.harness.providers.stubs import a_server, sends

QUICK = {"connect_timeout_s": 0.1, "read_timeout_s": 0.15, "max_attempts": 1}
SMALL = {"max_reply_bytes": 1_000_000}
VLLM = {"settings": {"dialect": "openai"}, "request": {"stream": True}}
PAID = -1  # stands for the exact cost of the work, which the GPU's seconds decide


def once(name: str, **parameters: Any) -> dict[str, Any]:
    return {"fault": name, "times": 1, **parameters}


def always(name: str, **parameters: Any) -> dict[str, Any]:
    return {"fault": name, "times": None, **parameters}


CASES = [
    case(1, "429 with a time", once("platform-429", retry_after="2"), outcome="ok", attempts=2, booked=(0, PAID),
         waits_s=(2.0, 2.5)),
    case(2, "429 with thirty years", once("platform-429", retry_after="1000000000"), outcome="rate_limited",
         attempts=1, booked=(0,), waits_s=(0.0, 0.0)),
    case(4, "the app fails", "app-error", outcome="overloaded", attempts=2, booked=(PAID, PAID)),
    case(4, "the app fails once", once("app-error"), outcome="ok", attempts=2, booked=(PAID, PAID)),
    case(5, "503 throughout", "platform-503", outcome="overloaded", attempts=2, booked=(PAID, PAID)),
    case(5, "504", "gateway-timeout", outcome="timeout_read", attempts=2, booked=(PAID, PAID)),
    case(6, "a language it does not speak", outcome="unsupported", attempts=0, booked=(),
         request={"language": "sv"}),
    case(8, "401", "platform-401", outcome="auth", attempts=1, booked=(0,)),
    case(8, "an app that is gone", "platform-404", outcome="model_retired", attempts=1, booked=(0,)),
    case(9, "a head that drips", always("slow-head", bytes_per_s=100), outcome="timeout_read", attempts=1,
         booked=(None,), settings=QUICK, real_time=True, detail="head of the reply only dripped"),
    case(9, "audio that drips", always("slow-body", bytes_per_s=100), outcome="timeout_read", attempts=1,
         booked=(None,), settings=QUICK, real_time=True, detail="only dripped"),
    case(9, "silence", "hang-after", outcome="timeout_read", attempts=1, booked=(None,), settings=QUICK),
    case(11, "reset before the work", "reset-before", outcome="unknown_outcome", attempts=1, booked=(None,)),
    case(11, "reset after the work", "reset-after", outcome="unknown_outcome", attempts=1, booked=(None,)),
    case(12, "audio cut in the middle", "cut", outcome="conn_reset", attempts=2, booked=(None, None)),
    case(12, "audio cut once", once("cut"), outcome="ok", attempts=2, booked=(None, PAID)),
    case(13, "less than promised", "length-too-long", outcome="conn_reset", attempts=2, booked=(None, None)),
    case(13, "more than promised", always("length-too-short"), outcome="truncated_audio|bad_response",
         attempts=1, settings={"max_attempts": 1}),  # by how the bytes fall into reads
    case(14, "a WAV file that ends early", "wav-cut", outcome="truncated_audio", attempts=1, booked=(PAID,)),
    case(15, "an empty body", "audio-empty", outcome="empty_audio", attempts=1, booked=(PAID,)),
    case(15, "44 bytes", "wav-head-only", outcome="empty_audio", attempts=1, booked=(PAID,)),
    case(15, "silence all through", "wav-silent", outcome="empty_audio", attempts=1, booked=(PAID,)),
    case(16, "a page as audio/wav", always("html", content_type="audio/wav"), outcome="bad_audio", attempts=1,
         booked=(PAID,), detail="a page instead of audio, beginning with 3c21646f63747970"),
    case(17, "200 with an error in JSON", "json-error", outcome="bad_audio", attempts=1, booked=(PAID,),
         detail="JSON instead of audio"),
    case(18, "brackets instead of audio", "json-deep", outcome="bad_audio", attempts=1, booked=(PAID,)),
    case(22, "a redirect that is not the platform's", "redirect", outcome="bad_response", attempts=2,
         booked=(PAID, PAID)),
    case(22, "the platform's redirect to elsewhere", always("redirect", status=303), outcome="bad_response",
         attempts=2, booked=(None, None), detail="not followed"),
    case(26, "a gzip bomb", always("gzip-bomb", megabytes=64), outcome="too_large", attempts=1, booked=(None,),
         settings=SMALL),
    case(26, "audio without end", "endless", outcome="too_large", attempts=1, booked=(None,), settings=SMALL),
    case(27, "a stream cut off", "stream-cut", outcome="truncated_audio|conn_reset", attempts=1, booked=(None,),
         settings={"dialect": "openai", "max_attempts": 1}, request={"stream": True}),
    case(27, "a stream without its end", "stream-no-end", outcome="truncated_audio", attempts=1, booked=(None,),
         **VLLM),
    case(27, "an error in the middle", "stream-error-event", outcome="overloaded", attempts=1, booked=(None,), **VLLM),
    case(27, "a bare error in the middle", "stream-error-data", outcome="overloaded", attempts=1, booked=(None,),
         **VLLM),
    *(case(27, f"harmless: {name}", name, outcome="ok", attempts=1, booked=(PAID,), **VLLM)
      for name in ("stream-bytewise", "stream-crlf", "stream-multiline", "stream-no-last-blank")),
    case(28, "a cold start", outcome="ok", attempts=1, booked=(PAID,), options={"idle_window_s": 0.0}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_a_fault_is_one_outcome_a_number_of_attempts_and_a_cost(case: Case, tmp_path: Path) -> None:
    async with a_modal_bench(case, tmp_path) as bench:
        began_s = bench.clock.monotonic()
        exchange = await bench.ask(request_of(case, voice=VIVIAN))
        waited_s = bench.clock.monotonic() - began_s
        gpu_s = bench.standin.account.meter()["total"].get("gpu_s", 0.0)
        provider = bench.provider

    assert exchange.outcome in case.outcome.split("|"), exchange.result
    assert exchange.attempts == case.attempts
    assert len(bench.till.amounts) == exchange.attempts
    for amount, expected in zip(bench.till.amounts, case.booked or bench.till.amounts, strict=True):
        assert amount == expected if expected != PAID else amount is not None
    assert isinstance(provider, ModalProvider)
    assert exchange.outcome != "ok" or (provider._rate.microusd(gpu_s) or 0) <= bench.booked() + 2
    assert case.waits_s is None or case.waits_s[0] <= waited_s <= case.waits_s[1]
    assert not isinstance(exchange.result, Failure) or case.detail in exchange.result.detail


HEALTHY = Case(row=23, faults=(), outcome="ok", attempts=1, options={"hold_s": 10.0})


async def test_f23_the_platforms_redirects_are_followed_as_one_paid_call(tmp_path: Path) -> None:
    async with a_modal_bench(HEALTHY, tmp_path) as bench:
        exchange = await bench.ask(request_of(HEALTHY, voice=VIVIAN))
        meter = bench.standin.account.meter()

    assert (exchange.outcome, exchange.attempts) == ("ok", 1)
    assert exchange.redirect_hops >= 1
    assert len(bench.till.admitted) == 1
    assert exchange.usage.units == pytest.approx(meter["total"]["gpu_s"], abs=0.01)


async def test_f23_a_wait_that_breaks_is_taken_up_again_and_not_paid_again(tmp_path: Path) -> None:
    faults = ({"fault": "reset-before", "skip": 1, "times": 1},)
    case = Case(row=23, faults=faults, outcome="ok", attempts=1, options={"hold_s": 10.0})
    async with a_modal_bench(case, tmp_path) as bench:
        exchange = await bench.ask(request_of(case, voice=VIVIAN))

    assert (exchange.outcome, exchange.attempts, len(bench.till.admitted)) == ("ok", 1, 1)


async def test_f22_the_key_follows_no_redirect_to_another_server(tmp_path: Path) -> None:
    async with a_server(sends(b"got you")) as elsewhere:
        redirect = always("redirect", status=303, location=f"{elsewhere.url}/x?__modal_function_call_id=fc-1")
        case = Case(row=22, faults=(redirect,), outcome="bad_response", attempts=2)
        async with a_modal_bench(case, tmp_path) as bench:
            exchange = await bench.ask(request_of(case, voice=VIVIAN))

    assert exchange.outcome == "bad_response"
    assert elsewhere.seen == []


async def test_f28_a_cold_start_is_tagged_and_a_warm_one_is_not(tmp_path: Path) -> None:
    case = Case(row=28, faults=(), outcome="ok", attempts=1, options={"idle_window_s": 300.0, "time_scale": 0.01})
    async with a_modal_bench(case, tmp_path) as bench:
        exchanges = [await bench.ask(request_of(case, voice=VIVIAN)) for _ in range(2)]

    assert [exchange.outcome for exchange in exchanges] == ["ok", "ok"]
    assert [exchange.cold for exchange in exchanges] == [True, False]
