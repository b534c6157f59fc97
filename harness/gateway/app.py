"""The gateway's routes as one application. Who listens where is the server's business."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from harness.gateway.health_routes import health_routes
from harness.gateway.openapi import openapi_document
from harness.gateway.parts import Parts
from harness.gateway.speech_route import speech_handler
from harness.gateway.visits import visits
from harness.gateway.voices_route import VoiceRoutes

__all__ = ["gateway_application"]


def gateway_application(parts: Parts) -> web.Application:
    """All that callers see."""
    voices = VoiceRoutes(parts)
    app = web.Application(middlewares=[visits(parts)], client_max_size=parts.max_body_bytes)
    app.add_routes(
        [
            web.post("/v1/audio/speech", speech_handler(parts)),
            web.post("/v1/voices/clone", voices.clone),
            web.post("/v1/voices/design", voices.design),
            web.get("/v1/voices", voices.list),
            web.delete("/v1/voices/{id:voice-[a-z0-9]+}", voices.delete),
            web.get("/openapi.json", _document()),
            *health_routes(parts),
        ]
    )
    return app


def _document() -> Callable[[web.Request], Awaitable[web.Response]]:
    document = openapi_document()

    async def handle(request: web.Request) -> web.Response:
        return web.json_response(document)

    return handle
