"""Transcripts by a server: any that speaks the field's `POST …/audio/transcriptions`, through the guarded door.

The sound goes out as it is stored, so nothing of a stranger's is decoded in this process. It leaves this machine, and
the server may charge for it: chosen by a setting, never by default.
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from yarl import URL

from harness.clock import Clock
from harness.config import ModelSettings
from harness.errors import ConfigError, HarnessError, StoreError
from harness.exchanges import OK
from harness.providers.addresses import Addresses, base_url
from harness.providers.base import Deadline
from harness.providers.door import Door, Fault, Limits, Reply, secret_header
from harness.store.blobs import BlobStore

__all__ = ["Endpoint", "engine_version"]

_TRIES: Final = 3
_PAUSE_S: Final = 1.0  # before the second try; twice that before the third
_IN_A_ROW: Final = 5  # failures after which the server is taken to be down
_CONNECT_S: Final = 10.0
_MAX_REPLY_BYTES: Final = 1 << 20
_URL, _KEY = "CUTOVER_MODELS__ENDPOINT_URL", "CUTOVER_MODELS__ENDPOINT_KEY"

Sound = tuple[str, str, str, str | None]  # the store's folder, SHA-256, extension, language
Book = Callable[[Sound, dict[str, Any]], None]


def engine_version(settings: ModelSettings) -> str:
    """What tells transcripts of one server and model from those of another.

    Raises:
        ConfigError: No server is named.
    """
    if not settings.endpoint_url:
        raise ConfigError(f"{_URL}: not set; name a server with /audio/transcriptions, https://host/v1")
    return f"{settings.endpoint_model} at {URL(settings.endpoint_url).authority}"


class Endpoint:
    """One server."""

    def __init__(self, settings: ModelSettings, *, allow_hosts: frozenset[str], clock: Clock) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            ConfigError: The address or the key in the settings cannot be used.
        """
        engine_version(settings)
        origin = base_url(settings.endpoint_url or "", _URL, allow_hosts)
        self._url = origin / "audio" / "transcriptions"
        self._settings = settings
        self._clock = clock
        self._in_a_row = 0
        key = settings.endpoint_key
        self._door = Door(
            origin=origin,
            addresses=Addresses(origin=origin, hosts=None, allow_hosts=allow_hosts),
            secrets={"Authorization": f"Bearer {secret_header(key, _KEY)}"} if key else {},
            limits=Limits(
                connect_timeout_s=_CONNECT_S,
                read_timeout_s=settings.endpoint_timeout_s,
                max_reply_bytes=_MAX_REPLY_BYTES,
            ),
            clock=clock,
        )

    async def transcribe(self, sounds: Sequence[Sound], book: Book) -> None:
        """Have every sound transcribed, a few at a time; `book` gets each as it is done.

        What it gets holds `outcome`, `text` and `language`; or `failed`, or `lost`, a sentence each, which say
        nothing about the sound and are worth another try later.

        Raises:
            ConfigError: The key is refused.
            HarnessError: The server fails again and again.
        """
        waiting = iter(sounds)

        async def work() -> None:
            for sound in waiting:  # shared: each takes the next
                book(sound, await self._one(sound))

        try:
            async with self._door, asyncio.TaskGroup() as group:
                for _ in range(min(self._settings.endpoint_concurrency, len(sounds))):
                    group.create_task(work())
        except* HarnessError as several:
            raise several.exceptions[0] from None

    async def _one(self, sound: Sound) -> dict[str, Any]:
        root, sha256, extension, language = sound
        try:
            data = BlobStore(Path(root)).get(sha256, extension)
        except StoreError as error:
            return {"lost": str(error)}
        said: Reply | Fault | None = None
        for number in range(_TRIES):
            if number:
                await self._clock.sleep(_PAUSE_S * 2 ** (number - 1))
            said = await self._ask(data, extension, language)
            if isinstance(said, Reply) and (said.status < 500 and said.status != 429):
                break
        return self._meaning(said, language)

    async def _ask(self, data: bytes, extension: str, language: str | None) -> Reply | Fault:
        fields = {"model": self._settings.endpoint_model, "response_format": "json", "temperature": "0"}
        boundary = secrets.token_hex(16)
        return await self._door.send(
            "POST",
            self._url,
            deadline=Deadline(self._clock, self._settings.endpoint_timeout_s),
            body=_form(fields | ({"language": language} if language else {}), f"speech.{extension}", data, boundary),
            keyed=True,
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )

    def _meaning(self, said: Reply | Fault | None, language: str | None) -> dict[str, Any]:
        if isinstance(said, Reply) and said.status in (401, 403):
            raise ConfigError(f"{_KEY}: {self._url.host} refuses it (status {said.status})")
        text = _text(said) if isinstance(said, Reply) and said.status == 200 else None
        if text is not None:
            self._in_a_row = 0
            return {"outcome": OK, "text": text, "language": language}
        why = said.detail if isinstance(said, Fault) else f"status {said.status}" if said else "no answer"
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            raise HarnessError(
                f"{self._url.host}: {_IN_A_ROW} sounds in a row were not transcribed ({why}); "
                "what was is kept, and the same command goes on from there"
            )
        return {"failed": why}


def _form(fields: dict[str, str], filename: str, data: bytes, boundary: str) -> bytes:
    """A form with one file, as RFC 7578 has it; names and values are our own, without quotes or line breaks."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    file = f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + data + b"\r\n"
    return b"".join((*parts, file, f"--{boundary}--\r\n".encode()))


def _text(reply: Reply) -> str | None:
    try:
        text = json.loads(reply.body)["text"]
    except (ValueError, KeyError, TypeError):
        return None
    return text.strip() if isinstance(text, str) else None
