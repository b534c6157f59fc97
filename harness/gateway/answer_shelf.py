"""Answers on disk: they outlive a restart, and all worker processes share them, for some time and up to some bytes.

Whose turn it is to make one is told here too, since a lock that all processes see lies beside the answer. A disk that
is full or gone costs the guarantee across processes, and no caller an answer.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from harness.clock import Clock
from harness.gateway.answers import Answer, KeptAnswer

__all__ = ["AnswerShelf"]

log = logging.getLogger(__name__)

_MAX_BYTES: Final = 1024 * 1024 * 1024  # of all callers together: some ten thousand sentences
_RETRY_S: Final = 0.02
_CLEAR_EVERY_S: Final = 60.0
_LOST_S: Final = 86_400.0  # a lock that old was left by a process that was killed


class AnswerShelf:
    """One folder; an answer lies under the name of its key for `keep_s` seconds."""

    def __init__(self, folder: Path, *, clock: Clock, keep_s: float, max_bytes: int = _MAX_BYTES) -> None:
        """Share `folder`, which the first answer makes; beyond `max_bytes` the oldest answers go."""
        self._folder = folder
        self._clock = clock
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._cleared_s = -float("inf")

    @contextlib.asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """One at a time among all processes; the lock ends with its process, however that ends."""
        path = self._path(name).with_suffix(".lock")
        try:
            descriptor = await self._locked(path)
        except OSError as error:
            log.error("key not locked, another process may answer it too", extra={"error": error.strerror})
            yield
            return
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # still locked, so whoever waits for it will see that it is gone
            os.close(descriptor)

    async def _locked(self, path: Path) -> int:
        """The descriptor of the file that lies at `path`, once it is ours."""
        while True:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                while not _try_lock(descriptor):
                    await self._clock.sleep(_RETRY_S)
                if _lies_at(path, descriptor):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    async def put(self, name: str, kept: KeptAnswer) -> None:
        """Keep an answer, or log why that cannot be done."""
        await asyncio.to_thread(_write, self._path(name), kept)
        now_s = self._clock.monotonic()
        if now_s - self._cleared_s >= _CLEAR_EVERY_S:
            self._cleared_s = now_s
            await asyncio.to_thread(self._clear)

    async def find(self, name: str) -> KeptAnswer | None:
        """The answer kept under a name; None when there is none, it is too old or cannot be read."""
        path = self._path(name)
        if not path.exists():  # as for nearly every key, and then no thread is needed
            return None
        kept = await asyncio.to_thread(_read, path)
        return None if kept is None or kept.is_old(self._clock.now().timestamp(), self._keep_s) else kept

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.answer"

    def _clear(self) -> None:
        """Delete what no key gives back any more, and the oldest of what is too much."""
        now_s = self._clock.now().timestamp()
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                if path.suffix != ".lock":
                    found.append((status.st_mtime, status.st_size, path))
                elif now_s - status.st_mtime > _LOST_S:
                    path.unlink()
        left = sum(size for _, size, _ in found)
        for changed_s, size, path in sorted(found):
            if now_s - changed_s < self._keep_s and left <= self._max_bytes:
                return
            with contextlib.suppress(OSError):
                path.unlink()
            left -= size


def _write(path: Path, kept: KeptAnswer) -> None:
    """A line of JSON, then the body as it is: speech is long."""
    answer = kept.answer
    head = {
        "fingerprint": kept.fingerprint,
        "at_s": kept.at_s,
        "status": answer.status,
        "headers": dict(answer.headers),
        "content_type": answer.content_type,
        "size_bytes": len(answer.body),
        "crc32": zlib.crc32(answer.body),
    }
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            file.write(answer.body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        log.error("answer not kept on disk", extra={"error": error.strerror})
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _read(path: Path) -> KeptAnswer | None:
    try:
        line, _, body = path.read_bytes().partition(b"\n")
        head = json.loads(line)
        if (len(body), zlib.crc32(body)) != (head["size_bytes"], head["crc32"]):
            raise ValueError("the body is not what was written")
        answer = Answer(
            status=head["status"], body=body, content_type=head["content_type"], headers=dict(head["headers"])
        )
        return KeptAnswer(fingerprint=head["fingerprint"], at_s=float(head["at_s"]), answer=answer)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        log.error("kept answer not readable, made anew", extra={"answer": path.stem[:12]})
        return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lies_at(path: Path, descriptor: int) -> bool:
    """Whether it is still the file that the next one will open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
