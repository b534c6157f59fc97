"""`cutover dashboard`: serve the dashboard on this machine, and end it with Ctrl-C.

Streamlit runs as a child of its own; the lines that keep strangers out go to it as flags, which no file or variable
outranks. How it looks is in `.streamlit/config.toml` beside app.py.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import click

from harness.clock import Clock, SystemClock
from harness.config import PROJECT, Settings
from harness.errors import HarnessError, UsageError
from harness.processes import END_WITH_PARENT

__all__ = ["arguments", "dashboard", "refuse_taken"]

APP: Final = Path(__file__).with_name("app.py")
HOST: Final = "127.0.0.1"
_START_S: Final = 60.0  # the first start compiles its imports
_POLL_S: Final = 0.1


@click.command(
    short_help="Look at runs in the browser, on this machine only.",
    epilog="Example: cutover dashboard --port 8502 --headless",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Where it listens.")
@click.option("--host", default=HOST, show_default=True, help="A loopback address; any other is refused.")
@click.option("--headless", is_flag=True, help="Do not open a browser.")
def dashboard(port: int, host: str, headless: bool) -> int:
    """Serve the dashboard until Ctrl-C.

    It shows every sealed run of CUTOVER_HOME, locks none of them, and may stay open while others run.
    """
    if host not in (HOST, "localhost"):
        raise UsageError(
            f"--host {host}: the dashboard shows captured text and voices and asks nobody who they are, so it "
            f"listens on {HOST} only; reach it from elsewhere through a tunnel or a proxy that authenticates"
        )
    Settings.load()  # a misspelt setting is told here, not in the browser
    refuse_taken(port)
    with _every_stop_alike(), _served(port) as server:
        url = _wait_until_ready(server, port, SystemClock())
        click.echo(url)
        click.echo("Ctrl-C ends it. Next: cutover verdict --json", err=True)
        if not headless and sys.stdout.isatty():
            webbrowser.open(url)
        return _until_end(server)


def refuse_taken(port: int) -> None:
    """Raise UsageError when something listens on `port` already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = error.strerror or "it cannot be used"
            raise UsageError(
                f"port {port} on {HOST}: {reason}; choose another, for example --port {_another(port)}"
            ) from None


def _another(port: int) -> int:
    return port + 1 if port < 65535 else 8501


def arguments(port: int) -> list[str]:
    """The command line of the child."""
    flags = {
        "server.address": HOST,
        "server.port": str(port),
        "server.headless": "true",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
        "server.enableStaticServing": "false",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.disableDataExport": "true",
    }
    return [
        *(sys.executable, "-m", "streamlit", "run", str(APP)),
        *(f"--{name}={value}" for name, value in flags.items()),
        *(f"--server.allowedHosts={name}" for name in (HOST, "localhost")),  # a list takes its flag once an item
    ]


@contextlib.contextmanager
def _served(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Streamlit in a session of its own, so that a Ctrl-C reaches it through us alone; it ends when we do."""
    path = os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(  # noqa: S603 - our own program; the port is a checked number
        arguments(port),
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=END_WITH_PARENT,
    ) as server:
        try:
            yield server
        finally:
            # It holds nothing worth saving; asked politely, its libraries would print what they leak at exit.
            server.kill()


def _wait_until_ready(server: subprocess.Popen[bytes], port: int, clock: Clock) -> str:
    """The address, once it answers.

    Raises:
        HarnessError: The child ended, or does not answer in time.
    """
    url = f"http://{HOST}:{port}"
    until_s = clock.monotonic() + _START_S
    while clock.monotonic() < until_s:
        if server.poll() is not None:
            raise HarnessError(f"the dashboard ended while starting (status {server.returncode}); see above")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as reply:  # noqa: S310 - our own address
            if reply.status == 200:
                return url
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_POLL_S)
    raise HarnessError(f"the dashboard did not answer at {url} within {_START_S:.0f} s; try again, or another --port")


def _until_end(server: subprocess.Popen[bytes]) -> int:
    """Wait for Ctrl-C, which is a good end; the child ending alone is not."""
    try:
        status = server.wait()
    except KeyboardInterrupt:
        return 0
    raise HarnessError(f"the dashboard ended by itself (status {status}); see above")


@contextlib.contextmanager
def _every_stop_alike() -> Iterator[None]:
    """A request to terminate and a closed terminal stop us as Ctrl-C does, so that the child is always ended."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
