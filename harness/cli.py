"""The command table: names and one line of help here, the commands themselves where they belong.

A command is found by its string only when it is chosen, so nothing imports upward and `cutover --help` loads nothing
heavy. Whatever goes wrong on the way ends as one sentence on stderr and an exit status: 0 go or done, 1 no-go,
2 wrong use, 3 inconclusive, 4 invalid run or our own fault.
"""

import importlib
import sys
from typing import Any, Final, NamedTuple

import click

from harness.errors import HarnessError

__all__ = ["COMMANDS", "Entry", "main"]

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it


class Entry(NamedTuple):
    """Where a command lives and what it is for."""

    target: str  # "module:attribute"
    help: str


COMMANDS: Final = {
    "demo": Entry("harness.demo:demo", "The whole loop on stand-in providers, from captures to a verdict."),
    "capture": Entry("replay.capture_cli:capture", "Bring captured requests in, look at them, choose among them."),
    "replay": Entry("replay.cli:replay", "Send captured requests to both providers."),
    "extract": Entry("analysis.extract_cli:extract", "Measure the audio of a run."),
    "models": Entry("analysis.models_cli:models", "Look at the optional quality models and get what they lack."),
    "verdict": Entry("analysis.verdict_cli:verdict", "Judge a run: may we cut over?"),
    "nightly": Entry("harness.nightly.cli:nightly", "A whole night: pick, replay, measure, judge, publish and tell."),
    "serve": Entry("harness.serve_cli:serve", "The gateway: live traffic with fallback, canary, copies and captures."),
    "dashboard": Entry("dashboard.cli:dashboard", "Look at runs in the browser, on this machine only."),
    "runs": Entry("replay.runs_cli:runs", "List runs and rebuild their databases."),
    "doctor": Entry("harness.doctor_cli:doctor", "Check whether a live run could begin."),
    "voices": Entry("harness.voices_cli:voices", "List the voices that replays made, and clear them away."),
    "rollout": Entry("harness.rollout_cli:rollout", "Where the rollout stands; every step forward or back."),
    "gate": Entry("harness.gate_cli:gate", "The security gate: its checks, a record of them, and its test of itself."),
    "callers": Entry("harness.callers_cli:callers", "Give API keys for the gateway out, and take them back."),
    "emulate": Entry("harness.emulators.cli:emulate", "Run a stand-in provider as a server."),
}


class _Table(click.Group):
    """A group whose commands are imported when they are chosen."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=_Table)
@click.version_option(package_name="voice-cutover", prog_name="cutover")
def _cutover() -> None:
    """May we cut our speech over to the new provider, and can we take it back?

    Begin with `cutover demo`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its status."""
    sys.exit(_status(arguments))


def _status(arguments: list[str] | None) -> int:
    try:
        outcome: Any = _cutover.main(arguments, prog_name="cutover", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except HarnessError as error:
        click.echo(f"cutover: {error}", err=True)
        return error.exit_status
    except (click.Abort, KeyboardInterrupt):
        click.echo("cutover: interrupted; the same command goes on from here", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return 0  # the reader of our output has seen enough
    return outcome if isinstance(outcome, int) else 0


if __name__ == "__main__":
    main()
