import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.clock import FakeClock, SystemClock
from harness.gateway.answer_shelf import AnswerShelf
from harness.gateway.answers import Answer, KeptAnswer

NAME = "ab" + "0" * 62
ANSWER = Answer(status=201, body=b"\x00audio", content_type="audio/wav", headers={"X-Number": "1"})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shelf(tmp_path: Path, clock: FakeClock) -> AnswerShelf:
    return AnswerShelf(tmp_path, clock=clock, keep_s=100.0)


def an_answer(clock: FakeClock) -> KeptAnswer:
    return KeptAnswer(fingerprint="f", at_s=clock.now().timestamp(), answer=ANSWER)


async def put(shelf: AnswerShelf, kept: KeptAnswer, name: str = NAME) -> None:
    async with shelf.turn(name):
        await shelf.put(name, kept)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def locks(folder: Path) -> list[Path]:
    return list(folder.rglob("*.lock"))


async def test_an_answer_is_found_again_as_it_was_put_down(
    shelf: AnswerShelf, tmp_path: Path, clock: FakeClock
) -> None:
    kept = an_answer(clock)
    await put(shelf, kept)

    assert await AnswerShelf(tmp_path, clock=clock, keep_s=100.0).find(NAME) == kept
    assert await shelf.find("cd" + NAME[2:]) is None


async def test_an_answer_that_is_too_old_is_none(shelf: AnswerShelf, clock: FakeClock) -> None:
    await put(shelf, an_answer(clock))

    clock.advance(99.0)
    before = await shelf.find(NAME)
    clock.advance(1.0)

    assert before is not None
    assert await shelf.find(NAME) is None


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:20], id="the head cut"),
        pytest.param(lambda content: content[:-1], id="the body cut"),
        pytest.param(lambda content: content[:-1] + b"\xff", id="a byte flipped"),
        pytest.param(lambda content: b"[]\n", id="a list"),
        pytest.param(lambda content: b'{"fingerprint": "f"}\n', id="fields missing"),
        pytest.param(lambda content: b"\xff\xfe", id="no text"),
    ],
)
async def test_a_damaged_answer_is_none_and_is_told(
    shelf: AnswerShelf,
    tmp_path: Path,
    clock: FakeClock,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await put(shelf, an_answer(clock))
    for path in files(tmp_path):
        path.write_bytes(damage(path.read_bytes()))

    assert await shelf.find(NAME) is None
    assert "kept answer not readable" in caplog.text


async def test_a_full_disk_leaves_no_half_answer(
    shelf: AnswerShelf,
    tmp_path: Path,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    await put(shelf, an_answer(clock))

    assert files(tmp_path) == []
    assert "answer not kept on disk" in caplog.text


async def test_nobody_else_can_read_an_answer(shelf: AnswerShelf, tmp_path: Path, clock: FakeClock) -> None:
    await put(shelf, an_answer(clock))

    assert [path.stat().st_mode & 0o777 for path in files(tmp_path)] == [0o600]


async def test_a_turn_is_waited_for_and_another_name_has_its_own(tmp_path: Path) -> None:
    one, other = (AnswerShelf(tmp_path, clock=SystemClock(), keep_s=1.0) for _ in range(2))
    order: list[str] = []

    async def second() -> None:
        async with other.turn(NAME):
            order.append("second")

    async with asyncio.TaskGroup() as group, one.turn(NAME):
        task = group.create_task(second())
        async with other.turn("cd" + NAME[2:]):
            order.append("another name")
        await asyncio.sleep(0.03)
        assert not task.done()
        order.append("first")

    assert order == ["another name", "first", "second"]


async def test_a_turn_leaves_no_lock_behind_and_the_next_one_gets_its_own(tmp_path: Path) -> None:
    shelves = [AnswerShelf(tmp_path, clock=SystemClock(), keep_s=1.0) for _ in range(8)]
    inside, most = 0, 0

    async def take(shelf: AnswerShelf) -> None:
        nonlocal inside, most
        async with shelf.turn(NAME):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.002)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for shelf in shelves * 2:
            group.create_task(take(shelf))

    assert most == 1
    assert locks(tmp_path) == []


async def test_without_a_disk_a_turn_goes_on_and_is_told(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    shelf = AnswerShelf(tmp_path / "file", clock=clock, keep_s=100.0)

    await put(shelf, an_answer(clock))

    assert await shelf.find(NAME) is None
    assert "key not locked" in caplog.text
    assert "answer not kept on disk" in caplog.text


def aged(path: Path, clock: FakeClock, age_s: float) -> Path:
    changed_s = clock.now().timestamp() - age_s
    os.utime(path, (changed_s, changed_s))
    return path


async def test_what_no_key_gives_back_is_deleted_at_most_once_a_minute(
    shelf: AnswerShelf, tmp_path: Path, clock: FakeClock
) -> None:
    await put(shelf, an_answer(clock))
    [old] = files(tmp_path)
    aged(old, clock, 101.0)
    clock.advance(59.0)
    await put(shelf, an_answer(clock), "cd" + NAME[2:])
    kept_within_the_minute = old.exists()
    clock.advance(2.0)
    await put(shelf, an_answer(clock), "ef" + NAME[2:])

    assert kept_within_the_minute
    assert not old.exists()


async def test_beyond_its_bytes_the_oldest_answers_go(tmp_path: Path, clock: FakeClock) -> None:
    names = [f"{number:02x}{NAME[2:]}" for number in range(4)]
    whole = AnswerShelf(tmp_path, clock=clock, keep_s=100.0)
    for age_s, name in zip((30.0, 20.0, 10.0), names, strict=False):
        await put(whole, an_answer(clock), name)
        aged(tmp_path / name[:2] / f"{name}.answer", clock, age_s)
    size_bytes = sum(path.stat().st_size for path in files(tmp_path))

    small = AnswerShelf(tmp_path, clock=clock, keep_s=100.0, max_bytes=size_bytes)
    await put(small, an_answer(clock), names[3])

    assert [await whole.find(name) is not None for name in names] == [False, True, True, True]


async def test_a_lock_that_a_killed_process_left_goes_and_one_in_use_stays(
    shelf: AnswerShelf, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "cd").mkdir()
    for name, age_s in (("dead", 90_000.0), ("held", 5_000.0)):
        path = tmp_path / "cd" / f"{name}.lock"
        path.touch()
        aged(path, clock, age_s)

    await put(shelf, an_answer(clock))

    assert [path.name for path in (tmp_path / "cd").iterdir()] == ["held.lock"]
