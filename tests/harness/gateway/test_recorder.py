import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.capture import capture_from_json
from harness.capturing.keys import KeyRing
from harness.capturing.reasons import LeftOut, Unusable
from harness.capturing.recorder import CaptureRecorder
from harness.clock import FakeClock
from harness.config import CaptureSettings
from harness.errors import CaptureError
from harness.exchanges import Capture
from harness.gateway.recorder import Recorder, RecorderCounts
from tests.builders import a_capture, a_request


class Disk:
    """Takes captures, at the pace and with the errors of a test."""

    def __init__(self, *, answer: Callable[[Capture], LeftOut | None] = lambda _: None, wants: bool = True) -> None:
        self.taken: list[tuple[str, bytes | None]] = []
        self.turning = threading.Event()
        self.turning.set()
        self._answer = answer
        self._wants = wants

    def wants(self, capture_id: str) -> bool:
        return self._wants

    def record(self, capture: Capture, reference: bytes | None = None) -> LeftOut | None:
        self.turning.wait(30)
        self.taken.append((capture.id, reference))
        return self._answer(capture)


@pytest.fixture
def slow_disk() -> Iterator[Disk]:
    disk = Disk()
    disk.turning.clear()
    yield disk
    disk.turning.set()


def test_a_request_in_the_sample_is_written_with_its_recording() -> None:
    disk = Disk()

    with Recorder(disk) as recorder:
        recorder.offer(a_capture("c1"), b"audio")
        recorder.offer(a_capture("c2"), lambda: b"read later")
        recorder.offer(a_capture("c3"))

    assert disk.taken == [("c1", b"audio"), ("c2", b"read later"), ("c3", None)]
    assert recorder.counts == RecorderCounts(sampled=3, kept=3)


def test_a_request_outside_the_sample_costs_nothing() -> None:
    disk = Disk(wants=False)

    with Recorder(disk) as recorder:
        recorder.offer(a_capture())

    assert (disk.taken, recorder.counts) == ([], RecorderCounts())


def test_a_disk_that_hangs_costs_captures_and_no_time(slow_disk: Disk) -> None:
    with Recorder(slow_disk, max_waiting=10) as recorder:
        for n in range(1_000):
            recorder.offer(a_capture(f"c{n}"))
        written_meanwhile = list(slow_disk.taken)
        slow_disk.turning.set()

    assert written_meanwhile == []
    assert recorder.counts.sampled == 1_000
    assert recorder.counts.kept + recorder.counts.lost == 1_000
    assert recorder.counts.kept in (10, 11)  # one is with the thread already


def test_recordings_that_wait_are_bounded_by_their_size(slow_disk: Disk) -> None:
    with Recorder(slow_disk) as recorder:
        for n in range(10):
            recorder.offer(a_capture(f"c{n}"), b"a" * (8 * 1024 * 1024))
        slow_disk.turning.set()

    assert recorder.counts.lost >= 6


def test_errors_are_counted_and_the_next_request_is_kept() -> None:
    def answer(capture: Capture) -> LeftOut | None:
        if capture.id == "full":
            raise CaptureError("the disk is full")
        if capture.id == "bug":
            raise RuntimeError("a bug")
        return Unusable("text holds a key") if capture.id == "secret" else None

    with Recorder(Disk(answer=answer)) as recorder:
        for name in ("full", "bug", "secret", "good"):
            recorder.offer(a_capture(name))

    assert recorder.counts == RecorderCounts(sampled=4, kept=1, left_out=1, lost=2)


def test_nothing_is_taken_while_it_is_shut() -> None:
    disk = Disk()
    recorder = Recorder(disk)

    recorder.offer(a_capture())
    with recorder:
        pass
    recorder.offer(a_capture())

    assert (disk.taken, recorder.counts) == ([], RecorderCounts())


def test_what_reaches_the_disk_is_sanitised(tmp_path: Path) -> None:
    writer = CaptureRecorder(
        tmp_path / "captures", CaptureSettings(share_bp=10_000), KeyRing(tmp_path / "keys"), clock=FakeClock()
    )
    request = a_request("Call me at anna.smith@example.com today.")

    with Recorder(writer) as recorder:
        recorder.offer(a_capture(request=request, user_key="anna.smith"))

    assert recorder.counts.kept == 1
    (path,) = (tmp_path / "captures").glob("*.jsonl")
    assert "smith" not in path.read_text()
    kept = capture_from_json(path.read_text().strip())
    assert kept.request.text != request.text
    assert (kept.user_key or "").startswith("hmac:")
