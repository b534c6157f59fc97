"""A gateway at 100 % between both stand-in providers, on this machine and in a folder of its own, for a drill.

Before the first canary nobody gets Qwen, so the way back can only be rehearsed here. All is started by its own
command, as a person would, and ends with us.
"""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from harness.clock import Clock
from harness.errors import HarnessError
from harness.processes import END_WITH_PARENT
from harness.rollout.places import state_folder
from harness.rollout.stage import Rollout, Stage, Standing
from harness.rollout.state_file import StateFile
from harness.speech import Operation

__all__ = ["LocalStage", "local_stage"]

_TIME_SCALE: Final = "0.02"
_FLAGS: Final = 'schema = 1\nsalt = "drill-1"\n' + "".join(f'[{each}]\nmode = "qwen"\n' for each in Operation)
_END_S: Final = 10.0


class LocalStage(NamedTuple):
    """What a drill needs to know of it."""

    url: str  # where callers go
    admin_url: str
    home: Path
    environment: Mapping[str, str]


@asynccontextmanager
async def local_stage(home: Path, environ: Mapping[str, str], *, clock: Clock) -> AsyncIterator[LocalStage]:
    """Start stand-ins and gateway under `home`.

    Args:
        home: An empty folder.
        environ: The environment of this process; settings in it are left out.
        clock: Stamps the rollout.

    Raises:
        HarnessError: One of them did not start.
    """
    _prepare(home)
    full = Rollout(
        stage=Stage.FULL,
        standing=Standing.RUNNING,
        epoch="drill",
        started_at=clock.now(),
        since=clock.now(),
        reason="drill",
    )
    state = StateFile(state_folder(home), clock=clock)
    await state.change(lambda _: full, operations=tuple(Operation), who="drill", why="a stage to rehearse on")
    clean = {name: value for name, value in environ.items() if not name.upper().startswith("CUTOVER_")}
    with ExitStack() as stack:
        found = {
            name: stack.enter_context(_addresses(_standin(name, home), clean, what=f"stand-in {name}"))
            for name in ("qwen", "modal")
        }
        environment = clean | _settings(home, found)
        serve = ["serve", "--port", "0", "--admin-port", "0", "--json"]
        served = stack.enter_context(_addresses(serve, environment, what="gateway"))
        urls = {"url": str(served["base_url"]), "admin_url": str(served["admin_url"])}
        yield LocalStage(**urls, home=home, environment=environment)


def _prepare(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / "flags.toml").write_text(_FLAGS)


def _settings(home: Path, found: Mapping[str, Mapping[str, str | None]]) -> dict[str, str]:
    hosts = [url.removeprefix("http://") for urls in found.values() for url in urls.values() if url]
    return {
        "CUTOVER_HOME": str(home),
        "CUTOVER_ALLOW_HOSTS": ",".join(hosts),
        "CUTOVER_FLAGS__FILE": str(home / "flags.toml"),
        "CUTOVER_QWEN__BASE_URL": str(found["qwen"]["base_url"]),
        "CUTOVER_QWEN__API_KEY": "sk-stand-in",
        "CUTOVER_MODAL__BASE_URL": str(found["modal"]["base_url"]),
        "CUTOVER_GATEWAY__DRAIN_S": "1",
    }


def _standin(name: str, home: Path) -> list[str]:
    """The command that starts one."""
    options = ["--port", "0", "--json", "--time-scale", _TIME_SCALE, "--account", str(home / f"{name}.jsonl")]
    return ["emulate", name, *options]


@contextmanager
def _addresses(arguments: list[str], environment: Mapping[str, str], *, what: str) -> Iterator[dict[str, str | None]]:
    """A command of ours in a process of its own, ended with the block; yields the addresses that it prints."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "harness.cli", *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=END_WITH_PARENT,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        try:
            addresses: dict[str, str | None] = json.loads(line)
        except ValueError:
            raise HarnessError(f"the {what} did not start; try: cutover {' '.join(arguments[:2])}") from None
        yield addresses
    finally:
        _end(process)
        if process.stdout:
            process.stdout.close()


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_END_S)
