import gc
from datetime import timedelta

import pytest

from harness.exchanges import Capture
from replay.shelf import CaptureShelf
from tests.builders import NOON, a_capture, a_request


def numbered(count: int) -> list[Capture]:
    """Captures that come back to front, two at each moment."""
    return [
        a_capture(
            f"c{number:04}",
            captured_at=NOON - timedelta(seconds=number // 2),
            request=a_request(f"text {number}", language="de"),
        )
        for number in range(count)
    ]


def test_captures_come_back_as_they_were_in_the_order_of_time_then_id() -> None:
    captures = numbered(1_000)

    shelf = CaptureShelf(captures)

    assert list(shelf) == sorted(captures, key=lambda capture: (capture.captured_at, capture.id))
    assert len(shelf) == 1_000
    assert list(shelf) == list(shelf)


def test_two_readers_do_not_disturb_one_another() -> None:
    shelf = CaptureShelf(numbered(700))

    assert all(one == other for one, other in zip(shelf, shelf, strict=True))


def test_single_captures_and_stretches_can_be_picked() -> None:
    shelf = CaptureShelf(numbered(600))
    whole = list(shelf)

    assert (shelf[0], shelf[-1], shelf[300]) == (whole[0], whole[-1], whole[300])
    assert shelf[10:14] == whole[10:14]
    with pytest.raises(IndexError, match="there are 600 captures, none at 600"):
        shelf[600]


def test_an_empty_shelf_holds_nothing() -> None:
    assert list(CaptureShelf([])) == []


def alive() -> int:
    return sum(type(thing) is Capture for thing in gc.get_objects())  # isinstance would ask dead proxies


def test_however_many_there_are_only_a_few_are_ever_in_memory() -> None:
    before = alive()
    shelf = CaptureShelf(a_capture(f"c{number}") for number in range(2_000))

    while_reading = [alive() for number, _ in enumerate(shelf) if number % 500 == 0]

    assert max(while_reading) <= before + 2
