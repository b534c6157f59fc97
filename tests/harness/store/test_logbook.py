from pathlib import Path

from harness.clock import FakeClock
from harness.store.journal import JournalFile
from harness.store.logbook import Logbook

PLAN = {"type": "plan", "run_id": "r1", "started_at": "t0"}


async def test_what_is_written_is_booked_at_once_and_there_again_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Logbook(path, clock=FakeClock()) as book:
        book.write(PLAN)
        booked = book.balance.plan
        await book.commit()

    with Logbook(path, clock=FakeClock()) as book:
        assert booked == book.balance.plan == PLAN


async def test_a_torn_record_is_reported_and_what_is_before_it_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Logbook(path, clock=FakeClock()) as book:
        book.write(PLAN)
    with path.open("ab") as file:
        file.write(b"1 0000")

    with Logbook(path, clock=FakeClock()) as book:
        assert (book.torn_bytes, book.balance.plan) == (6, PLAN)


async def test_what_was_written_can_be_put_on_disk_before_all_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Logbook(path, clock=FakeClock()) as book:
        book.write(PLAN)
        book.sync()

        assert list(JournalFile(path)) == [PLAN]
