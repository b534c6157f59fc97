"""`cutover demo`: the whole loop on stand-in providers, by running the real commands one after another.

Only base URLs and quotas differ from a live run, and they are set the way a person would: in the environment. Every
command is printed before it runs. Interrupted at any time, the same demo goes on where it was.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click

from harness import processes
from harness.clock import SystemClock
from harness.config import PROJECT, Settings
from harness.emulators.scenarios import conduct_in
from harness.errors import HarnessError
from harness.store.journal import read_journal
from harness.store.ledger import Ledger
from harness.store.runs import Run, list_runs

__all__ = ["demo"]

CAPTURES: Final = PROJECT / "data" / "demo" / "captures.jsonl.zst"
THRESHOLDS: Final = PROJECT / "data" / "demo" / "thresholds.toml"
BUDGET_USD: Final = "2000"  # of stand-in money: a bound that is never reached
REPEAT_SHARE: Final = "0.3"  # so that every operation has the 100 noise pairs that the judge's self-test wants
STANDIN_START_S: Final = 30.0
_SIGNALLED, _INTERRUPTED = 128, 130  # exit statuses: above the first a signal ended the command; a Ctrl-C is the second


@click.command(epilog="Example: cutover demo --scenario slow --no-dashboard")
@click.option("--scenario", default="healthy", show_default=True, help="How the candidate behaves (cutover emulate).")
@click.option("--seed", type=int, default=1, show_default=True, help="Drives everything random.")
@click.option("--limit", type=click.IntRange(min=1), help="Replay only so many captures.")
@click.option(
    "--time-scale",
    type=click.FloatRange(min=0, min_open=True),
    default=0.02,
    show_default=True,
    help="How long a stand-in's second takes.",
)
@click.option(
    "--dashboard/--no-dashboard", default=None, help="Open the dashboard at the end [default: on a terminal]."
)
def demo(scenario: str, seed: int, limit: int | None, time_scale: float, dashboard: bool | None) -> int:
    """Replay the demo's captures against both stand-in providers, measure, judge, and show the verdict.

    The exit status is the verdict's: 0 go, 1 no-go, 3 inconclusive, 4 invalid.
    """
    settings = Settings.load()
    conduct_in(scenario, "qwen")  # refuses what no stand-in knows, before one is started
    name = f"{scenario}-{seed}" + (f"-{limit}" if limit else "")
    state = settings.home / "demo" / name
    clock = SystemClock()
    started_s = clock.monotonic()
    if not _unfinished(settings.home, name):
        _empty(state)
    with ExitStack() as stack:
        standin = ["--scenario", scenario, "--seed", str(seed), "--time-scale", str(time_scale)]
        addresses = {
            provider: stack.enter_context(_standin(provider, [*standin, "--account", str(state / f"{provider}.jsonl")]))
            for provider in ("qwen", "modal")
        }
        environment = _environment(name, addresses, time_scale)
        arguments = ["replay", str(CAPTURES), "--seed", str(seed), "--label", f"demo={name}"]
        arguments += ["--repeat-share", REPEAT_SHARE]
        arguments += ["--limit", str(limit)] if limit else []
        plan = json.loads(_said([*arguments, "--json"], environment))
        live = ["--kind", "demo", "--live", "--budget", BUDGET_USD, "--confirm", plan["confirm"]]
        status = _run([*arguments, *live], environment)
        if status:
            return status
        run = list_runs(settings.home)[-1]
        status = _run(["extract", run.id], environment)
        if status:
            return status
    status = _run(["verdict", run.id], environment)
    click.echo(f"The demo took {clock.monotonic() - started_s:.0f} s; its run is {run.path}", err=True)
    if dashboard or (dashboard is None and sys.stdout.isatty() and not os.environ.get("CI")):
        _run(["dashboard"], environment)
    else:
        click.echo("Next: cutover dashboard", err=True)
    return status


def _unfinished(home: Path, name: str) -> Run | None:
    """The demo of this name that was interrupted, whose stand-ins' accounts are still needed."""
    for run in reversed(list_runs(home)):
        records = read_journal(run.journal).records
        if records and records[0]["plan"]["labels"].get("demo") == name:
            return None if run.is_sealed and Ledger.of(records).is_finished else run
    return None


