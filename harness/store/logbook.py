"""A run's journal and what it adds up to, kept in step: whatever is written is booked at once."""

from pathlib import Path
from types import TracebackType
from typing import Self

from harness.clock import Clock
from harness.store.balance import Balance
from harness.store.journal import Journal, Record

__all__ = ["Logbook"]


class Logbook:
    """Opens the journal of a run for writing; nobody else can meanwhile."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        """Read what is there and go on behind it.

        Raises:
            StoreError: The journal is damaged, or another process is writing it.
        """
        self.balance = Balance()
        self._journal = Journal(path, clock=clock, found=self.balance.add)
        self.torn_bytes = self._journal.torn_bytes  # of a record that a crash left unfinished

    def write(self, record: Record) -> None:
        """Book `record`; it is on disk after the next `commit`."""
        self.balance.add(record)
        self._journal.append(record)

    async def commit(self) -> None:
        """Wait until everything written so far is on disk."""
        await self._journal.commit()

    def sync(self) -> None:
        """Put everything written so far on disk; not while a `commit` is waiting."""
        self._journal.sync()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
