"""The way out that asks nobody: a file or a variable, and no request goes to Qwen any more.

Read on every request, so it must cost next to nothing and cannot fail: whatever is at the file's place kills, and so
does whatever keeps us from looking.
"""

import contextlib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from harness.errors import ConfigError

__all__ = ["KILL_VARIABLE", "KillSwitch"]

KILL_VARIABLE: Final = "CUTOVER_KILL"
_OFF: Final = frozenset({"", "0", "false", "no", "off"})  # anything else kills, a misspelling too


class KillSwitch:
    """Says whether Qwen is cut off, and by what."""

    def __init__(self, path: Path, *, environ: Mapping[str, str]) -> None:
        """Look for `path` and, in `environ`, for `CUTOVER_KILL`; both at every question."""
        self.path = path
        self._file = os.fspath(path)
        self._environ = environ

    def reason(self) -> str | None:
        """What cut Qwen off; None while nothing did."""
        if self._environ.get(KILL_VARIABLE, "").strip().lower() not in _OFF:
            return KILL_VARIABLE
        try:
            os.lstat(self._file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return f"{self._file} cannot be looked for ({error.strerror})"
        return self._file

    def engage(self, *, who: str, why: str, at: datetime) -> None:
        """Cut Qwen off for every process that watches this file.

        Raises:
            ConfigError: The file cannot be made; says what to do instead.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except IsADirectoryError:
            return  # whatever stands there kills
        except OSError as error:
            raise ConfigError(
                f"{self.path}: cannot be made ({error.strerror}); set every flag to legacy, or restart with "
                f"{KILL_VARIABLE}=1"
            ) from None
        try:
            # A full disk has room for a name but not for words; the name is what counts.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{at.isoformat()} {who}: {why}\n".encode(errors="replace"))
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def lift(self) -> bool:
        """Take the file away; False when there was none. A variable can only be taken away where it was set.

        Raises:
            ConfigError: Something is there that is no file of ours.
        """
        try:
            self.path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be removed ({error.strerror}); remove it by hand") from None
        return True
