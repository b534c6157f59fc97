"""Copies that wait for a worker, bounded by number and by audio; whoever offers one never waits."""

import asyncio
from collections.abc import Iterator
from typing import Final

from harness.gateway.copies import Copy

__all__ = ["CopyQueue"]

_MAX_BYTES: Final = 64 * 1024 * 1024  # of audio that waits


class CopyQueue:
    """First in, first out; what finds no room is not taken."""

    def __init__(self, most: int) -> None:
        """Hold at most so many copies."""
        self._copies: asyncio.Queue[Copy] = asyncio.Queue(most)
        self._bytes = 0

    def __len__(self) -> int:
        return self._copies.qsize()

    def offer(self, copy: Copy) -> bool:
        """Whether there was room for it."""
        size = copy.size_bytes
        if self._copies.full() or self._bytes + size > _MAX_BYTES:
            return False
        self._copies.put_nowait(copy)
        self._bytes += size
        return True

    async def take(self) -> Copy:
        """The next one, as soon as there is one."""
        return self._taken(await self._copies.get())

    def empty_out(self) -> Iterator[Copy]:
        """All that still wait; afterwards none does."""
        while not self._copies.empty():
            yield self._taken(self._copies.get_nowait())

    def _taken(self, copy: Copy) -> Copy:
        self._bytes -= copy.size_bytes
        return copy
