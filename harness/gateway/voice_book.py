"""The voices that callers made through the gateway, each with all that either provider needs to speak it.

Append-only lines in a file that all worker processes share. Where a provider keeps the voice under a name of its own
is that provider's registry; recordings lie in the blob store under their hash.
"""

import fcntl
import json
import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from harness.clock import Clock
from harness.exchanges import Consent
from harness.gateway.refusals import Refused
from harness.speech import Reference, Voice, VoiceKind

__all__ = ["BookedVoice", "VoiceBook", "new_voice_id", "recordings_path", "voice_book_path"]

log = logging.getLogger(__name__)

_ID_BYTES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedVoice:
    """A voice and whose it is."""

    caller_key: str
    voice: Voice
    consent: Consent | None
    made_at: datetime


def voice_book_path(home: Path) -> Path:
    """Where the book of all worker processes lies."""
    return home / "gateway" / "voices.jsonl"


def recordings_path(home: Path) -> Path:
    """Where the recordings of its voices lie, encrypted."""
    return home / "gateway" / "references"


def new_voice_id() -> str:
    """A name for a voice that no other has and nobody guesses."""
    return f"voice-{secrets.token_hex(_ID_BYTES)}"


class VoiceBook:
    """Voices by caller. Reading costs one look at the file's size while nothing was added."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Share the book at `path`, which is made with the first voice."""
        self._path = path
        self._clock = clock
        self._forget()

    def _forget(self) -> None:
        self._file = (-1, -1)  # device and inode of what was read
        self._read_bytes = 0
        self._voices: dict[str, dict[str, BookedVoice]] = {}  # caller → voice id → voice
        self._made: dict[str, list[datetime]] = {}  # caller → when, deleted ones too

    def add(self, caller_key: str, voice: Voice, consent: Consent | None) -> str:
        """Write a voice down durably and return its id: the one it brings, else a new one.

        Syncs to disk and touches nothing but the file, so it may run in another thread than all else here.

        Raises:
            OSError: The disk is full or gone; the voice is not in the book.
        """
        voice = voice if voice.id else replace(voice, id=new_voice_id())
        self._append(
            {
                "event": "added",
                "at": self._clock.now().isoformat(),
                "caller": caller_key,
                "voice": asdict(voice),
                "consent": None if consent is None else _consent_fields(consent),
            }
        )
        return voice.id

    def find(self, caller_key: str, voice_id: str) -> Voice:
        """A voice of this caller.

        Raises:
            Refused: 404 when there is none; somebody else's is none.
        """
        return self._booked(caller_key, voice_id).voice

    def consent(self, caller_key: str, voice_id: str) -> Consent | None:
        """What the owner of the recording allowed; None where nothing was said. Raises as `find` does."""
        return self._booked(caller_key, voice_id).consent

    def list(self, caller_key: str) -> tuple[Voice, ...]:
        """All voices of this caller, oldest first."""
        self._refresh()
        return tuple(booked.voice for booked in self._voices.get(caller_key, {}).values())

    def delete(self, caller_key: str, voice_id: str) -> None:
        """Take a voice out, durably. Raises as `find` does."""
        self._booked(caller_key, voice_id)
        at = self._clock.now().isoformat()
        self._append({"event": "deleted", "at": at, "caller": caller_key, "voice_id": voice_id})

    def made_since(self, caller_key: str, since: datetime) -> Sequence[datetime]:
        """When this caller made voices after `since`, oldest first, deleted ones too."""
        self._refresh()
        return [moment for moment in self._made.get(caller_key, ()) if moment > since]

    def everybodys(self) -> Iterator[BookedVoice]:
        """All voices of all callers; for administration, never for a caller."""
        self._refresh()
        for voices in self._voices.values():
            yield from voices.values()

    def _booked(self, caller_key: str, voice_id: str) -> BookedVoice:
        self._refresh()
        found = self._voices.get(caller_key, {}).get(voice_id)
        if found is None:
            raise Refused(404, "voice_not_found", "there is no such voice; GET /v1/voices lists yours")
        return found

    def _append(self, event: dict[str, Any]) -> None:
        """One whole line in one write, after any half line that a crash left."""
        line = json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            data = b"\n" + line if torn else line
            if file.write(data) != len(data):
                raise OSError(f"{self._path}: only part of a voice was written; free space and make it again")
            os.fdatasync(file.fileno())

    def _refresh(self) -> None:
        """Read what was added since, by us or by others; all of it when the file is another one."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._forget()
            return
        if (status.st_dev, status.st_ino) != self._file or status.st_size < self._read_bytes:
            self._forget()
            self._file = (status.st_dev, status.st_ino)
        if status.st_size == self._read_bytes:
            return
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + len(newline)
        for line in filter(None, whole.split(b"\n")):
            self._apply(line)

    def _apply(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            caller_key = str(event["caller"])
            if event["event"] == "deleted":
                self._voices.get(caller_key, {}).pop(event["voice_id"], None)
                return
            booked = BookedVoice(
                caller_key=caller_key,
                voice=_voice(event["voice"]),
                consent=None if event["consent"] is None else _consent(event["consent"]),
                made_at=datetime.fromisoformat(event["at"]).astimezone(UTC),
            )
        except (ValueError, KeyError, TypeError):
            log.error("voice book has a damaged line", extra={"file": self._path.name})
            return
        self._voices.setdefault(caller_key, {})[booked.voice.id] = booked
        self._made.setdefault(caller_key, []).append(booked.made_at)


def _voice(fields: dict[str, Any]) -> Voice:
    reference = fields["reference"]
    return Voice(
        kind=VoiceKind(fields["kind"]),
        id=str(fields["id"]),
        reference=None if reference is None else Reference(**reference),
        description=fields["description"],
    )


def _consent_fields(consent: Consent) -> dict[str, Any]:
    return {
        "scope": list(consent.scope),
        "region": consent.region,
        "expires_at": consent.expires_at and consent.expires_at.isoformat(),
        "evidence": consent.evidence,
    }


def _consent(fields: dict[str, Any]) -> Consent:
    expires_at = fields["expires_at"]
    return Consent(
        scope=tuple(fields["scope"]),
        region=fields["region"],
        expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
        evidence=fields["evidence"],
    )
