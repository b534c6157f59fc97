"""Whether this process lives, whether it should get requests, and its metrics."""

import json

from aiohttp import web

from harness.gateway.parts import Parts

__all__ = ["health_routes"]

_METRICS: dict[str, str] = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}


def health_routes(parts: Parts) -> list[web.RouteDef]:
    """Routes that ask for no key and tell nothing of anybody."""

    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(request: web.Request) -> web.Response:
        """200 while requests can be answered, as they can by legacy whatever is wrong with flags and rollout."""
        found = parts.readiness()
        status = 503 if found.get("draining") else 200
        problems = {name: problem for name, problem in found.items() if problem}
        body = {"status": "ready" if status == 200 else "draining", "problems": problems}
        return web.Response(status=status, text=json.dumps(body), content_type="application/json")

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=parts.metrics_text(), headers=_METRICS)

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]
