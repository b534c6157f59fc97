"""Voices uploaded to the vLLM-Omni server: kept in its memory, used by name (providers.md B3)."""

import base64
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from harness.clock import Clock
from harness.emulators.modal_bodies import Problem, as_json
from harness.preset_voices import OPEN_MODEL

__all__ = ["UploadedVoice", "UploadedVoices"]

_MOST: Final = 1_000
_MOST_BYTES: Final = 10 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedVoice:
    """A recording under a name."""

    name: str
    recording: str  # base64
    consent: str
    created_at: int  # UNIX seconds
    file_size: int
    mime_type: str
    ref_text: str | None

    def wire(self) -> dict[str, Any]:
        """As lists show it."""
        shown: dict[str, Any] = {
            "name": self.name,
            "consent": self.consent,
            "created_at": self.created_at,
            "file_size": self.file_size,
            "mime_type": self.mime_type,
        }
        return shown if self.ref_text is None else {**shown, "ref_text": self.ref_text}


class UploadedVoices:
    """The endpoints under /v1/audio/voices."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._voices: dict[str, UploadedVoice] = {}

    def find(self, name: str) -> UploadedVoice | None:
        """The voice of that name, whatever its case."""
        return self._voices.get(name.casefold())

    def clear(self) -> None:
        """Forget them all."""
        self._voices.clear()

    def routes(self) -> list[web.RouteDef]:
        """List, upload, delete."""
        return [
            web.get("/v1/audio/voices", self._list),
            web.post("/v1/audio/voices", self._upload),
            web.delete("/v1/audio/voices/{name}", self._delete),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        uploaded = [voice.wire() for voice in self._voices.values()]
        names = [*OPEN_MODEL, *(voice.name for voice in self._voices.values())]
        return as_json({"voices": names, "uploaded_voices": uploaded})

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        sample, name, consent = form.get("audio_sample"), form.get("name"), form.get("consent")
        if not isinstance(sample, web.FileField):
            raise Problem(400, "audio_sample: Field required")
        for field, value in (("name", name), ("consent", consent)):
            if not isinstance(value, str) or not value.strip():
                raise Problem(400, f"{field}: Field required")
        data = sample.file.read()
        if len(data) > _MOST_BYTES:
            raise Problem(400, "File size exceeds maximum limit of 10MB")
        if len(self._voices) >= _MOST:
            raise Problem(400, f"At most {_MOST} voices can be uploaded")
        ref_text = form.get("ref_text")
        voice = UploadedVoice(
            name=str(name),
            recording=base64.b64encode(data).decode(),
            consent=str(consent),
            created_at=int(self._clock.now().timestamp()),
            file_size=len(data),
            mime_type=sample.content_type,
            ref_text=ref_text if isinstance(ref_text, str) and ref_text else None,
        )
        self._voices[voice.name.casefold()] = voice
        return as_json({"success": True, "voice": voice.wire()})

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self._voices.pop(name.casefold(), None) is None:
            raise Problem(404, f"Voice '{name}' not found")
        return as_json({"success": True, "message": f"Voice '{name}' deleted successfully"})
