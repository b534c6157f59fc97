"""`cutover verdict`: judge sealed runs, print the verdict, and end with its exit status."""

import json
import sys
from pathlib import Path

import click

from analysis.evidence import read_evidence
from analysis.judge import Judgement, judge
from analysis.records import keep, thresholds_of
from analysis.report import view_of
from analysis.thresholds import Thresholds
from harness.clock import SystemClock
from harness.config import PROJECT, Settings
from harness.errors import UsageError
from harness.store.runs import Run, find_run

__all__ = ["verdict"]

_WIDTH = 110  # columns where there is no terminal to ask: a log, a pipe


@click.command(
    short_help="Judge a run: may we cut over?",
    epilog="Example: cutover verdict latest --markdown",
)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--thresholds", type=click.Path(path_type=Path), help="The thresholds file to judge by.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the verdict for machines; the same evidence, the same bytes."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown; its first line is the verdict.")
@click.pass_context
def verdict(
    context: click.Context, runs: tuple[str, ...], thresholds: Path | None, as_json: bool, as_markdown: bool
) -> None:
    """Judge one or several runs together: may we cut over?

    RUN is a run id, `latest` (the default) or the path of a run. Without --thresholds a run that was judged before is
    judged by the same file again; otherwise the file is data/thresholds.toml, or the setting `thresholds`.

    Exit status: 0 go, 1 no-go, 2 wrong use, 3 inconclusive, 4 invalid.
    """
    if as_json and as_markdown:
        raise UsageError("--json and --markdown print different things; choose one")
    settings = Settings.load()
    found = [find_run(settings.home, name) for name in dict.fromkeys(runs or ("latest",))]
    judgement = _judge(found, _rules(found, thresholds, settings))
    first = next(run for run in found if run.id == judgement.run_ids[0])
    keep(first, judgement, judged_at=SystemClock().now())
    _print(judgement, as_json=as_json, as_markdown=as_markdown)
    click.echo(_next_command(judgement), err=True)
    context.exit(judgement.overall.decision.exit_status)


def _rules(runs: list[Run], chosen: Path | None, settings: Settings) -> Thresholds:
    """The thresholds file in force, named relative to the project where it lies inside."""
    if chosen is None:
        recorded = thresholds_of(runs[0]) if len(runs) == 1 else None
        path = PROJECT / recorded if recorded else settings.thresholds
    else:
        path = chosen
    path = path.resolve()
    name = path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
    return Thresholds.load(path, name=name.as_posix())


def _judge(runs: list[Run], thresholds: Thresholds) -> Judgement:
    return judge(read_evidence(runs, thresholds.features), thresholds)


def _print(judgement: Judgement, *, as_json: bool, as_markdown: bool) -> None:
    view = view_of(judgement)
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
        return
    # rich takes a moment to load, and JSON has no use for it.
    from rich.console import Console

    from analysis.rendering import markdown, print_verdict

    if as_markdown:
        click.echo(markdown(view), nl=False)
    else:
        console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
        print_verdict(view, console)


def _next_command(judgement: Judgement) -> str:
    return {
        "go": "next: cutover dashboard, then start the canary",
        "no-go": "next: cutover dashboard shows the pairs behind it",
        "inconclusive": "next: cutover replay with more captures",
        "invalid": "next: mend what the reason names, then cutover verdict again",
    }[judgement.overall.decision.value]
