"""What goes around every request: an id, a trace, errors as JSON, and the books, written once the reply is sent."""

import asyncio
import contextlib
import json
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Middleware

from harness.exchanges import Failure
from harness.gateway.answers import Answer
from harness.gateway.callers import Caller
from harness.gateway.journey import Journey
from harness.gateway.parts import Parts
from harness.gateway.refusals import Refused, body_of
from harness.gateway.replies import REQUEST_ID, headers_of
from harness.gateway.reports import answered_request
from harness.telemetry.tracing import trace

__all__ = ["Visit", "respond", "visit_of", "visits"]

log = logging.getLogger(__name__)

_GONE = 499  # as nginx logs a caller who left
_COUNTED: Final = "/v1/"  # probes and scrapes are no requests of callers
_KEY = web.RequestKey("visit", object)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Visit:
    """One HTTP request of a caller."""

    def __init__(self, request_id: str, *, began_s: float) -> None:
        self.request_id = request_id
        self.began_s = began_s
        self.trace_id: str | None = None
        self.caller: Caller | None = None
        self.journey: Journey | None = None
        self.outcome: str | None = None  # the code of a refusal


def visit_of(request: web.Request) -> Visit:
    """What is known of this request."""
    visit = request[_KEY]
    assert isinstance(visit, Visit)  # noqa: S101 - set by the middleware below, for the type checker
    return visit


def respond(answer: Answer) -> web.Response:
    """The answer as aiohttp sends it."""
    return web.Response(
        status=answer.status, body=answer.body, headers={**answer.headers, "Content-Type": answer.content_type}
    )


def visits(parts: Parts) -> Middleware:
    """The layer around all routes."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        visit = Visit(uuid4().hex, began_s=parts.clock.monotonic())
        request[_KEY] = visit
        if not request.path.startswith(_COUNTED):
            return await _handled(request, handler, visit)
        parts.books.metrics.begin()
        status = _GONE
        try:
            with trace(f"{request.method} {_route_of(request)}", request.headers.get("traceparent")) as context:
                visit.trace_id = context.trace_id
                response = await _handled(request, handler, visit)
                status = response.status
                # Sent here and now, so that whatever follows comes after the caller's reply.
                if not response.prepared:
                    response.headers.setdefault(REQUEST_ID, visit.request_id)
                    await response.prepare(request)
                with contextlib.suppress(ConnectionError):
                    await response.write_eof()
            return response
        finally:
            _close(parts, request, visit, status)

    return around


async def _handled(request: web.Request, handler: Handler, visit: Visit) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return _refusal(visit, refused)
    except web.HTTPException as error:
        return _refusal(visit, _translated(error), headers=_allowed(error))
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:
        log.exception("request failed by our own fault", extra={"request_id": visit.request_id})
        return _refusal(visit, Refused(500, "internal_error", "something went wrong here; tell us the request_id"))


def _refusal(visit: Visit, refused: Refused, headers: dict[str, str] | None = None) -> web.Response:
    visit.outcome = refused.code
    every = {REQUEST_ID: visit.request_id, **(headers or {})}
    if visit.journey is not None:
        every |= headers_of(visit.journey, name=None)
    if refused.retry_after_s is not None:
        every["Retry-After"] = str(max(1, math.ceil(refused.retry_after_s)))
    body = json.dumps(body_of(refused, request_id=visit.request_id)).encode()
    return web.Response(status=refused.status, body=body, headers=every, content_type="application/json")


def _translated(error: web.HTTPException) -> Refused:
    """What aiohttp refuses by itself."""
    known = {
        404: ("not_found", "there is nothing here; GET /openapi.json lists all that is"),
        405: ("method_not_allowed", "this path takes other methods; see the header Allow"),
        413: ("body_too_large", "the body is larger than this server takes"),
    }
    code, message = known.get(error.status, ("http_error", error.reason))
    return Refused(error.status, code, message)


def _allowed(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"


def _close(parts: Parts, request: web.Request, visit: Visit, status: int) -> None:
    outcome = visit.outcome or ("cancelled" if status == _GONE else None)
    if outcome is None and visit.journey is not None and isinstance(visit.journey.result, Failure):
        outcome = visit.journey.result.kind.value
    answered = answered_request(
        visit.journey,
        request_id=visit.request_id,
        route=_route_of(request),
        status=status,
        outcome=outcome,
        total_s=parts.clock.monotonic() - visit.began_s,
        caller_key=visit.caller.key if visit.caller else None,
        trace_id=visit.trace_id,
    )
    parts.books.count(answered)
    parts.books.close(answered, visit.journey)
