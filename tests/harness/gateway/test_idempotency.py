import asyncio
import multiprocessing
from multiprocessing.queues import Queue
from pathlib import Path

import pytest

from harness.clock import FakeClock, SystemClock
from harness.config import LimitSettings
from harness.gateway.answers import Answer
from harness.gateway.callers import Caller
from harness.gateway.idempotency import Idempotency
from harness.gateway.refusals import Refused


def a_caller(name: str = "app") -> Caller:
    return Caller(key=f"hmac:{name}", name=name, limits=LimitSettings())


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def _cut_off(folder: Path) -> None:
    for path in _files(folder):
        path.write_bytes(path.read_bytes()[:20])


class Work:
    """Counts how often it was really done."""

    def __init__(self, *, status: int = 200, clock: FakeClock | None = None) -> None:
        self.done = 0
        self.status = status
        self._clock = clock

    async def __call__(self) -> Answer:
        self.done += 1
        if self._clock:
            await self._clock.sleep(1.0)
        headers = {"X-Number": str(self.done)}
        return Answer(status=self.status, body=f"audio {self.done}".encode(), content_type="audio/wav", headers=headers)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def kept(tmp_path: Path, clock: FakeClock) -> Idempotency:
    return Idempotency(tmp_path, clock=clock, keep_s=100.0)


async def test_the_same_request_twice_is_done_once_and_answered_alike(kept: Idempotency) -> None:
    work = Work()

    first = await kept.once(a_caller(), "k", "f", work)
    second = await kept.once(a_caller(), "k", "f", work)

    assert first == second
    assert work.done == 1


async def test_without_a_key_every_request_is_done(kept: Idempotency) -> None:
    work = Work()

    for _ in range(2):
        await kept.once(a_caller(), None, "f", work)

    assert work.done == 2


async def test_another_request_under_the_same_key_is_refused_and_another_caller_is_not(kept: Idempotency) -> None:
    work = Work()
    await kept.once(a_caller("a"), "k", "f", work)

    with pytest.raises(Refused) as refused:
        await kept.once(a_caller("a"), "k", "g", work)
    await kept.once(a_caller("b"), "k", "g", work)

    assert refused.value.status == 422
    assert work.done == 2


async def test_a_hundred_at_once_wait_for_the_first(kept: Idempotency, clock: FakeClock) -> None:
    work = Work(clock=clock)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(kept.once(a_caller(), "k", "f", work)) for _ in range(100)]

    assert work.done == 1
    assert {task.result().body for task in tasks} == {b"audio 1"}
    assert kept._turns == {}


async def test_what_failed_may_be_tried_again(kept: Idempotency) -> None:
    bad, good = Work(status=503), Work()

    async def broken() -> Answer:
        raise Refused(504, "timeout", "too late")

    assert (await kept.once(a_caller(), "k", "f", bad)).status == 503
    with pytest.raises(Refused):
        await kept.once(a_caller(), "k", "f", broken)

    assert (await kept.once(a_caller(), "k", "f", good)).status == 200
    assert kept._turns == {}


async def test_a_caller_who_hangs_up_and_comes_back_gets_what_was_paid_for(kept: Idempotency) -> None:
    go_on, work = asyncio.Event(), Work()

    async def slow() -> Answer:
        await go_on.wait()
        return await work()

    first = asyncio.create_task(kept.once(a_caller(), "k", "f", slow))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    again = asyncio.create_task(kept.once(a_caller(), "k", "f", slow))
    go_on.set()

    assert (await again).body == b"audio 1"
    assert work.done == 1


async def test_nobody_hears_of_what_failed_after_a_caller_hung_up(kept: Idempotency) -> None:
    go_on = asyncio.Event()

    async def broken() -> Answer:
        await go_on.wait()
        raise Refused(503, "overloaded", "nobody is up")

    first = asyncio.create_task(kept.once(a_caller(), "k", "f", broken))
    await asyncio.sleep(0)
    first.cancel()
    go_on.set()

    assert (await kept.once(a_caller(), "k", "f", Work())).body == b"audio 1"


async def test_a_key_gives_its_answer_back_for_its_time_only(kept: Idempotency, clock: FakeClock) -> None:
    work = Work()
    await kept.once(a_caller(), "k", "f", work)

    clock.advance(99.0)
    await kept.once(a_caller(), "k", "f", work)
    assert work.done == 1
    clock.advance(1.0)
    await kept.once(a_caller(), "k", "f", work)

    assert work.done == 2


async def test_memory_is_bounded_by_number_and_by_size(tmp_path: Path, clock: FakeClock) -> None:
    few = Idempotency(tmp_path / "few", clock=clock, max_entries=10)
    small = Idempotency(tmp_path / "small", clock=clock, max_bytes=70)
    for n in range(100):
        await few.once(a_caller(), f"k{n}", "f", Work())
        await small.once(a_caller(), f"k{n}", "f", Work())

    assert len(few._kept) == 10
    assert len(small._kept) == 10
    assert small._bytes == 70


async def test_an_answer_given_before_a_restart_is_given_back(tmp_path: Path, clock: FakeClock) -> None:
    work = Work()
    before = await Idempotency(tmp_path, clock=clock).once(a_caller(), "k", "f", work)

    after = Idempotency(tmp_path, clock=clock)
    again = await after.once(a_caller(), "k", "f", work)

    assert again == before
    assert work.done == 1
    with pytest.raises(Refused):
        await after.once(a_caller(), "k", "another", work)


