import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.emulators.account import Account
from harness.emulators.modal_bodies import Problem
from harness.emulators.modal_work import GpuWork
from harness.emulators.options import ModalOptions
from harness.emulators.studio import Studio
from harness.errors import UsageError
from tests.harness.emulators.callers import samples_of


@dataclass(frozen=True, kw_only=True)
class Bench:
    work: GpuWork
    account: Account
    clock: FakeClock


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    account, clock = Account(None), FakeClock()
    async with Studio() as studio:
        work = GpuWork(ModalOptions(), account=account, studio=studio, clock=clock)
        yield Bench(work=work, account=account, clock=clock)


async def billed(call: Any, bench: Bench) -> dict[str, float]:
    """The bill once the audio of a call exists, or has failed to."""
    await asyncio.wait([call.wav])
    total: dict[str, float] = bench.account.meter()["total"]
    return total


async def test_the_bill_is_what_the_header_says(bench: Bench, wav: bytes) -> None:
    reference = base64.b64encode(wav).decode()
    calls = [bench.work.clone(text, "en", reference, max_tokens=2_048) for text in ("One.", "Two and three.")]

    for call in calls:
        await asyncio.wait([call.wav])

    reported = [float(call.headers["X-Inference-Seconds"]) for call in calls]
    assert bench.account.meter()["billed"] == {"A10G": {"gpu_s": pytest.approx(sum(reported), abs=1e-6)}}
    assert all(5 < seconds < 20 for seconds in reported)


async def test_work_that_nobody_fetches_is_billed_all_the_same(bench: Bench) -> None:
    call = bench.work.generate("Hello.", "en", "Vivian", None)

    assert (await billed(call, bench))["gpu_s"] > 0


async def test_a_reference_that_is_no_audio_fails_and_is_not_billed(bench: Bench) -> None:
    call = bench.work.clone("Hello.", "en", base64.b64encode(b"no audio").decode(), max_tokens=2_048)

    assert await billed(call, bench) == {}
    assert isinstance(call.wav.exception(), Problem)
    assert str(call.wav.exception()).startswith("Generation failed: the reference does not decode")


async def test_a_cancelled_call_costs_what_was_done_by_then(bench: Bench) -> None:
    bench.clock.advance(bench.work.generate("Warm up.", "en", "Vivian", None).due_s)
    call = bench.work.generate("Hello.", "en", "Ryan", None)
    before = (await billed(call, bench))["gpu_s"] - float(call.headers["X-Inference-Seconds"])

    bench.clock.advance((call.due_s - call.started_s) / 4)
    bench.work.cancel(call)
    bench.work.cancel(call)

    after = bench.account.meter()["total"]["gpu_s"] - before
    assert call.is_cancelled
    assert after == pytest.approx(float(call.headers["X-Inference-Seconds"]) / 4, rel=0.01)


async def test_a_finished_call_cannot_be_cancelled(bench: Bench) -> None:
    call = bench.work.generate("Hello.", "en", "Vivian", None)
    bench.clock.advance(call.due_s)

    bench.work.cancel(call)

    assert not call.is_cancelled


async def test_speech_is_cut_at_the_most_tokens(bench: Bench, wav: bytes) -> None:
    call = bench.work.clone("Hello, how are you?", "en", base64.b64encode(wav).decode(), max_tokens=5)

    assert len(samples_of(await call.wav)) == 5 * 1_920


async def test_two_calls_for_the_same_words_differ(bench: Bench) -> None:
    first, second = [await bench.work.design("Hello.", "en", "A calm voice.").wav for _ in range(2)]

    assert first != second


async def test_a_model_nobody_measured_is_refused() -> None:
    async with Studio() as studio:
        with pytest.raises(UsageError, match="no measured latency"):
            GpuWork(ModalOptions(model="tiny"), account=Account(None), studio=studio, clock=FakeClock())


async def test_a_reset_begins_cold_without_jobs_and_with_the_first_take(bench: Bench) -> None:
    first = bench.work.design("Hello.", "en", "A calm voice.")
    bench.work.calls.keep(first)

    bench.work.reset()

    again = bench.work.design("Hello.", "en", "A calm voice.")
    assert bench.work.calls.find(first.id) is None
    assert again.headers["X-Cold-Start"] == "1"
    assert await again.wav == await first.wav
