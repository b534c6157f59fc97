"""Which voices we have made at providers, of what, and when each last spoke.

Append-only, so that a crash forgets none that was paid for.

Knows only what we did; whether a voice still exists there is for the provider to say.
"""

import contextlib
import fcntl
import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["VoiceKey", "VoiceRegistry"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceKey:
    """What a voice at a provider is made from and bound to: it works nowhere else."""

    account: str  # whose it is; a stand-in's voices are not the real provider's
    region: str
    target_model: str  # the one model that can speak with it (providers.md A5)
    source: str  # SHA-256 of the reference recording, or of the description


class VoiceRegistry:
    """One JSON line for each voice made or removed, and for each day it spoke; several processes may share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0
        self._voices: dict[str, VoiceKey] = {}  # by provider's id, oldest first
        self._fallbacks: dict[str, bool | None] = {}
        self._used_at: dict[str, datetime] = {}

    def get(self, key: VoiceKey) -> str | None:
        """The provider's id of the voice made last for `key`; None when there is none."""
        return next((voice_id for voice_id, owner in reversed(self.all().items()) if owner == key), None)

    def all(self) -> dict[str, VoiceKey]:
        """Every voice that was made and not removed, by the provider's id, oldest first."""
        self._refresh()
        return dict(self._voices)

    def fallback_mode(self, voice_id: str) -> bool | None:
        """Whether the provider made the voice in its degraded mode; None when it did not say (providers.md A5)."""
        self._refresh()
        return self._fallbacks.get(voice_id)

    def used_at(self, voice_id: str) -> datetime | None:
        """When the voice last spoke, to the day, or was made; None when it is not remembered."""
        self._refresh()
        return self._used_at.get(voice_id)

    def add(self, key: VoiceKey, voice_id: str, *, made_at: datetime, fallback_mode: bool | None = None) -> None:
        """Record a voice durably, and whether it was made in the provider's degraded mode."""
        told = {"voice_id": voice_id, "at": made_at.isoformat(), "fallback_mode": fallback_mode}
        self._append({"event": "made", **told, **asdict(key)})

    def remove(self, voice_id: str, *, removed_at: datetime) -> None:
        """Record durably that a voice is gone."""
        self._append({"event": "removed", "voice_id": voice_id, "at": removed_at.isoformat()})

    def note_use(self, voice_id: str, *, used_at: datetime) -> None:
        """Record that a voice speaks, once for each day.

        Speech under way must neither wait nor fail for it, so it is not synced and a full disk is let pass: what a
        crash forgets is noted the next time.
        """
        before = self._used_at.get(voice_id)
        if before is None or before.date() < used_at.date():
            self._used_at[voice_id] = used_at
            with contextlib.suppress(OSError):
                self._append({"event": "used", "voice_id": voice_id, "at": used_at.isoformat()}, durably=False)

    def _append(self, event: dict[str, str | bool | None], *, durably: bool = True) -> None:
        line = json.dumps(event, ensure_ascii=True).encode() + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write(b"\n" + line if torn else line)
            if durably:
                os.fdatasync(file.fileno())

    def _refresh(self) -> None:
        """Read what was added since, by us or by others."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                added = file.read()
        except FileNotFoundError:
            return
        whole, newline, _ = added.rpartition(b"\n")
        self._read_bytes += len(whole) + len(newline)
        for line in whole.splitlines():
            self._apply(line)

    def _apply(self, line: bytes) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
            voice_id = str(event["voice_id"])
            if event["event"] == "removed":
                for known in (self._voices, self._fallbacks, self._used_at):
                    known.pop(voice_id, None)
                return
            at = datetime.fromisoformat(str(event["at"]))
            if event["event"] == "made":
                names = ("account", "region", "target_model", "source")
                self._voices[voice_id] = VoiceKey(**{name: str(event[name]) for name in names})
                told = event.get("fallback_mode")
                self._fallbacks[voice_id] = told if isinstance(told, bool) else None
            if voice_id in self._voices:
                self._used_at[voice_id] = at
        except (ValueError, KeyError, TypeError):
            # Half a line is what a crash leaves. The voice it named is found again in the provider's own list.
            log.warning("voice registry has a damaged line", extra={"file": self._path.name})
