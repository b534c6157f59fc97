"""What everything under one home has spent today, shared by all processes: caps that two of them cannot break together.

<home>/spending/2026-11-23.jsonl    one line for each reservation and each settlement of that day, in UTC

Whoever reserves holds the file's lock while it reads what others wrote, checks the caps and writes its own line, so
no two processes can both take the last dollar. A process that was killed leaves its reservations as spent. The
journals of the runs remain the truth: a day's file that is not there is built anew from them.
"""

import fcntl
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple

from harness.clock import Clock
from harness.errors import BudgetExceeded, StoreError
from harness.store.journal import JournalFile
from harness.store.runs import list_runs

__all__ = ["ALL", "DaySpending"]

ALL: Final = "all"  # the cap on all providers together
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))
_CHUNK_BYTES: Final = 2**20  # a day's file may be long: thousands of lines at once are enough
_NO_CAPS: Final[Mapping[str, int]] = MappingProxyType({})


class DaySpending:
    """The spending of a day (UTC) under one home, as far as this process knows and all others agree."""

    def __init__(self, home: Path, *, owner: str, clock: Clock, caps: Mapping[str, int] = _NO_CAPS) -> None:
        """Nothing is read or written before the first reservation.

        Args:
            home: Whose runs share the caps.
            owner: The run, or whoever else spends: makes its calls differ from all others.
            clock: Says what day it is.
            caps: Micro-dollars a day, by provider and for `ALL`; no entry is no limit.
        """
        self._home = home
        self._owner = owner
        self._clock = clock
        self._caps = caps
        self._files: dict[str, _DayFile] = {}  # day → its file; a call is settled on the day it was reserved
        self._days: dict[str, str] = {}  # call under way → its day

    def reserve(self, call: str, *, provider: str, microusd: int) -> None:
        """Set aside the most that `call` can cost, before every process's eyes.

        Raises:
            BudgetExceeded: The day's cap has no room for it; nothing was set aside.
            StoreError: The day's file is damaged or cannot be written.
        """
        day = self._today()
        file = self._file(day)
        with file:
            for name in (provider, ALL):
                cap, gone = self._caps.get(name), file.microusd[name]
                if cap is not None and gone + microusd > cap:
                    raise BudgetExceeded(
                        f"{provider}: the next call can cost ${microusd / 1e6:.4f} and ${(cap - gone) / 1e6:.4f} of "
                        f"the day's ${cap / 1e6:.2f} for {name} is left; go on tomorrow, or raise the setting"
                    )
            file.append(["reserve", f"{self._owner}:{call}", provider, microusd])
        self._days[call] = day

    def settle(self, call: str, microusd: int) -> None:
        """Turn the reservation of `call` into what it cost."""
        file = self._file(self._days.pop(call))
        with file:
            file.append(["settle", f"{self._owner}:{call}", microusd])

    def spent_microusd(self, provider: str = ALL) -> int:
        """What is spent and reserved today by all processes together."""
        file = self._file(self._today())
        with file:
            return file.microusd[provider]

    def close(self) -> None:
        """Let go of the files; calls not settled stay reserved."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _today(self) -> str:
        return self._clock.now().date().isoformat()

    def _file(self, day: str) -> "_DayFile":
        if day not in self._files:
            self._files[day] = _DayFile(self._home, day)
        return self._files[day]


class _Reservation(NamedTuple):
    provider: str
    microusd: int


class _DayFile:
    """One day's lines, and what those read so far add up to.

    Inside `with` it is ours alone, with everything that others wrote taken in: twice for each paid call.
    """

    def __init__(self, home: Path, day: str) -> None:
        self.path = home / "spending" / f"{day}.jsonl"
        self.microusd: Counter[str] = Counter()  # provider, and `ALL` → spent and reserved
        self._open: dict[str, _Reservation] = {}
        self._read_bytes = 0
        self._home = home
        self._day = day
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be opened ({error.strerror}); make the folder writable") from None

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._catch_up()
        except BaseException:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def append(self, entry: list[str | int]) -> None:
        """Add a line and count it; only while locked."""
        line = _framed(entry)
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            raise StoreError(
                f"{self.path}: {error.strerror}; free space, then run the same command to resume"
            ) from None
        if written < len(line):
            os.ftruncate(self._descriptor, self._read_bytes)
            raise StoreError(
                f"{self.path}: no space left on the device; free some, then run the same command to resume"
            )
        self._read_bytes += written
        self._book(entry)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _catch_up(self) -> None:
        size_bytes = os.fstat(self._descriptor).st_size
        if size_bytes < self._read_bytes:
            raise StoreError(f"{self.path}: was cut short while in use; stop every replay, remove it and start again")
        if size_bytes == 0:
            for entry in _from_journals(self._home, self._day):
                self.append(entry)
        while self._read_bytes < size_bytes:
            data = os.pread(self._descriptor, min(_CHUNK_BYTES, size_bytes - self._read_bytes), self._read_bytes)
            end = data.rfind(b"\n") + 1
            self._take_in(data[:end])
            if not end:  # cut off by a crash and never acted on, so it is cut off here too
                os.ftruncate(self._descriptor, self._read_bytes)
                break

    def _take_in(self, data: bytes) -> None:
        """Count whole lines."""
        for line in data.splitlines():
            entry = _unframed(line)
            if entry is None:
                raise StoreError(
                    f"{self.path}: damaged behind byte {self._read_bytes}; when no replay is running remove it, and it "
                    "is built anew from the journals"
                )
            self._book(entry)
            self._read_bytes += len(line) + 1

    def _book(self, entry: list[str | int]) -> None:
        if entry[0] == "reserve":
            _, call, provider, microusd = entry
            self._open[str(call)] = _Reservation(str(provider), int(microusd))
            self._add(str(provider), int(microusd))
        else:
            _, call, microusd = entry
            reserved = self._open.pop(str(call))
            self._add(reserved.provider, int(microusd) - reserved.microusd)

    def _add(self, provider: str, microusd: int) -> None:
        self.microusd[provider] += microusd
        self.microusd[ALL] += microusd


def _framed(entry: list[str | int]) -> bytes:
    body = _ENCODER.encode(entry).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _unframed(line: bytes) -> list[str | int] | None:
    """The entry of a whole line; None when it is damaged."""
    checksum, _, body = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    entry: list[str | int] = json.loads(body)
    return entry


def _from_journals(home: Path, day: str) -> Iterator[list[str | int]]:
    """What the journals of all runs say was reserved on `day`, and what became of it."""
    for run in list_runs(home):
        if f"{datetime.fromtimestamp(run.journal.stat().st_mtime, UTC):%Y-%m-%d}" < day:
            continue  # it ended before
        today: set[str] = set()
        for record in JournalFile(run.journal):
            if record["type"] == "intent" and str(record["at"]).startswith(day):
                today.add(record["call"])  # until it is settled
                yield ["reserve", f"{run.id}:{record['call']}", record["provider"], record["worst_microusd"]]
            elif record["type"] == "settle" and record["call"] in today:
                today.remove(record["call"])
                if record["microusd"] is not None:
                    yield ["settle", f"{run.id}:{record['call']}", record["microusd"]]
