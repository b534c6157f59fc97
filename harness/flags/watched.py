"""A small file that people and other processes change while we run: always a whole value, never an exception.

Content decides whether it changed. A time stamp cannot: a restored older file has an older one, and would be passed
over by a comparison of times (measured on flagd's file source: a restored file left 25.7 % of callers where they were).
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from harness.clock import Clock
from harness.errors import HarnessError

__all__ = ["MAX_BYTES", "WatchedFile", "read_small_file"]

MAX_BYTES: Final = 64 * 1024  # a hundred times what such a file needs; reading more would hold up requests

Value = TypeVar("Value")


def read_small_file(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file; a link to one will do.

    Raises:
        HarnessError: It is missing, unreadable, no regular file, or longer than `max_bytes`; says which.
    """
    try:
        # Non-blocking, because opening a named pipe would else wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise HarnessError(f"{path}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HarnessError(f"{path}: is no regular file")
        content = os.read(descriptor, max_bytes + 1)
    except OSError as error:
        raise HarnessError(f"{path}: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise HarnessError(f"{path}: is longer than {max_bytes} bytes")
    return content


class WatchedFile(Generic[Value]):
    """The parsed content of a file, looked at again when `poll_s` have passed since the last look."""

    def __init__(
        self,
        path: Path,
        *,
        parse: Callable[[bytes], Value],
        fail_safe: Callable[[str], Value],
        clock: Clock,
        poll_s: float,
    ) -> None:
        """Watch `path`, which may not exist.

        Args:
            path: The file.
            parse: Turns its bytes into a value; whatever it raises makes the file unusable.
            fail_safe: The value to use meanwhile, given the reason; called once for each new reason.
            clock: Says when to look again.
            poll_s: Seconds between two looks: how long a change may take to be seen. 0 looks every time.
        """
        self.path = path
        self._parse = parse
        self._fail_safe = fail_safe
        self._clock = clock
        self._poll_s = poll_s
        self._content: bytes | None = None
        self._problem: str | None = None
        self._value = self._look()

    def current(self) -> Value:
        """The value in force: never older than `poll_s`, never a mixture of two contents."""
        if self._clock.monotonic() >= self._next_look_s:
            self._value = self._look()
        return self._value

    def _look(self) -> Value:
        self._next_look_s = self._clock.monotonic() + self._poll_s
        try:
            content = read_small_file(self.path)
        except HarnessError as error:
            self._content = None
            return self._unusable(str(error))
        if content == self._content:
            return self._value
        self._content = content
        try:
            value = self._parse(content)
        except HarnessError as error:
            return self._unusable(str(error))
        except Exception as error:  # noqa: BLE001 - whatever is in the file, the request that waits gets an answer
            return self._unusable(f"{self.path}: cannot be read ({type(error).__name__})")
        self._problem = None
        return value

    def _unusable(self, problem: str) -> Value:
        if problem == self._problem:
            return self._value
        self._problem = problem
        return self._fail_safe(problem)
