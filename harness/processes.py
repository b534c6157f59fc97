"""Processes: those that we start and that must not outlive us, our own commands as typed, and this one's memory."""

import ctypes
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NamedTuple

import click

__all__ = ["END_WITH_PARENT", "Ended", "keeping_what_is_loaded", "run", "said", "show"]


def _end_with_parent() -> None:
    """Ask Linux to kill this process when its parent is gone."""
    parent_death_signal = 1  # PR_SET_PDEATHSIG in <sys/prctl.h>
    ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)


# For `subprocess.Popen(preexec_fn=…)`: the child ends with us, even when we are killed outright. Only Linux can do it.
END_WITH_PARENT: Final = _end_with_parent if sys.platform == "linux" else None


@contextmanager
def keeping_what_is_loaded() -> Iterator[None]:
    """Leave what was imported and opened so far out of the garbage collector's rounds until the end of the block.

    It stays anyhow, and to look it through again and again would hold up everything under way for 30 to 80 ms each
    time. At the end the collector gets it back, as some libraries complain about what is left when Python ends.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Ended(NamedTuple):
    """How a command ended."""

    status: int  # 128 and more: it was killed
    output: str  # what it printed on stdout; empty unless that was asked for


def run(arguments: Sequence[str]) -> Ended:
    """Run a command, its output shown to whoever watches."""
    return _run(arguments, None, stdout=sys.stderr)  # our own stdout is for the verdict


def show(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Ended:
    """Run a command whose output is ours; in our environment unless another is given."""
    return _run(arguments, environment)


def said(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Ended:
    """Run a command and keep what it prints; in our environment unless another is given."""
    return _run(arguments, environment, stdout=subprocess.PIPE)


def _run(arguments: Sequence[str], environment: Mapping[str, str] | None, **pipes: Any) -> Ended:
    """A Ctrl-C reaches the command once, through us; when we are killed, it ends too."""
    click.echo(f"\n$ cutover {' '.join(arguments)}", err=True)
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "harness.cli", *arguments],
        env=dict(os.environ if environment is None else environment),
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
