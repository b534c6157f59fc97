"""DashScope's envelope: how a result and a refusal look on the wire (providers.md A2, A7)."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from harness.emulators.fault_refusals import Refused
from harness.emulators.sites import Handler

__all__ = ["Refusal", "enveloped", "invalid", "missing", "read_body", "refuse", "reply", "request_id_of", "text_at"]

_REQUEST_ID: Final = web.RequestKey("request_id", str)


class Refusal(Exception):
    """An error as the service words it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid(name: str) -> Refusal:
    """The refusal of a parameter."""
    return Refusal(
        400, "InvalidParameter", f"Required parameter({name}) missing or invalid, check the request parameters."
    )


def missing(what: str) -> Refusal:
    """The refusal of a body without `Input`, `Model` or `Parameters`."""
    return Refusal(400, f"BadRequest.Empty{what}", "Required input parameter missing from request.")


@web.middleware
async def enveloped(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give each request its id, and each refusal its envelope."""
    request[_REQUEST_ID] = str(uuid4())
    try:
        return await handler(request)
    except Refusal as refusal:
        problem = refusal
    except web.HTTPRequestEntityTooLarge:
        problem = Refusal(413, "RequestTooLarge", "Request body is too large.")
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        problem = Refusal(error.status, "NotFound", f"{error.reason}: {request.method} {request.path}")
    body = {"code": problem.code, "message": problem.message}
    return reply(request, body, status=problem.status)


def request_id_of(request: web.Request) -> str:
    """The id under which the request is answered and billed."""
    return request[_REQUEST_ID]


def reply(request: web.Request, body: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """`body` with the request's id, which is also in a header."""
    request_id = request_id_of(request)
    data = json.dumps({**body, "request_id": request_id}, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(body=data, status=status, content_type="application/json", headers={"x-request-id": request_id})


def refuse(request: web.Request, refused: Refused) -> web.Response:
    """An injected refusal in the service's envelope, or as a gateway's bare text."""
    if refused.code is None:
        return web.Response(status=refused.status, text=refused.message)
    return reply(request, {"code": refused.code, "message": refused.message}, status=refused.status)


async def read_body(request: web.Request) -> dict[str, Any]:
    """The JSON object of the request.

    Raises:
        Refusal: There is none.
    """
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "BadRequest.IllegalInput", "The request body is not a JSON object.")
    return body


def text_at(container: Mapping[str, Any], name: str, *, required: bool = False) -> str | None:
    """A text of the body; None when it is absent.

    Raises:
        Refusal: It is no text, or absent or blank although required.
    """
    value = container.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or (required and not value.strip()):
        raise invalid(name)
    return value