async def test_a_damaged_answer_on_disk_is_made_anew(tmp_path: Path, clock: FakeClock) -> None:
    work = Work()
    await Idempotency(tmp_path, clock=clock).once(a_caller(), "k", "f", work)
    _cut_off(tmp_path)

    answer = await Idempotency(tmp_path, clock=clock).once(a_caller(), "k", "f", work)

    assert answer.body == b"audio 2"


async def test_a_full_disk_costs_the_memory_of_an_answer_and_not_the_answer(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    answer = await Idempotency(tmp_path, clock=clock).once(a_caller(), "k", "f", Work())

    assert answer.status == 200
    assert _files(tmp_path) == []


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\x00"])
async def test_a_key_that_is_none_is_refused(kept: Idempotency, key: str) -> None:
    with pytest.raises(Refused) as refused:
        await kept.once(a_caller(), key, "f", Work())

    assert refused.value.status == 400


def _make_in_another_process(folder: Path, made: "Queue[bytes]", number: int) -> None:
    async def slow() -> Answer:
        await asyncio.sleep(0.2)
        return Answer(status=200, body=f"by {number}".encode(), content_type="audio/wav")

    async def once() -> bytes:
        kept = Idempotency(folder, clock=SystemClock())
        return (await kept.once(a_caller(), "k", "f", slow)).body

    made.put(asyncio.run(once()))


def test_processes_that_get_the_same_key_make_one_answer(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    made: Queue[bytes] = context.Queue()
    processes = [context.Process(target=_make_in_another_process, args=(tmp_path, made, n)) for n in range(3)]
    for process in processes:
        process.start()
    bodies = {made.get(timeout=300) for _ in processes}
    for process in processes:
        process.join(30)

    assert len(bodies) == 1


async def test_a_stream_that_was_whole_is_given_back(kept: Idempotency) -> None:
    answer = Answer(status=200, body=b"audio", content_type="audio/pcm")
    async with kept.streaming(a_caller(), "k", "f") as turn:
        assert turn.kept is None
        turn.whole(answer)

    async with kept.streaming(a_caller(), "k", "f") as again, kept.streaming(a_caller("other"), "k", "f") as others:
        assert (again.kept, others.kept) == (answer, None)


async def test_a_stream_that_said_nothing_of_its_end_uses_its_key_up(kept: Idempotency, clock: FakeClock) -> None:
    with pytest.raises(TimeoutError):
        async with kept.streaming(a_caller(), "k", "f"):
            raise TimeoutError

    with pytest.raises(Refused, match="new key") as refused:
        async with kept.streaming(a_caller(), "k", "f"):
            pass
    assert refused.value.status == 409
    clock.advance(101.0)
    async with kept.streaming(a_caller(), "k", "f") as turn:
        assert turn.kept is None


async def test_a_stream_of_which_nothing_was_sent_may_be_tried_again(kept: Idempotency) -> None:
    async with kept.streaming(a_caller(), "k", "f") as turn:
        turn.nothing_sent()

    async with kept.streaming(a_caller(), "k", "f") as again:
        assert again.kept is None


async def test_the_second_stream_of_a_key_waits_for_the_first(kept: Idempotency) -> None:
    told = asyncio.Event()

    async def second() -> Answer | None:
        told.set()
        async with kept.streaming(a_caller(), "k", "f") as turn:
            return turn.kept

    answer = Answer(status=200, body=b"audio", content_type="audio/pcm")
    async with asyncio.TaskGroup() as group, kept.streaming(a_caller(), "k", "f") as turn:
        waiting = group.create_task(second())
        await told.wait()
        turn.whole(answer)
        assert not waiting.done()

    assert waiting.result() == answer


async def test_a_key_is_for_one_request_streamed_or_not(kept: Idempotency) -> None:
    await kept.once(a_caller(), "k", "f", Work())

    with pytest.raises(Refused) as refused:
        async with kept.streaming(a_caller(), "k", "g"):
            pass

    assert refused.value.status == 422


@pytest.mark.parametrize("key", ["", "x" * 256, "\n", "a b", "ë"])
async def test_a_streams_key_must_be_usable_too(kept: Idempotency, key: str) -> None:
    with pytest.raises(Refused) as refused:
        async with kept.streaming(a_caller(), key, "f"):
            pass

    assert refused.value.status == 400


async def test_a_stream_of_another_process_is_given_back_or_its_key_is_used_up(
    tmp_path: Path, clock: FakeClock
) -> None:
    one, other = (Idempotency(tmp_path, clock=clock) for _ in range(2))
    answer = Answer(status=200, body=b"audio", content_type="audio/pcm")
    async with one.streaming(a_caller(), "whole", "f") as turn:
        turn.whole(answer)
    with pytest.raises(TimeoutError):
        async with one.streaming(a_caller(), "broken", "f"):
            raise TimeoutError

    async with other.streaming(a_caller(), "whole", "f") as again:
        assert again.kept == answer
    with pytest.raises(Refused) as refused:
        async with other.streaming(a_caller(), "broken", "f"):
            pass

    assert refused.value.status == 409


async def test_what_memory_dropped_is_given_back_from_disk(tmp_path: Path, clock: FakeClock) -> None:
    work, kept = Work(), Idempotency(tmp_path, clock=clock, max_entries=1)
    for key in ("k1", "k2", "k1"):
        await kept.once(a_caller(), key, "f", work)

    assert work.done == 2
