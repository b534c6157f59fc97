"""The real commands as processes of their own, one after another, as a person would type them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NamedTuple

import click

from harness.processes import END_WITH_PARENT

__all__ = ["Ended", "run", "said"]


class Ended(NamedTuple):
    """How a command ended."""

    status: int  # 128 and more: it was killed
    output: str  # what it printed on stdout; empty unless that was asked for


def run(arguments: Sequence[str]) -> Ended:
    """Run a command, its output shown to whoever watches."""
    return _run(arguments, stdout=sys.stderr)  # our own stdout is for the verdict


def said(arguments: Sequence[str]) -> Ended:
    """Run a command and keep what it prints."""
    return _run(arguments, stdout=subprocess.PIPE)


def _run(arguments: Sequence[str], **pipes: Any) -> Ended:
    """A Ctrl-C reaches the command once, through us; when we are killed, it ends too."""
    click.echo(f"\n$ cutover {' '.join(arguments)}", err=True)
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "harness.cli", *arguments],
        env=dict(os.environ),
        text=True,
        start_new_session=True,
        preexec_fn=END_WITH_PARENT,
        **pipes,
    )

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    earlier = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        output, _ = process.communicate()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Ended(status, output or "")
