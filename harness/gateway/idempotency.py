"""Answers by the caller's own key, so that a request that is sent twice is carried out and paid for once.

The first one is carried out while all others of its key wait, in whichever worker process they arrive; what it gave
lies in memory and on the shelf that all processes share. Only a success is kept: whatever failed was not paid for and
may be tried again. But a stream that broke off may have been paid for, so its key is used up.
"""

import asyncio
import contextlib
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from harness.clock import Clock
from harness.gateway.answer_shelf import AnswerShelf
from harness.gateway.answers import Answer, KeptAnswer
from harness.gateway.callers import Caller
from harness.gateway.refusals import Refused

__all__ = ["Idempotency", "StreamTurn"]

_MAX_KEY_CHARS: Final = 255  # as other payment-like APIs have it
_KEY: Final = re.compile(rf"[!-~]{{1,{_MAX_KEY_CHARS}}}")  # what openapi.py says of it
_MAX_ENTRIES: Final = 10_000
_MAX_BYTES: Final = 64 * 1024 * 1024
_DAY_S: Final = 86_400.0
_BROKEN: Final = Answer(status=409, body=b"", content_type="", headers={})  # marks the key of a stream that broke off
_BROKEN_SAID: Final = (
    "the first stream of this Idempotency-Key broke off and may have been billed; use a new key to have it made again"
)


class Idempotency:
    """One for each process; `folder` is shared by all."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        keep_s: float = _DAY_S,
        max_entries: int = _MAX_ENTRIES,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        """Nothing is kept in memory yet; what is on disk counts.

        Args:
            folder: Where answers lie for all processes.
            clock: Ages them.
            keep_s: How long a key gives back its answer.
            max_entries: How many answers memory holds; the one longest unused goes first.
            max_bytes: How many bytes their bodies may have.
        """
        self._shelf = AnswerShelf(folder, clock=clock, keep_s=keep_s)
        self._clock = clock
        self._keep_s = keep_s
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, KeptAnswer] = OrderedDict()
        self._bytes = 0
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}  # → its lock, and how many hold or want it
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def once(
        self, caller: Caller, key: str | None, fingerprint: str, make: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """The answer that `make` gives, or gave when this key was used before.

        Args:
            caller: Whose key it is; two callers may use the same.
            key: From the header `Idempotency-Key`; None always makes.
            fingerprint: Of the request, see `SpeechRequest.fingerprint`.
            make: Carries the request out; while it runs, others with the same key wait for it.

        Raises:
            Refused: 400 for an unusable key, 422 for one that was used for another request.
        """
        if key is None:
            return await make()
        name = _name_of(caller, key)
        # In a task of its own, so that a caller who hangs up does not end what is being paid for: the same key gives
        # the answer when the caller comes back.
        task = asyncio.get_running_loop().create_task(self._once(name, fingerprint, make))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    @contextlib.asynccontextmanager
    async def streaming(self, caller: Caller, key: str | None, fingerprint: str) -> AsyncIterator["StreamTurn"]:
        """This key's turn for a stream: no other request of the key begins until the block ends.

        The block tells the turn what became of the stream; one that left without a word may have been paid for.

        Raises:
            Refused: As by `once`, and 409 where the first stream of this key broke off.
        """
        if key is None:
            yield StreamTurn(None)
            return
        name = _name_of(caller, key)
        async with self._turn(name):
            kept = await self._find(name)
            if kept is not None and kept.fingerprint != fingerprint:
                raise _reused()
            if kept is not None and kept.answer.status == _BROKEN.status:
                raise Refused(_BROKEN.status, "stream_broken_off", _BROKEN_SAID)
            turn = StreamTurn(kept.answer if kept else None)
            try:
                yield turn
            finally:
                if kept is None and turn.answer is not None:
                    await self._keep(name, self._of_now(fingerprint, turn.answer))

    def _ended(self, task: "asyncio.Task[Answer]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever still waits is told; else nobody is there to be

    async def _once(self, name: str, fingerprint: str, make: Callable[[], Awaitable[Answer]]) -> Answer:
        async with self._turn(name):
            kept = await self._find(name)
            if kept is None:
                answer = await make()
                if answer.status < 300:
                    await self._keep(name, self._of_now(fingerprint, answer))
                return answer
        if kept.fingerprint != fingerprint:
            raise _reused()
        return kept.answer

    @contextlib.asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """One at a time: in this process in the order they came, and among all processes."""
        lock, users = self._turns.get(name, (asyncio.Lock(), 0))
        self._turns[name] = (lock, users + 1)
        try:
            async with lock, self._shelf.turn(name):
                yield
        finally:
            lock, users = self._turns.pop(name)
            if users > 1:
                self._turns[name] = (lock, users - 1)

    def _of_now(self, fingerprint: str, answer: Answer) -> KeptAnswer:
        return KeptAnswer(fingerprint=fingerprint, at_s=self._clock.now().timestamp(), answer=answer)

    async def _find(self, name: str) -> KeptAnswer | None:
        kept = self._kept.get(name)
        if kept is None or kept.is_old(self._clock.now().timestamp(), self._keep_s):
            return await self._shelf.find(name)
        self._kept.move_to_end(name)
        return kept

    async def _keep(self, name: str, kept: KeptAnswer) -> None:
        self._drop(name)
        self._kept[name] = kept
        self._bytes += len(kept.answer.body)
        while self._kept and (len(self._kept) > self._max_entries or self._bytes > self._max_bytes):
            self._drop(next(iter(self._kept)))
        await self._shelf.put(name, kept)

    def _drop(self, name: str) -> None:
        old = self._kept.pop(name, None)
        self._bytes -= len(old.answer.body) if old else 0


class StreamTurn:
    """What one stream is to its key; until it is told otherwise it counts as broken off."""

    def __init__(self, kept: Answer | None) -> None:
        self.kept = kept  # the whole answer that the first stream of this key gave
        self.answer: Answer | None = _BROKEN  # what the key gives back from now on

    def whole(self, answer: Answer) -> None:
        """It was sent to its end."""
        self.answer = answer

    def nothing_sent(self) -> None:
        """It failed before anything was heard, so the key may be used again."""
        self.answer = None


def _name_of(caller: Caller, key: str) -> str:
    if not _KEY.fullmatch(key):
        said = f"Idempotency-Key must be 1 to {_MAX_KEY_CHARS} visible ASCII characters, without spaces"
        raise Refused(400, "invalid_idempotency_key", said)
    return hashlib.sha256(f"{caller.key}\0{key}".encode(errors="surrogatepass")).hexdigest()


def _reused() -> Refused:
    said = "this Idempotency-Key was used for another request; use a new one"
    return Refused(422, "idempotency_key_reused", said)
