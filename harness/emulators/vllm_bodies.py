"""What the OpenAI-style speech API of vLLM-Omni takes, and how it refuses it (providers.md B3)."""

import base64
import binascii
import json
from enum import StrEnum
from typing import Any, Literal

from aiohttp import web
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from harness.emulators.fault_refusals import Refused
from harness.emulators.modal_bodies import Problem, as_json
from harness.emulators.sites import Handler

__all__ = ["SpeechBody", "Task", "as_openai_errors", "inline_audio", "read_speech", "refuse_as_openai"]

_TYPES = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError", 405: "MethodNotAllowedError"}


class Task(StrEnum):
    """What a checkpoint does."""

    CUSTOM_VOICE = "CustomVoice"
    VOICE_DESIGN = "VoiceDesign"
    BASE = "Base"


class _VoiceId(BaseModel):
    """A voice as OpenAI's own clients may give it."""

    id: str


class SpeechBody(BaseModel):
    """POST /v1/audio/speech."""

    input: str
    model: str | None = None
    voice: str | _VoiceId | None = Field(default=None, validation_alias=AliasChoices("voice", "speaker"))
    response_format: Literal["wav", "mp3", "flac", "pcm", "opus"] = "wav"
    sample_rate: Literal[8000, 16000, 24000, 48000] | None = None
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    task_type: Task | None = None
    language: str | None = None
    instructions: str | None = None
    ref_audio: str | None = None
    ref_text: str | None = None
    x_vector_only_mode: bool = False
    max_new_tokens: int = Field(default=2_048, ge=1)
    seed: int | None = None
    stream: bool = False
    stream_format: Literal["audio", "sse"] | None = None

    @property
    def voice_name(self) -> str | None:
        """The voice, however it was given."""
        return self.voice.id if isinstance(self.voice, _VoiceId) else self.voice

    @property
    def is_streamed(self) -> bool:
        """Whether it comes in pieces; `stream_format: audio` alone is OpenAI's word for the whole."""
        return self.stream or self.stream_format == "sse"


async def read_speech(request: web.Request) -> SpeechBody:
    """The body of a synthesis.

    Raises:
        Problem: 400: it is none; names the field.
    """
    try:
        body = SpeechBody.model_validate(json.loads(await request.read()))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Problem(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise Problem(400, "The request body is not valid JSON.") from None
    if not body.input.strip():
        raise Problem(400, "Input text cannot be empty")
    if body.is_streamed and body.response_format not in ("pcm", "wav"):
        raise Problem(400, f"Streaming is not supported for response_format '{body.response_format}'; use pcm or wav")
    return body


def inline_audio(reference: str) -> str:
    """The base64 of a data URL.

    Raises:
        Problem: 400: it is an address a stand-in cannot reach, or no base64.
    """
    head, _, data = reference.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        raise Problem(400, "ref_audio could not be loaded: only data URLs can be read here")
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Problem(400, "ref_audio could not be loaded: invalid base64") from None
    return data


def _error(status: int, message: str) -> web.Response:
    kind = _TYPES.get(status, "InternalServerError")
    return as_json({"error": {"message": message, "type": kind, "param": None, "code": status}}, status=status)


def refuse_as_openai(_: web.Request, refused: Refused) -> web.Response:
    """An injected refusal: the server's own words, or the platform's bare text."""
    if refused.code is None:
        return web.Response(status=refused.status, text=refused.message)
    return _error(refused.status, refused.message)


@web.middleware
async def as_openai_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what went wrong into OpenAI's shape."""
    try:
        return await handler(request)
    except Problem as problem:
        detail: Any = problem.detail
        return _error(problem.status, str(detail))
    except web.HTTPNotFound:
        return as_json({"detail": "Not Found"}, status=404)
    except web.HTTPMethodNotAllowed:
        return as_json({"detail": "Method Not Allowed"}, status=405)
