"""An append-only file of checksummed records: what a run did, in order, whatever happened next.

A line is `<seq> <crc32> <json>`; the checksum covers number and JSON, so a flipped byte, a lost, doubled or moved
record is found when the file is read. A torn last line is what a crash leaves: it is cut off and reported.
"""

import asyncio
import fcntl
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NamedTuple, Self

from harness.clock import Clock, SystemClock
from harness.errors import StoreError

__all__ = ["Journal", "JournalContents", "JournalFile", "read_journal"]

Record = dict[str, Any]

_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False)


class JournalContents(NamedTuple):
    """What a journal file holds."""

    records: list[Record]
    torn_bytes: int  # length of the last, unfinished record; 0 for a clean end
    valid_bytes: int  # length of the file up to it


def _frame(sequence: int, record: Record) -> bytes:
    body = _ENCODER.encode(record).encode()
    return b"%d %08x %s\n" % (sequence, _checksum(sequence, body), body)


def _checksum(sequence: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(str(sequence).encode()))


def _unframe(line: bytes, sequence: int) -> Record:
    """The record of a whole line; ValueError when it is not the one that belongs there."""
    number, checksum, body = line.split(b" ", 2)
    # Compared as bytes: as numbers, "1A" and "1a" would be equal and a flipped bit pass.
    if number != b"%d" % sequence or checksum != b"%08x" % _checksum(sequence, body):
        raise ValueError
    record: Record = json.loads(body)
    return record


class JournalFile:
    """The records of a file in order, one at a time; each iteration reads it anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn_bytes = 0  # as in `JournalContents`, both known once it was read to its end
        self.valid_bytes = 0

    def __iter__(self) -> Iterator[Record]:
        return (record for _, record in self.placed())

    def placed(self) -> Iterator[tuple[int, Record]]:
        """Every record and the byte at which it begins.

        Raises:
            StoreError: There is no such file, or a record before the last is damaged; names the record.
        """
        place, torn_bytes = 0, 0
        with self._open() as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    torn_bytes = len(line)
                    break
                yield place, self._record(line, number, place)
                place += len(line)
        self.valid_bytes, self.torn_bytes = place, torn_bytes

    def at(self, places: Iterable[int]) -> Iterator[Record]:
        """The records that begin at those bytes, in the order asked for.

        Raises:
            StoreError: As for all records; or none begins there.
        """
        with self._open() as file:
            for place in places:
                file.seek(place)
                line = file.readline()
                number, _, _ = line.partition(b" ")
                yield self._record(line, int(number) if number.isdigit() else -1, place)

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except FileNotFoundError:
            raise StoreError(f"{self.path}: no such journal") from None

    def _record(self, line: bytes, number: int, place: int) -> Record:
        try:
            return _unframe(line[:-1], number)
        except ValueError:
            raise StoreError(
                f"{self.path}: record {number} (byte {place}) is damaged; "
                "restore the file from a copy, records before it are sound"
            ) from None


def read_journal(path: Path) -> JournalContents:
    """All records in order, and how much of the file's end was torn; for files that fit into memory.

    Raises:
        StoreError: There is no such file, or a record before the last is damaged; names the record.
    """
    file = JournalFile(path)
    records = list(file)
    return JournalContents(records, torn_bytes=file.torn_bytes, valid_bytes=file.valid_bytes)


class Journal:
    """Appends records; `commit` returns once everything appended before it is on disk.

    Many waiting commits share one sync (about `group_s` apart), so a thousand records a second cost fifty syncs.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock | None = None,
        group_s: float = 0.02,
        found: Callable[[Record], None] | None = None,
    ) -> None:
        """Open `path` for appending, made when missing; a torn last record is cut off.

        Args:
            path: The file.
            clock: Waits for others to share a sync with.
            group_s: How long.
            found: Is given each record that is there; left out, all are kept in `records`.

        Raises:
            StoreError: A record before the last is damaged, or another process is writing.
        """
        self.path = path
        self._clock = clock or SystemClock()
        self._group_s = group_s
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        self._lock_out_others()
        self.records: list[Record] = []  # as found on opening
        self._sequence = 0
        file = JournalFile(path)
        for record in file:
            (found or self.records.append)(record)
            self._sequence += 1
        self.torn_bytes = file.torn_bytes
        self._synced = self._sequence
        self._buffer: list[bytes] = []
        os.ftruncate(self._descriptor, file.valid_bytes)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        self._is_syncing = False
        self._waiting: list[asyncio.Future[None]] = []  # for the sync under way to end
        self._failed = False

    def _lock_out_others(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise StoreError(f"{self.path}: another process is writing it; wait until it has ended") from None

    def append(self, record: Record) -> None:
        """Add a record; it is durable after the next `commit` or `sync`."""
        self._buffer.append(_frame(self._sequence, record))
        self._sequence += 1

    async def commit(self) -> None:
        """Wait until everything appended so far is on disk, sharing the sync with others."""
        wanted = self._sequence
        while self._synced < wanted:
            if self._is_syncing:
                # Not a lock: that wakes one after the other, each in a turn of the loop of its own.
                ended = asyncio.get_running_loop().create_future()
                self._waiting.append(ended)
                await ended
            else:
                await self._sync_for_all()

    async def _sync_for_all(self) -> None:
        """Wait for others to join, sync once, and let everybody who waited meanwhile look again."""
        self._is_syncing = True
        write = None
        try:
            await self._clock.sleep(self._group_s)
            write = asyncio.get_running_loop().run_in_executor(None, self._write, self._take())
        finally:
            if write is None:
                self._end_sync()
        # Over when it is written, and not when whoever asked for it is cancelled: others rely on it, and two at once
        # would promise what is not on disk yet.
        write.add_done_callback(self._end_sync)
        await asyncio.shield(write)

    def _end_sync(self, _: object = None) -> None:
        self._is_syncing = False
        waiting, self._waiting = self._waiting, []
        for ended in waiting:
            if not ended.done():  # who waited may have been cancelled
                ended.set_result(None)

    def sync(self) -> None:
        """Write and sync everything appended so far; not while a `commit` is waiting."""
        self._write(self._take())

    def _take(self) -> list[bytes]:
        frames, self._buffer = self._buffer, []
        return frames

    def _write(self, frames: list[bytes]) -> None:
        if self._failed:
            raise StoreError(f"{self.path}: an earlier write failed, nothing more is accepted")
        data = b"".join(frames)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._failed = True
            reason = error.strerror or "write failed"
            raise StoreError(f"{self.path}: {reason}; free space, then run the same command to resume") from None
        self._synced += len(frames)

    def close(self) -> None:
        """Sync and close."""
        if self._descriptor < 0:
            return
        try:
            if not self._failed:
                self.sync()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
