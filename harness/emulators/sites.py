"""A web application on 127.0.0.1, and what every stand-in's application has in common."""

import asyncio
import errno
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET
from typing import Final, NoReturn

from aiohttp import web
from aiohttp.typedefs import Middleware

from harness.emulators.account import Account
from harness.errors import UsageError

__all__ = ["Handler", "application", "break_connection", "leave_hanging", "meter_routes", "site"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HOST: Final = "127.0.0.1"  # a stand-in has no real key to check and must not be reachable from elsewhere
_GRACE_S: Final = 0.2  # for replies under way when the stand-in stops


def application(
    account: Account, routes: Iterable[web.RouteDef], *, layers: Iterable[Middleware], max_body_bytes: int
) -> web.Application:
    """An application whose requests are counted in `account`.

    Args:
        account: Where requests are counted.
        routes: The provider's own.
        layers: Middlewares of the provider, outermost first.
        max_body_bytes: A larger request is answered 413.
    """

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_standin/"):
            return await handler(request)
        resource = request.match_info.route.resource
        path = f"{request.method} {resource.canonical if resource else request.path}"
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            account.count(path, str(answer.status))
            raise
        except asyncio.CancelledError:
            account.count(path, "unanswered")
            raise
        account.count(path, str(response.status))
        return response

    app = web.Application(middlewares=[counted, *layers], client_max_size=max_body_bytes)
    app.add_routes(routes)
    return app


def meter_routes(account: Account, begin_anew: Callable[[], None]) -> list[web.RouteDef]:
    """What no provider has: the bill to look at, and to empty; `begin_anew` puts back what else has changed."""

    async def meter(request: web.Request) -> web.Response:
        return web.json_response(account.meter())

    async def reset(request: web.Request) -> web.Response:
        account.reset()
        begin_anew()
        return web.json_response(account.meter())

    return [web.get("/_standin/meter", meter), web.post("/_standin/reset", reset)]


@asynccontextmanager
async def site(app: web.Application, *, port: int, option: str) -> AsyncIterator[str]:
    """Serve `app` until the end; yields its base URL.

    Args:
        app: What to serve.
        port: Where; 0 takes any free port.
        option: What the port is chosen with, for the message.

    Raises:
        UsageError: The port is taken or not ours to take.
    """
    # A handler whose caller has gone is cancelled, or one that hangs would outlive its connection.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, _HOST, port).start()
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else "cannot be opened"
            raise UsageError(f"port {port} on {_HOST} {reason}; choose another with {option}") from None
        yield f"http://{_HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def break_connection(request: web.Request) -> NoReturn:
    """Reset the connection under the caller's hands, as a crashed server does."""
    if request.transport is not None:
        sock = request.transport.get_extra_info("socket")
        # A linger time of zero makes the kernel send RST instead of FIN.
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    await leave_hanging()


async def leave_hanging() -> NoReturn:
    """Never answer; ends when the caller goes away or the stand-in stops."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError  # nobody holds that future
