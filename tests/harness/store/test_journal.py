import asyncio
import os
import threading
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import StoreError
from harness.store.journal import Journal, JournalFile, read_journal

RECORDS = [{"type": "a", "n": 1}, {"type": "b", "text": "zwei\n楽"}, {"type": "c", "n": None}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "journal.jsonl"


def written(path: Path) -> Path:
    with Journal(path) as journal:
        for record in RECORDS:
            journal.append(record)
    return path


def test_what_is_appended_is_read_back_in_order(path: Path) -> None:
    contents = read_journal(written(path))

    assert contents.records == RECORDS
    assert contents.torn_bytes == 0


def test_an_opened_journal_goes_on_behind_what_is_there(path: Path) -> None:
    written(path)

    with Journal(path) as journal:
        found = journal.records
        journal.append({"type": "d"})

    assert found == RECORDS
    assert read_journal(path).records == [*RECORDS, {"type": "d"}]


def test_records_are_read_one_at_a_time_and_again_by_their_places_in_any_order(path: Path) -> None:
    file = JournalFile(written(path))

    places = [place for place, _ in file.placed()]

    assert list(file) == list(file) == RECORDS
    assert list(file.at(reversed(places))) == list(reversed(RECORDS))
    assert (file.torn_bytes, file.valid_bytes) == (0, path.stat().st_size)


def test_a_record_is_given_before_a_later_one_is_read(path: Path) -> None:
    written(path)
    with path.open("ab") as file:
        file.write(b"3 00000000 {}\n")
    records = iter(JournalFile(path))

    assert [next(records) for _ in RECORDS] == RECORDS
    with pytest.raises(StoreError, match="record 3 .* is damaged"):
        next(records)


@pytest.mark.parametrize("place", [1, 10**6])
def test_a_place_at_which_no_record_begins_is_refused(path: Path, place: int) -> None:
    with pytest.raises(StoreError, match=rf"\(byte {place}\) is damaged"):
        list(JournalFile(written(path)).at([place]))


def test_what_an_opened_journal_holds_can_be_handed_over_instead_of_kept(path: Path) -> None:
    written(path)
    taken: list[dict[str, object]] = []

    with Journal(path, found=taken.append) as journal:
        journal.append({"type": "d"})

    assert (taken, journal.records) == (RECORDS, [])
    assert read_journal(path).records == [*RECORDS, {"type": "d"}]


def test_any_torn_tail_is_cut_off_and_reported(path: Path) -> None:
    data = written(path).read_bytes()
    last_line = data.rindex(b"\n", 0, -1) + 1
    for length in range(last_line + 1, len(data)):
        path.write_bytes(data[:length])

        with Journal(path) as journal:
            torn, found = journal.torn_bytes, journal.records
            journal.append({"type": "d"})

        assert torn == length - last_line
        assert found == RECORDS[:-1]
        assert read_journal(path).records == [*RECORDS[:-1], {"type": "d"}]


def test_every_flipped_bit_before_the_end_is_found(path: Path) -> None:
    data = written(path).read_bytes()
    for position in range(len(data) - 1):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            path.write_bytes(flipped)

            with pytest.raises(StoreError, match="damaged"):
                read_journal(path)


@pytest.mark.parametrize(
    ("order", "damaged"),
    [
        pytest.param([1, 0, 2], 0, id="swapped"),
        pytest.param([0, 2], 1, id="one lost"),
        pytest.param([0, 0, 1, 2], 1, id="one doubled"),
    ],
)
def test_lost_doubled_and_moved_records_are_named(path: Path, order: list[int], damaged: int) -> None:
    lines = written(path).read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[index] for index in order))

    with pytest.raises(StoreError, match=f"record {damaged} .* is damaged"):
        read_journal(path)


def test_only_one_writer_at_a_time(path: Path) -> None:
    with Journal(path), pytest.raises(StoreError, match="another process is writing"):
        Journal(path)


def test_a_journal_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(StoreError, match=r"journal\.jsonl: no such journal"):
        read_journal(path)


def test_a_number_that_json_does_not_know_is_refused_when_written(path: Path) -> None:
    with Journal(path) as journal, pytest.raises(ValueError, match="JSON"):
        journal.append({"type": "a", "n": float("nan")})


async def test_many_commits_share_one_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    monkeypatch.setattr(os, "fdatasync", syncs.append)

    with Journal(path, clock=FakeClock()) as journal:

        async def writer(number: int) -> None:
            journal.append({"type": "a", "n": number})
            await journal.commit()

        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(writer(number))
        shared = len(syncs)

    assert shared <= 2
    assert len(read_journal(path).records) == 100


async def test_a_commit_is_on_disk_when_it_returns(path: Path) -> None:
    with Journal(path, clock=FakeClock()) as journal:
        journal.append({"type": "a"})
        await journal.commit()

        assert read_journal(path).records == [{"type": "a"}]


@pytest.mark.parametrize("place", [pytest.param(0, id="the one that syncs for all"), pytest.param(1, id="a waiter")])
async def test_a_cancelled_commit_loses_nothing_for_the_others(path: Path, place: int) -> None:
    with Journal(path, clock=FakeClock()) as journal:
        journal.append({"type": "a"})
        async with asyncio.TaskGroup() as group:
            commits = [group.create_task(journal.commit()) for _ in range(3)]
            await asyncio.sleep(0)
            commits[place].cancel()

        assert read_journal(path).records == [{"type": "a"}]


async def test_who_is_cancelled_while_it_is_written_leaves_the_next_to_wait_for_that(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, go_on = threading.Event(), threading.Event()
    really, syncs = os.fdatasync, []

    def slow(descriptor: int) -> None:
        syncs.append(descriptor)
        written.set()
        assert go_on.wait(60)
        really(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    with Journal(path, clock=FakeClock()) as journal:
        journal.append({"type": "a"})
        first = asyncio.create_task(journal.commit())
        assert await asyncio.to_thread(written.wait, 60)
        first.cancel()
        journal.append({"type": "b"})
        second = asyncio.create_task(journal.commit())
        for _ in range(20):
            await asyncio.sleep(0)
        meanwhile = len(syncs)
        go_on.set()
        await second

        assert (meanwhile, len(syncs)) == (1, 2)
        assert read_journal(path).records == [{"type": "a"}, {"type": "b"}]
    assert first.cancelled()


async def test_after_a_failed_write_nothing_more_is_accepted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with Journal(path, clock=FakeClock()) as journal:
        monkeypatch.setattr(os, "fdatasync", full)
        journal.append({"type": "a"})
        with pytest.raises(StoreError, match="No space left on device; free space"):
            await journal.commit()
        monkeypatch.undo()
        journal.append({"type": "b"})
        with pytest.raises(StoreError, match="an earlier write failed"):
            await journal.commit()
