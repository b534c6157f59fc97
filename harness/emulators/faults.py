"""Which request shall meet which fault: a script read from JSON, or one fault named in a header of the request.

{"faults": [{"fault": "rate-quota", "path": "*/generation", "skip": 1, "times": 2, "retry_after": "2"}]}

Decides only that; what a fault does is told by the modules `fault_*`.
"""

import fnmatch
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from harness.errors import UsageError

__all__ = ["HEADER", "Injected", "Script", "Side", "read_script"]

HEADER: Final = "X-Standin-Fault"  # "rate-quota; retry_after=2": for this request only
_OWN_KEYS: Final = ("fault", "on", "path", "skip", "times")


class Side(StrEnum):
    """Who answers: at Qwen the audio lies on a host of its own, at Modal both are one."""

    API = "api"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """A fault that one request meets."""

    name: str
    parameters: Mapping[str, Any]

    def text(self, name: str, default: str) -> str:
        """A parameter as text."""
        return str(self.parameters.get(name, default))

    def number(self, name: str, default: float) -> float:
        """A parameter as number.

        Raises:
            UsageError: It is none.
        """
        try:
            return float(self.parameters.get(name, default))
        except (TypeError, ValueError):
            raise UsageError(f"fault {self.name!r}: {name} must be a number") from None


@dataclass(slots=True, kw_only=True)
class _Entry:
    """One line of the script, and how much of it is left."""

    fault: Injected
    side: Side
    path: str  # a pattern with * and ?
    skip: int  # requests that match and pass
    times: int | None  # requests that meet it; None: all


@dataclass(slots=True)
class Script:
    """What is still to come. The first entry that matches a request decides."""

    sides: Mapping[str, Side]  # every fault there is, and where it belongs unless told otherwise
    _entries: list[_Entry] = field(default_factory=list)
    _first: object = None  # what a reset goes back to

    def load(self, document: object) -> None:
        """Put `document` in place of what is left.

        Raises:
            UsageError: It is no script; says which entry and why.
        """
        listed = document.get("faults") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise UsageError('a fault script is a JSON object with the list "faults"')
        self._entries = [self._entry(number, entry) for number, entry in enumerate(listed, 1)]

    def begin_with(self, document: object) -> None:
        """Load `document`, now and at every reset."""
        self.load(document)
        self._first = document

    def reset(self) -> None:
        """Begin anew."""
        self.load(self._first or {"faults": []})

    def take(self, path: str, sides: Iterable[Side], header: str | None) -> Injected | None:
        """The fault for a request; None when it shall go well.

        Raises:
            UsageError: The header names no fault.
        """
        if header is not None:
            return self._named(header)
        for entry in self._entries:
            if entry.times == 0 or entry.side not in sides or not fnmatch.fnmatchcase(path, entry.path):
                continue
            if entry.skip:
                entry.skip -= 1
                continue
            entry.times = None if entry.times is None else entry.times - 1
            return entry.fault
        return None

    def _named(self, header: str) -> Injected:
        name, *words = (word.strip() for word in header.split(";"))
        self._known(name, "header " + HEADER)
        pairs = (word.partition("=") for word in words if word)
        return Injected(name=name, parameters={key.strip(): value.strip() for key, _, value in pairs})

    def _known(self, name: object, where: str) -> str:
        if not isinstance(name, str) or name not in self.sides:
            raise UsageError(f"{where}: no fault {name!r}; the stand-in knows {', '.join(sorted(self.sides))}")
        return name

    def _entry(self, number: int, entry: object) -> _Entry:
        where = f"fault script, entry {number}"
        if not isinstance(entry, dict):
            raise UsageError(f"{where}: must be an object")
        name = self._known(entry.get("fault"), where)
        try:
            side = Side(entry.get("on", self.sides[name]))
        except ValueError:
            raise UsageError(f'{where}: "on" must be "api" or "audio"') from None
        times = entry.get("times", 1)
        return _Entry(
            fault=Injected(name=name, parameters={key: value for key, value in entry.items() if key not in _OWN_KEYS}),
            side=side,
            path=str(entry.get("path", "*")),
            skip=_whole(where, "skip", entry.get("skip", 0)),
            times=None if times is None else _whole(where, "times", times),
        )


def _whole(where: str, name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f'{where}: "{name}" must be a whole number from 0 on')
    return value


def read_script(path: Path) -> object:
    """The JSON of a script file.

    Raises:
        UsageError: It cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; name another --faults FILE") from None
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON: {error}; mend it or name another --faults FILE") from None
