"""The flag file on the live path: every content that cannot be used means legacy, and says why.

Not the last good flags: deleting or breaking the file must take callers off Qwen, as anybody would expect at night.
"""

import logging
from pathlib import Path

from harness.clock import Clock
from harness.errors import ConfigError, HarnessError
from harness.flags.flag_toml import parse_flags
from harness.flags.flagset import FlagSet
from harness.flags.watched import WatchedFile, read_small_file

__all__ = ["FlagFile", "check_flags"]

log = logging.getLogger(__name__)


def check_flags(path: Path) -> FlagSet:
    """The flags in `path`, for a person who wants to know whether the file is right.

    Raises:
        ConfigError: The live path would refuse it; says what to mend.
    """
    try:
        return parse_flags(read_small_file(path), name=str(path))
    except ConfigError:
        raise
    except HarnessError as error:
        raise ConfigError(f"{error}; CUTOVER_FLAGS__FILE names the flag file, and until then all is legacy") from None


class FlagFile:
    """Flags from a TOML file that may change at any time; a change is seen within `poll_s`."""

    def __init__(self, path: Path, *, clock: Clock, poll_s: float = 0.1) -> None:
        self._name = str(path)
        self._file = WatchedFile(path, parse=self._parse, fail_safe=self._legacy, clock=clock, poll_s=poll_s)

    def current(self) -> FlagSet:
        """The flags in force; all legacy, with the reason, while the file cannot be used."""
        return self._file.current()

    def _parse(self, content: bytes) -> FlagSet:
        flags = parse_flags(content, name=self._name)
        log.info("flags changed", extra={"file": self._name, "version": flags.version})
        return flags

    def _legacy(self, problem: str) -> FlagSet:
        log.error("flag file unusable, everything goes to legacy", extra={"file": self._name, "problem": problem})
        return FlagSet.all_legacy(problem)