def _empty(state: Path) -> None:
    """Begin with stand-ins that know nobody."""
    for account in state.glob("*.jsonl"):
        account.unlink()
    state.mkdir(parents=True, exist_ok=True)


def _environment(name: str, addresses: Mapping[str, Mapping[str, str]], time_scale: float) -> dict[str, str]:
    """The settings of the demo, as a person would export them."""
    urls = [url for standin in addresses.values() for url in standin.values()]
    per_minute = int(120 / time_scale)  # two thirds of what the stand-in allows, with nobody else there
    return {
        **os.environ,
        "CUTOVER_ALLOW_HOSTS": ",".join(url.removeprefix("http://") for url in urls),
        "CUTOVER_QWEN__BASE_URL": addresses["qwen"]["base_url"],
        "CUTOVER_QWEN__API_KEY": "sk-stand-in",
        "CUTOVER_QWEN__ACCOUNT": f"demo-{name}",
        "CUTOVER_QWEN__ALLOW_VOICE_CREATION": "1",
        "CUTOVER_QWEN__DEADLINE_S": str(max(5.0, 120.0 * time_scale)),
        "CUTOVER_QWEN__QUOTA__PER_MINUTE": str(per_minute),
        "CUTOVER_QWEN__QUOTA__PER_SECOND": str(max(1, per_minute // 60)),
        "CUTOVER_QWEN__QUOTA__SHARE": "1",
        "CUTOVER_QWEN__QUOTA__RAMP_S": str(60 * time_scale),
        "CUTOVER_MODAL__BASE_URL": addresses["modal"]["base_url"],
        "CUTOVER_MODAL__ACCOUNT": f"demo-{name}",
        "CUTOVER_MODAL__QUOTA__PER_MINUTE": str(per_minute),
        "CUTOVER_MODAL__QUOTA__PER_SECOND": str(max(1, per_minute // 60)),
        "CUTOVER_REPLAY__CONCURRENCY": "16",
        "CUTOVER_THRESHOLDS": str(THRESHOLDS),
    }


@contextmanager
def _standin(provider: str, options: list[str]) -> Iterator[dict[str, str]]:
    """A stand-in in a process of its own; yields its addresses, ends it at the end."""
    command = ["emulate", provider, "--port", "0", "--until-stdin-closes", "--json", *options]
    process = subprocess.Popen(  # noqa: S603 - our own program, its arguments not from outside
        [sys.executable, "-m", "harness.cli", *command],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=processes.END_WITH_PARENT,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise _StandInFailed(process.wait(STANDIN_START_S), provider)
        addresses: dict[str, str] = json.loads(line)
        yield {key: addresses[key] for key in ("base_url", "audio_url") if addresses.get(key)}
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _StandInFailed(HarnessError):
    """A stand-in did not start; it has said why on stderr."""

    def __init__(self, exit_status: int, provider: str) -> None:
        super().__init__(f"the {provider} stand-in did not start (see above)")
        self.exit_status = exit_status


def _said(arguments: list[str], environment: Mapping[str, str]) -> str:
    """What a command prints on stdout.

    Raises:
        HarnessError: It failed; it has said why on stderr.
    """
    ended = processes.said(arguments, environment)
    if ended.status:
        error = HarnessError(f"cutover {arguments[0]} failed (see above)")
        error.exit_status = ended.status
        raise error
    return ended.output


def _run(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run one command as a person would and return its exit status."""
    status = processes.show(arguments, environment).status
    if status > _SIGNALLED and status != _INTERRUPTED:
        click.echo("cutover: the command was killed; the same demo goes on from here", err=True)
        return HarnessError.exit_status
    return status
