"""Replies that say something else than they should, after the work was done and billed: (providers.md D; F15-F26)."""

import functools
import json
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from harness.emulators.faults import Injected

__all__ = ["BODY_FAULTS"]

_PAGE: Final = "<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
_METADATA: Final = "http://169.254.169.254/latest/meta-data/"  # what a forged address would ask for in a cloud
_DEPTH: Final = 100_000  # brackets; far beyond what a recursive parser bears

Spoil = Callable[[web.Response, Injected], web.Response]
Edit = Callable[[dict[str, Any], Injected], None]


def _replaced(body: bytes, content_type: str, **headers: str) -> web.Response:
    return web.Response(body=body, content_type=content_type, headers=headers)


def _html(_: web.Response, fault: Injected) -> web.Response:
    """A captive portal's page with a good status; says `content_type` if told, such as audio/wav."""
    return _replaced(_PAGE.encode(), fault.text("content_type", "text/html"))


def _gzip_bomb(reply: web.Response, fault: Injected) -> web.Response:
    bomb = _bomb(int(fault.number("megabytes", 64)))
    return _replaced(bomb, reply.content_type, **{"Content-Encoding": "gzip"})


@functools.cache
def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()


def _redirect(_: web.Response, fault: Injected) -> web.Response:
    return web.Response(
        status=int(fault.number("status", 302)), headers={"Location": fault.text("location", _METADATA)}
    )


def _error(_: web.Response, fault: Injected) -> web.Response:
    """An error in the body of a good status."""
    body = {"code": fault.text("code", "InternalError.Algo"), "message": "An internal error has occured."}
    return _replaced(json.dumps(body).encode(), "application/json")


def _broken(reply: web.Response, _: Injected) -> web.Response:
    data = reply.body if isinstance(reply.body, bytes) else b""
    return _replaced(data[: len(data) // 2], "application/json")


def _deep(_: web.Response, __: Injected) -> web.Response:
    return _replaced(b"[" * _DEPTH + b"]" * _DEPTH, "application/json")


def _edited(edit: Edit) -> Spoil:
    """A reply whose JSON is `edit`ed; one that is no JSON object goes out as it is."""

    def spoil(reply: web.Response, fault: Injected) -> web.Response:
        if reply.content_type != "application/json" or not isinstance(reply.body, bytes):
            return reply
        body = json.loads(reply.body)
        if isinstance(body, dict):
            edit(body, fault)
            reply.body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return reply

    return spoil


def _audio(body: dict[str, Any]) -> dict[str, Any]:
    output = body.setdefault("output", {})
    audio: dict[str, Any] = output.setdefault("audio", {})
    return audio


def _without_url(body: dict[str, Any], _: Injected) -> None:
    _audio(body).pop("url", None)


def _with_url(body: dict[str, Any], fault: Injected) -> None:
    """`url`: another address, null when none is given."""
    _audio(body)["url"] = fault.parameters.get("url")


def _inline(body: dict[str, Any], fault: Injected) -> None:
    """`data`: audio in the reply itself, here no base64."""
    _audio(body).pop("url", None)
    _audio(body)["data"] = fault.text("data", "this is no base64!")


def _expired(body: dict[str, Any], _: Injected) -> None:
    _audio(body)["expires_at"] = 1


def _with_request_id(body: dict[str, Any], fault: Injected) -> None:
    """`request_id`: that of somebody else's request; the audio keeps its own."""
    body["request_id"] = fault.text("request_id", "00000000-0000-0000-0000-000000000000")


def _with_usage(body: dict[str, Any], fault: Injected) -> None:
    """`characters`: the bill as anything but a number."""
    body["usage"] = {"characters": fault.parameters.get("characters", "NaN")}


def _with_status_code(body: dict[str, Any], _: Injected) -> None:
    """The form of the provider's documents (A2), which no capture has."""
    body |= {"status_code": 200, "code": "", "message": ""}
    body.setdefault("output", {}).update(text=None, choices=None)
    body.setdefault("usage", {}).update(input_tokens=0, output_tokens=0)


BODY_FAULTS: Final[Mapping[str, Spoil]] = MappingProxyType(
    {
        "documented-form": _edited(_with_status_code),
        "expired": _edited(_expired),
        "gzip-bomb": _gzip_bomb,
        "html": _html,
        "json-broken": _broken,
        "json-deep": _deep,
        "json-error": _error,
        "inline-audio": _edited(_inline),
        "no-url": _edited(_without_url),
        "other-request-id": _edited(_with_request_id),
        "other-url": _edited(_with_url),
        "other-usage": _edited(_with_usage),
        "redirect": _redirect,
    }
)
