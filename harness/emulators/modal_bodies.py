"""What the endpoints of the legacy path take, and how they refuse it: FastAPI's shapes (providers.md B4)."""

import base64
import binascii
import json
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from harness.emulators.fault_refusals import Refused
from harness.emulators.sites import Handler
from harness.speech import LANGUAGES

__all__ = [
    "CancelBody",
    "CloneBody",
    "DesignBody",
    "GenerateBody",
    "Problem",
    "as_json",
    "decoded_reference",
    "detail",
    "explained",
    "language_of",
    "read_body",
    "refuse",
    "required",
    "required_short",
]

_LONGEST_DESIGN_CHARS: Final = 500


class Problem(Exception):
    """An error with its status and FastAPI `detail`."""

    def __init__(self, status: int, detail: object) -> None:
        super().__init__(str(detail))
        self.status = status
        self.detail = detail


class _Body(BaseModel):
    """Fields that are needed are checked by the app itself, which answers 400; pydantic's own answer is 422."""

    text: str | None = None
    language: str | None = None


class CloneBody(_Body):
    """POST /clone and /submit-job."""

    ref_audio_base64: str | None = None
    ref_audio_url: str | None = None
    ref_text: str | None = None
    max_new_tokens: int = 2_048


class DesignBody(_Body):
    """POST /design."""

    instruct: str | None = None


class GenerateBody(_Body):
    """POST /generate."""

    speaker: str | None = None
    instruct: str | None = None


class CancelBody(BaseModel):
    """POST /job-cancel."""

    job_id: str


AnyBody = TypeVar("AnyBody", bound=BaseModel)


async def read_body(request: web.Request, shape: type[AnyBody]) -> AnyBody:
    """The body as `shape`.

    Raises:
        Problem: 422: it is no JSON object, or a field has the wrong type.
    """
    try:
        return shape.model_validate(json.loads(await request.read()))
    except json.JSONDecodeError as error:
        problem = {
            "type": "json_invalid",
            "loc": ["body", error.pos],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": error.msg},
        }
        raise Problem(422, [problem]) from None
    except UnicodeDecodeError:
        raise Problem(400, "There was an error parsing the body") from None
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        raise Problem(422, [{**each, "loc": ["body", *each["loc"]]} for each in problems]) from None


def required(value: str | None, name: str) -> str:
    """The text of a field.

    Raises:
        Problem: 400: it is missing or blank.
    """
    if value is None or not value.strip():
        raise Problem(400, f"'{name}' is required")
    return value


def required_short(value: str | None, name: str) -> str:
    """The text of a field of /design.

    Raises:
        Problem: 400: it is missing, blank or too long.
    """
    value = required(value, name)
    if len(value) > _LONGEST_DESIGN_CHARS:
        raise Problem(400, f"'{name}' must be at most {_LONGEST_DESIGN_CHARS} characters")
    return value


def language_of(name: str | None) -> str | None:
    """ISO 639-1 of a language name; None for `Auto`.

    Raises:
        Problem: 400: the open model does not speak it.
    """
    if name is None or name.casefold() == "auto":
        return None
    for iso, known in LANGUAGES.items():
        if known.casefold() == name.casefold():
            return iso
    raise Problem(400, f"Unsupported language: {name}. Supported: Auto, {', '.join(LANGUAGES.values())}")


def decoded_reference(encoded: str) -> bytes:
    """The recording of a base64 field, with or without the head of a data URL.

    Raises:
        Problem: 500: it is no base64.
    """
    try:
        return base64.b64decode(encoded.partition(",")[2] if encoded.startswith("data:") else encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(500, f"Generation failed: {error}") from None


def detail(status: int, value: object, headers: dict[str, str] | None = None) -> web.Response:
    """FastAPI's error body."""
    return as_json({"detail": value}, status=status, headers=headers)


def refuse(_: web.Request, refused: Refused) -> web.Response:
    """An injected refusal: the app's own words, or the platform's bare text."""
    if refused.code is None:
        return web.Response(status=refused.status, text=refused.message)
    return detail(refused.status, refused.message)


def as_json(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """`body` as Starlette writes it: no spaces, characters as they are."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(body=data, status=status, content_type="application/json", headers=headers)


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what went wrong into FastAPI's shapes."""
    try:
        return await handler(request)
    except Problem as problem:
        return detail(problem.status, problem.detail)
    except web.HTTPNotFound:
        return detail(404, "Not Found")
    except web.HTTPMethodNotAllowed as error:
        return detail(405, "Method Not Allowed", {"Allow": ", ".join(sorted(error.allowed_methods))})
