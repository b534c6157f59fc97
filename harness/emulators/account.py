"""What a stand-in remembers of its customer: the bill, the voices, and how many requests came in.

Bill and voices are written to a file as they change, so a stand-in that was stopped finds them again; the counts of
requests are of the running process.
"""

import io
import json
import os
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError

__all__ = ["Account", "StoredVoice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVoice:
    """A voice made at the stand-in."""

    voice: str  # the provider's id
    maker: str  # the model that made it
    target_model: str  # the only one it speaks through
    language: str | None
    timbre: str  # a member of timbres.CAST
    made_at: str  # "YYYY-MM-DD HH:MM:SS", as the lists have it
    voice_prompt: str | None = None
    preview_text: str | None = None


class Account:
    """Appends an event for every change and is the sum of its events."""

    def __init__(self, path: Path | None) -> None:
        """Read what an earlier stand-in left in `path`, and go on there; a torn last line is cut off.

        Raises:
            ConfigError: The file is not an account, or cannot be written.
        """
        self._billed: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._requests: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.voices: dict[str, StoredVoice] = {}
        self._file = _opened(path) if path else None
        if path and self._file:
            self._reload(path, self._file)

    def bill(self, item: str, unit: str, units: float, *, request_id: str) -> None:
        """Put `units` of `item` on the bill, both named as data/prices.toml names them."""
        self._happened({"event": "billed", "item": item, "unit": unit, "units": units, "request_id": request_id})

    def keep(self, voice: StoredVoice) -> None:
        """Remember a voice."""
        self._happened({"event": "voice made", **asdict(voice)})

    def forget(self, voice: str) -> None:
        """Delete a voice that exists."""
        self._happened({"event": "voice deleted", "voice": voice})

    def count(self, path: str, status: str) -> None:
        """Count a request that was answered."""
        self._requests[path][status] += 1

    def meter(self) -> dict[str, Any]:
        """Everything billed, by item and in total, the number of voices, and requests by path and status."""
        total: Counter[str] = Counter()
        for units in self._billed.values():
            total.update(units)
        return {
            "billed": {item: _plain(units) for item, units in self._billed.items()},
            "total": _plain(total),
            "voices": len(self.voices),
            "requests": {path: dict(statuses) for path, statuses in self._requests.items()},
        }

    def reset(self) -> None:
        """Begin anew: no bill, no voice, no count."""
        self._billed.clear()
        self._requests.clear()
        self.voices.clear()
        if self._file:
            self._file.seek(0)
            self._file.truncate()

    def close(self) -> None:
        """Close the file; what happens afterwards is remembered, not kept."""
        if self._file:
            self._file.close()
            self._file = None

    def _happened(self, event: dict[str, Any]) -> None:
        if self._file:
            self._file.write(json.dumps(event, ensure_ascii=True).encode() + b"\n")
            self._file.flush()
        self._apply(dict(event))

    def _apply(self, event: dict[str, Any]) -> None:
        match event.pop("event"):
            case "billed":
                self._billed[event["item"]][event["unit"]] += event["units"]
            case "voice made":
                voice = StoredVoice(**event)
                self.voices[voice.voice] = voice
            case "voice deleted":
                self.voices.pop(event["voice"], None)
            case other:
                raise ValueError(f"unknown event {other!r}")

    def _reload(self, path: Path, file: io.BufferedRandom) -> None:
        end = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                self._apply(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                file.close()
                raise ConfigError(
                    f"{path}: line {number} is no event of a stand-in's account; name another --account FILE"
                ) from None
            end += len(line)
        file.seek(end)
        file.truncate()


def _opened(path: Path) -> io.BufferedRandom:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise ConfigError(f"{path}: the account cannot be kept there: {error.strerror}; name another file") from None


def _plain(units: Counter[str]) -> dict[str, float]:
    """Sums without the dust of adding floats."""
    return {unit: round(value, 6) for unit, value in units.items()}
