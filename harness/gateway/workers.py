"""Several gateway processes on one port: started together, ended together, and started anew when one dies.

The kernel deals connections out among them (SO_REUSEPORT). What they must agree on lies in files: kill switch, flags,
rollout, voices, outcomes.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Final

from harness.config import Settings
from harness.errors import HarnessError
from harness.processes import END_WITH_PARENT

__all__ = ["run_workers"]

_AGAIN_S: Final = 1.0  # before one that died is started anew
_SPARE_S: Final = 10.0  # on top of the time to drain, for the rest of the way down

_Child = subprocess.Popen[str]


def run_workers(settings: Settings, workers: int, *, announce: Callable[[str, str | None], None]) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        HarnessError: One of them did not come up; it has said why.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    gateway = settings.gateway
    start = _Start(gateway.host, gateway.port, gateway.admin_port, workers)
    children: list[_Child] = []
    try:
        for worker in range(workers):
            child, addresses = start(worker)
            children.append(child)
            if worker == 0:
                # The others join the first one's ports, which the kernel may have chosen.
                start.settle(addresses)
                first = addresses
        announce(first["base_url"] or "", first["admin_url"])
        _keep_up(children, start, stop)
    finally:
        _end(children, gateway.drain_s + _SPARE_S)


class _Start:
    def __init__(self, host: str, port: int, admin_port: int, workers: int) -> None:
        self._host = host
        self._ports = port, admin_port
        self._workers = workers

    def settle(self, addresses: dict[str, str | None]) -> None:
        """From now on these ports, whatever was asked for."""
        port, admin_port = (int((addresses[name] or ":0").rpartition(":")[2]) for name in ("base_url", "admin_url"))
        self._ports = port, admin_port

    @property
    def _command(self) -> list[str]:
        port, admin_port = self._ports
        options = ["--host", self._host, "--port", str(port), "--admin-port", str(admin_port)]
        return [sys.executable, "-m", "harness.cli", "serve", "--json", *options, "--workers", str(self._workers)]

    def __call__(self, worker: int) -> tuple[_Child, dict[str, str | None]]:
        """One process, once it listens."""
        child = subprocess.Popen(  # noqa: S603 - our own program
            [*self._command, "--worker", str(worker)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C reaches it once, through us
            preexec_fn=END_WITH_PARENT,
            env=dict(os.environ),
        )
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            error = HarnessError(f"worker {worker} did not start (see above)")
            error.exit_status = child.wait(_SPARE_S) or error.exit_status
            raise error
        return child, json.loads(line)


def _keep_up(children: list[_Child], start: _Start, stop: threading.Event) -> None:
    """Start anew whoever dies; the others go on meanwhile."""
    while not stop.wait(_AGAIN_S):
        for worker, child in enumerate(children):
            if child.poll() is not None:
                _close(child)
                sys.stderr.write(json.dumps({"message": "worker died, started anew", "worker": worker}) + "\n")
                children[worker], _ = start(worker)


def _end(children: list[_Child], within_s: float) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
    for child in children:
        try:
            child.wait(within_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        _close(child)


def _close(child: _Child) -> None:
    if child.stdout:
        child.stdout.close()
