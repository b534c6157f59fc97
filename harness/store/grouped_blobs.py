"""Blobs of many tasks, made durable in groups: whoever brings one while others are written goes with the next group.

A thread for each blob costs more than the blob: work and the interpreter's lock are handed around. A request of 100 kB
took 576 us of CPU with blobs in groups and 797 with them one by one (`python -m tests.benchmarks.replay_cpu`).
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from harness.errors import StoreError
from harness.store.blobs import BlobStore

__all__ = ["GroupedBlobs"]

_MOST: Final = 64  # blobs of one group: each has a file open until all are synced
_AT_ONCE: Final = 2  # groups: their syncs share commits of the file system, half the wait of one; more are no faster


class _Order(NamedTuple):
    """A blob that waits for its group."""

    data: bytes
    extension: str
    stored: "asyncio.Future[str]"


class GroupedBlobs:
    """A blob store for the tasks of one event loop."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._waiting: list[_Order] = []
        self._writing = 0  # groups
        self._is_called = False  # to write the next one

    async def put(self, data: bytes, extension: str) -> str:
        """Store `data` durably and return its SHA-256.

        Who is cancelled while it waits takes nothing back: the blob is stored with its group.

        Raises:
            StoreError: It, or another of its group, could not be stored.
        """
        order = _Order(data, extension, asyncio.get_running_loop().create_future())
        self._waiting.append(order)
        if self._writing < _AT_ONCE and not self._is_called:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._write)  # with all that arrive in this turn of the loop
        return await order.stored

    def _write(self) -> None:
        """Hand the next group to a thread."""
        self._is_called = False
        self._writing += 1
        group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        blobs = [(order.data, order.extension) for order in group]
        writing = asyncio.get_running_loop().run_in_executor(None, self._store.put_all, blobs)
        writing.add_done_callback(lambda done: self._written(group, done))

    def _written(self, group: Sequence[_Order], done: "asyncio.Future[list[str]]") -> None:
        error = self._sorry(done)
        names = [""] * len(group) if error else done.result()
        for order, name in zip(group, names, strict=True):
            if order.stored.done():
                continue  # nobody waits for it any more
            if error:
                order.stored.set_exception(error)
            else:
                order.stored.set_result(name)
        self._writing -= 1
        if self._waiting and not self._is_called:
            self._write()

    def _sorry(self, done: "asyncio.Future[list[str]]") -> BaseException | None:
        """Why a group was not stored, in words for a person where it is the disk's fault."""
        error = done.exception()
        if not isinstance(error, OSError):
            return error
        reason = error.strerror or "write failed"
        return StoreError(f"{self._store.root}: {reason}; free space, then run the same command to resume")
