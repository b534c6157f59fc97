"""`cutover serve`: the gateway, in as many processes as asked for, until it is told to end."""

import asyncio
import json
import signal
import sys
from typing import Final

import click

from harness.config import Settings

__all__ = ["serve"]

_MAX_WORKERS: Final = 64


@click.command(epilog="Example: cutover serve --workers 2")
@click.option("--host", help="Where to listen  [default: CUTOVER_GATEWAY__HOST, else 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65_535), help="0: any free one  [default: …__PORT, else 8080].")
@click.option("--admin-port", type=click.IntRange(0, 65_535), help="Of administration  [default: 8081].")
@click.option(
    "--workers",
    type=click.IntRange(1, _MAX_WORKERS),
    default=1,
    show_default=True,
    help="Processes that share the port.",
)
@click.option("--worker", type=int, hidden=True, help="Be this one of them.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
def serve(
    host: str | None, port: int | None, admin_port: int | None, workers: int, worker: int | None, as_json: bool
) -> None:
    """Speak for callers: OpenAI's speech API over Qwen and the legacy path, with fallback, copies and captures.

    Who is sent where is read from data/flags.toml, the rollout and the kill switch while it runs. SIGTERM lets requests
    under way finish. One line of JSON for each request goes to stderr.
    """
    settings = _chosen(Settings.load(), host=host, port=port, admin_port=admin_port)
    if workers > 1 and worker is None:
        from harness.gateway.workers import run_workers

        run_workers(settings, workers, announce=lambda base, admin: _announce(base, admin, as_json=as_json))
        return
    _run_one(settings, worker=worker or 0, workers=workers, as_json=as_json)


def _chosen(settings: Settings, **options: str | int | None) -> Settings:
    given = {name: value for name, value in options.items() if value is not None}
    return settings.model_copy(update={"gateway": settings.gateway.model_copy(update=given)})


def _run_one(settings: Settings, *, worker: int, workers: int, as_json: bool) -> None:
    """One process, to its end."""
    import uvloop

    from harness.clock import SystemClock
    from harness.gateway.serving import serving
    from harness.processes import keeping_what_is_loaded
    from harness.telemetry.log_format import logging_to

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with serving(settings, clock=SystemClock(), worker=worker, workers=workers) as addresses:
            _announce(addresses.base_url, addresses.admin_url, as_json=as_json)
            with keeping_what_is_loaded():
                await stop.wait()

    with logging_to(sys.stderr), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def _announce(base_url: str, admin_url: str | None, *, as_json: bool) -> None:
    """Tell where it listens, on stdout."""
    addresses = {"base_url": base_url, "admin_url": admin_url}
    click.echo(json.dumps(addresses) if as_json else f"callers: {base_url}\nadministration: {admin_url}")
    sys.stdout.flush()
