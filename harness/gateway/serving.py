"""One gateway process: listens until it is told to end, then lets what is under way finish."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from harness.clock import Clock
from harness.config import Settings
from harness.errors import UsageError
from harness.gateway.admin import admin_application
from harness.gateway.app import gateway_application
from harness.gateway.opening import Gateway, opened_gateway
from harness.gateway.rehearsals import Rehearsals

__all__ = ["Addresses", "serving"]

log = logging.getLogger(__name__)

_BACKLOG: Final = 1_024
_KEEPALIVE_S: Final = 75.0
_SHARE_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a process listens."""

    base_url: str
    admin_url: str | None  # of the first process only
    gateway: Gateway


class _Drain:
    def __init__(self) -> None:
        self.began = False


@contextlib.asynccontextmanager
async def serving(settings: Settings, *, clock: Clock, worker: int = 0, workers: int = 1) -> AsyncIterator[Addresses]:
    """Serve until the end of the block; requests under way then get `drain_s` to finish.

    Raises:
        UsageError: A port is taken, or not ours to take.
        ConfigError: A setting cannot be used.
    """
    options, drain = settings.gateway, _Drain()
    async with _bare_errors(), contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(
            opened_gateway(settings, clock=clock, worker=worker, workers=workers, is_draining=lambda: drain.began)
        )
        await stack.enter_async_context(_sharing(gateway.shared.write, clock))
        admin_url, rehearsals = None, Rehearsals(settings, gateway.control, clock=clock)
        if worker == 0:
            admin = admin_application(
                gateway.control,
                rehearsals=rehearsals,
                token=options.admin_token,
                clock=clock,
                metrics_text=gateway.shared.text,
            )
            admin_url = await stack.enter_async_context(
                _site(admin, options.admin_host, options.admin_port, "CUTOVER_GATEWAY__ADMIN_PORT", drain_s=1.0)
            )
        base_url = await stack.enter_async_context(
            _site(
                gateway_application(gateway.parts),
                options.host,
                options.port,
                "CUTOVER_GATEWAY__PORT",
                drain_s=options.drain_s,
                shared=workers > 1,
            )
        )
        rehearsals.base_url = base_url
        yield Addresses(base_url=base_url, admin_url=admin_url, gateway=gateway)
        drain.began = True


@contextlib.asynccontextmanager
async def _bare_errors() -> AsyncIterator[None]:
    """Task groups wrap whatever passes through them; what happened is the one thing inside."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None


@contextlib.asynccontextmanager
async def _sharing(write: Callable[[], None], clock: Clock) -> AsyncIterator[None]:
    """Renew this process' metrics, so that any other can answer for all."""

    async def renew() -> None:
        while True:
            await asyncio.to_thread(write)
            await clock.sleep(_SHARE_EVERY_S)

    async with asyncio.TaskGroup() as group:
        renewing = group.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()


@contextlib.asynccontextmanager
async def _site(
    app: web.Application, host: str, port: int, variable: str, *, drain_s: float, shared: bool = False
) -> AsyncIterator[str]:
    # A handler whose caller has gone is cancelled, and with it the calls that nobody waits for.
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=drain_s, keepalive_timeout=_KEEPALIVE_S
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=_BACKLOG, reuse_port=shared or None).start()
        except (OSError, socket.gaierror) as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror})"
            raise UsageError(f"port {port} on {host} {reason}; choose another with {variable}") from None
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
