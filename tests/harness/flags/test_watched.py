import os
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import HarnessError
from harness.flags.watched import MAX_BYTES, WatchedFile, read_small_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "value"


def parse(content: bytes) -> str:
    if content == b"refused":
        raise HarnessError("refused")
    if content == b"surprise":
        raise RecursionError
    return content.decode()


def watched(path: Path, clock: FakeClock, poll_s: float = 1.0) -> WatchedFile[str]:
    return WatchedFile(path, parse=parse, fail_safe=lambda problem: f"safe: {problem}", clock=clock, poll_s=poll_s)


def test_a_change_is_seen_at_the_next_look(path: Path) -> None:
    clock = FakeClock()
    path.write_text("old")
    file = watched(path, clock)
    path.write_text("new")

    before = file.current()
    clock.advance(1.0)

    assert (before, file.current()) == ("old", "new")


def test_a_restored_older_file_counts_whatever_its_date(path: Path) -> None:
    clock = FakeClock()
    path.write_text("one")
    os.utime(path, (2_000_000_000, 2_000_000_000))
    file = watched(path, clock)

    path.write_text("two")
    os.utime(path, (1_000, 1_000))
    clock.advance(1.0)

    assert file.current() == "two"


def test_the_same_content_keeps_the_same_value(path: Path) -> None:
    path.write_text("same")
    file = watched(path, FakeClock(), poll_s=0.0)

    first = file.current()
    path.write_text("same")

    assert file.current() is first


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"refused", "safe: refused", id="refused"),
        pytest.param(b"surprise", "cannot be read (RecursionError)", id="anything else that goes wrong"),
        pytest.param(b"x" * (MAX_BYTES + 1), "is longer than", id="too long"),
        pytest.param(b"\xff", "cannot be read (UnicodeDecodeError)", id="not decodable"),
    ],
)
def test_content_that_cannot_be_used_gives_the_safe_value_and_mends_itself(
    path: Path, content: bytes, complaint: str
) -> None:
    path.write_bytes(content)
    file = watched(path, FakeClock(), poll_s=0.0)

    assert complaint in file.current()

    path.write_text("good")

    assert file.current() == "good"


def test_a_file_that_breaks_and_comes_back_unchanged_counts_again(path: Path) -> None:
    path.write_text("good")
    file = watched(path, FakeClock(), poll_s=0.0)

    path.unlink()
    gone = file.current()
    path.write_text("good")

    assert gone.startswith("safe: ")
    assert file.current() == "good"


def test_each_problem_is_reported_once(path: Path) -> None:
    problems: list[str] = []
    file = WatchedFile(path, parse=parse, fail_safe=problems.append, clock=FakeClock(), poll_s=0.0)

    for _ in range(3):
        file.current()
    path.write_text("refused")
    for _ in range(3):
        file.current()

    assert len(problems) == 2


@pytest.mark.parametrize("what", ["folder", "pipe", "dangling link", "loop"])
def test_what_is_no_file_is_refused_without_waiting(path: Path, what: str) -> None:
    match what:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "dangling link":
            path.symlink_to("nowhere")
        case "loop":
            path.symlink_to(path)

    with pytest.raises(HarnessError, match=str(path)):
        read_small_file(path)


def test_a_link_to_a_file_is_followed_as_mounted_configuration_needs_it(path: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("linked")
    path.symlink_to("target")

    assert read_small_file(path) == b"linked"


def test_nothing_is_left_open(path: Path) -> None:
    path.write_text("x")
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(50):
        read_small_file(path)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
