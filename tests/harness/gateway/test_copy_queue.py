import asyncio

from harness.exchanges import Lane
from harness.gateway.copies import Copy
from harness.gateway.copy_queue import CopyQueue
from tests.builders import an_exchange
from tests.harness.gateway.copying import a_copy

MEGABYTES = 1024 * 1024


def large(request_id: str) -> Copy:
    return a_copy(request_id, exchanges={Lane.CONTROL: an_exchange(audio=b"a" * (20 * MEGABYTES))}, to=None)


async def test_copies_are_taken_in_the_order_in_which_they_came() -> None:
    queue = CopyQueue(3)

    assert [queue.offer(a_copy(f"r{n}")) for n in range(3)] == [True] * 3

    assert [(await queue.take()).request_id for _ in range(3)] == ["r0", "r1", "r2"]
    assert len(queue) == 0


async def test_who_takes_waits_for_one_to_come() -> None:
    queue = CopyQueue(1)
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)

    queue.offer(a_copy("r0"))

    assert (await taking).request_id == "r0"


async def test_what_finds_no_room_is_not_taken_and_leaves_no_trace() -> None:
    queue = CopyQueue(2)

    assert [queue.offer(large(f"r{n}")) for n in range(4)] == [True, True, False, False]

    assert len(queue) == 2
    assert [copy.request_id for copy in queue.empty_out()] == ["r0", "r1"]
    assert queue.offer(large("r4"))


async def test_audio_is_bounded_too_and_there_is_room_again_once_it_was_taken() -> None:
    queue = CopyQueue(100)

    assert [queue.offer(large(f"r{n}")) for n in range(5)] == [True, True, True, False, False]

    await queue.take()
    assert queue.offer(large("r5"))


async def test_emptied_out_it_holds_neither_copies_nor_audio() -> None:
    queue = CopyQueue(100)
    for n in range(3):
        queue.offer(large(f"r{n}"))

    assert len(list(queue.empty_out())) == 3

    assert len(queue) == 0
    assert all(queue.offer(large(f"s{n}")) for n in range(3))
