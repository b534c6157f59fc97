"""Answers by the caller's own key, so that a request that is sent twice is carried out and paid for once.

Answers are kept in the memory of a process. Those that made a voice also lie on disk: they outlive a restart, and all
worker processes share them. Only a success is kept: whatever failed was not paid for and may be tried again. But a
stream that broke off may have been paid for, so its key is used up.
"""

import asyncio
import base64
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.clock import Clock
from harness.gateway.answers import Answer
from harness.gateway.callers import Caller
from harness.gateway.refusals import Refused

__all__ = ["Idempotency", "StreamTurn"]

log = logging.getLogger(__name__)

_MAX_KEY_CHARS: Final = 255  # as other payment-like APIs have it
_KEY: Final = re.compile(rf"[!-~]{{1,{_MAX_KEY_CHARS}}}")  # what openapi.py says of it
_MAX_ENTRIES: Final = 10_000
_MAX_BYTES: Final = 64 * 1024 * 1024
_RETRY_S: Final = 0.02
_DAY_S: Final = 86_400.0
_BROKEN: Final = Answer(status=409, body=b"", content_type="", headers={})  # marks the key of a stream that broke off
_BROKEN_SAID: Final = (
    "the first stream of this Idempotency-Key broke off and may have been billed; use a new key to have it made again"
)


@dataclass(frozen=True, slots=True)
class _Kept:
    fingerprint: str
    at_s: float  # seconds since 1970
    answer: Answer


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
            folder: Where answers that must outlive this process lie.
            clock: Ages them.
            keep_s: How long a key gives back its answer.
            max_entries: How many answers memory holds; the one longest unused goes first.
            max_bytes: How many bytes their bodies may have.
        """
        self._folder = folder
        self._clock = clock
        self._keep_s = keep_s
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}  # → its lock, and how many hold or want it
        self._cleared_s = -float("inf")
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def once(
        self,
        caller: Caller,
        key: str | None,
        fingerprint: str,
        make: Callable[[], Awaitable[Answer]],
        *,
        durable: bool = False,
    ) -> Answer:
        """The answer that `make` gives, or gave when this key was used before.

        Args:
            caller: Whose key it is; two callers may use the same.
            key: From the header `Idempotency-Key`; None always makes.
            fingerprint: Of the request, see `SpeechRequest.fingerprint`.
            make: Carries the request out; while it runs, others with the same key wait for it.
            durable: Whether the answer outlives this process; for what makes a voice.

        Raises:
            Refused: 400 for an unusable key, 422 for one that was used for another request.
        """
        if key is None:
            return await make()
        name = _name_of(caller, key)
        # In a task of its own, so that a caller who hangs up does not end what is being paid for: the same key gives
        # the answer when the caller comes back.
        task = asyncio.get_running_loop().create_task(self._once(name, fingerprint, make, durable=durable))
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
            kept = self._find(name)
            if kept is not None and kept.fingerprint != fingerprint:
                raise _reused()
            if kept is not None and kept.answer.status == _BROKEN.status:
                raise Refused(_BROKEN.status, "stream_broken_off", _BROKEN_SAID)
            turn = StreamTurn(kept.answer if kept else None)
            try:
                yield turn
            finally:
                if kept is None and turn.answer is not None:
                    at_s = self._clock.now().timestamp()
                    await self._keep(name, _Kept(fingerprint, at_s, turn.answer), durable=False)

    def _ended(self, task: "asyncio.Task[Answer]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever still waits is told; else nobody is there to be

    async def _once(
        self, name: str, fingerprint: str, make: Callable[[], Awaitable[Answer]], *, durable: bool
    ) -> Answer:
        async with self._turn(name), self._turn_of_all(name, durable=durable):
            kept = self._find(name) or (self._read(name) if durable else None)
            if kept is None:
                answer = await make()
                if answer.status < 300:
                    await self._keep(name, _Kept(fingerprint, self._clock.now().timestamp(), answer), durable=durable)
                return answer
        if kept.fingerprint != fingerprint:
            raise _reused()
        return kept.answer

    @contextlib.asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """One at a time in this process, in the order they came."""
        lock, users = self._turns.get(name, (asyncio.Lock(), 0))
        self._turns[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._turns.pop(name)
            if users > 1:
                self._turns[name] = (lock, users - 1)

    @contextlib.asynccontextmanager
    async def _turn_of_all(self, name: str, *, durable: bool) -> AsyncIterator[None]:
        """One at a time among all processes; the lock ends with its process, however that ends."""
        if not durable:
            yield
            return
        path = self._path(name).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _try_lock(descriptor):
                await self._clock.sleep(_RETRY_S)
            yield
        finally:
            os.close(descriptor)

    def _find(self, name: str) -> _Kept | None:
        kept = self._kept.get(name)
        if kept is None or self._is_old(kept):
            return None
        self._kept.move_to_end(name)
        return kept

    def _is_old(self, kept: _Kept) -> bool:
        return self._clock.now().timestamp() - kept.at_s >= self._keep_s

    async def _keep(self, name: str, kept: _Kept, *, durable: bool) -> None:
        self._drop(name)
        self._kept[name] = kept
        self._bytes += len(kept.answer.body)
        while self._kept and (len(self._kept) > self._max_entries or self._bytes > self._max_bytes):
            self._drop(next(iter(self._kept)))
        if durable:
            await asyncio.to_thread(self._write, name, kept)
            await asyncio.to_thread(self._clear_old)

    def _drop(self, name: str) -> None:
        old = self._kept.pop(name, None)
        self._bytes -= len(old.answer.body) if old else 0

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.json"

    def _write(self, name: str, kept: _Kept) -> None:
        """A disk that is full costs the guarantee across a restart, and not the answer that was paid for."""
        path = self._path(name)
        answer = kept.answer
        fields = {
            "fingerprint": kept.fingerprint,
            "at_s": kept.at_s,
            "status": answer.status,
            "headers": dict(answer.headers),
            "content_type": answer.content_type,
            "body": base64.b64encode(answer.body).decode(),
        }
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(fields, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            log.error("answer not kept on disk", extra={"error": error.strerror})
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _read(self, name: str) -> _Kept | None:
        try:
            fields = json.loads(self._path(name).read_bytes())
            answer = Answer(
                status=fields["status"],
                body=base64.b64decode(fields["body"]),
                content_type=fields["content_type"],
                headers=fields["headers"],
            )
            kept = _Kept(fields["fingerprint"], fields["at_s"], answer)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            log.error("kept answer not readable, made anew", extra={"answer": name[:12]})
            return None
        return None if self._is_old(kept) else kept

    def _clear_old(self) -> None:
        """Delete what no key gives back any more, at most once in an hour."""
        now_s = self._clock.now().timestamp()
        if now_s - self._cleared_s < 3_600.0:
            return
        self._cleared_s = now_s
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):
                if now_s - path.stat().st_mtime > self._keep_s + _DAY_S:
                    path.unlink()


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


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
