"""`cutover verdict`: judge sealed runs, print the verdict, and end with its exit status."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from analysis.attestation import attest, check
from analysis.evidence import read_evidence
from analysis.judge import Judgement, judge
from analysis.junit import junit
from analysis.openmetrics import openmetrics
from analysis.records import earlier_limits, keep, thresholds_of
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from harness.clock import SystemClock
from harness.config import PROJECT, Settings
from harness.errors import StoreError, UsageError
from harness.run_argument import run_named
from harness.store.choosing import KINDS, LATEST
from harness.store.runs import Run, audio_store

__all__ = ["verdict"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_WIDTH = 110  # columns where there is no terminal to ask: a log, a pipe


@click.command(
    short_help="Judge a run: may we cut over?",
    epilog="Example: cutover verdict latest --markdown",
)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--kind", type=click.Choice(KINDS), help="What kind of run `latest` means [default: replay or demo].")
@click.option("--thresholds", type=click.Path(path_type=Path), help="The thresholds file to judge by.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the verdict for machines; the same evidence, the same bytes."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown; its first line is the verdict.")
@click.option("--html", type=_FILE, help="Write one page that works offline, with the worst pairs to listen to.")
@click.option("--junit", type=_FILE, help="Write JUnit XML: a gate is a test case.")
@click.option("--openmetrics", type=_FILE, help="Write OpenMetrics text.")
@click.option(
    "--comment-file", type=_FILE, help="Write Markdown fit for a comment: within GitHub's size, to be replaced."
)
@click.option("--comment", metavar="OWNER/REPO#NUMBER", help="Write it to a pull request, over the last one there.")
@click.option("--record", type=_FILE, help="Write a decision record, which --verify can check later.")
@click.option("--sign-key", type=_FILE, help="Sign the record with this Ed25519 private key (PEM).")
@click.option("--verify", type=_FILE, help="Check a decision record: judge its runs again and say what differs.")
@click.option("--public-key", type=_FILE, help="Demand that the record was signed with this key (PEM).")
@click.pass_context
def verdict(
    context: click.Context,
    /,
    runs: tuple[str, ...],
    kind: str | None,
    thresholds: Path | None,
    as_json: bool,
    as_markdown: bool,
    comment: str | None,
    verify: Path | None,
    public_key: Path | None,
    **reports: Path | None,
) -> None:
    """Judge one or several runs together: may we cut over?

    RUN is a run id, the path of a run, or `latest` (the default): the newest replay that is sealed, and what the
    gateway writes only where there is no replay, or where --kind asks for it. Without --thresholds a run that was
    judged before is judged by the same file again; otherwise the file is data/thresholds.toml, or the setting
    `thresholds`.
    In a job of GitHub Actions the verdict is appended to its summary, too.

    Exit status: 0 go, 1 no-go, 2 wrong use, 3 inconclusive, 4 invalid. With --verify: 0 all the same, 4 not.
    """
    if as_json and as_markdown:
        raise UsageError("--json and --markdown print different things; choose one")
    if reports["sign_key"] and not reports["record"]:
        raise UsageError("--sign-key signs a record; name its file with --record")
    settings = Settings.load()
    if verify is not None:
        context.exit(_verify(verify, settings, public_key))
    found = _found(settings.home, runs, kind)
    judgement = _judge(found, _rules(found, thresholds, settings))
    first = next(run for run in found if run.id == judgement.run_ids[0])
    keep(first, judgement, judged_at=SystemClock().now())
    view = view_of(judgement, earlier_limits=earlier_limits(found, judgement.thresholds.sha256))
    _print(view, as_json=as_json, as_markdown=as_markdown)
    _publish(view, judgement, found, settings, reports)
    if comment is not None:
        _comment(view, settings, comment)
    click.echo(_next_command(judgement), err=True)
    context.exit(judgement.overall.decision.exit_status)


def _found(home: Path, names: tuple[str, ...], kind: str | None) -> list[Run]:
    return [run_named(home, name, kind=kind) for name in dict.fromkeys(names or (LATEST,))]


def _verify(path: Path, settings: Settings, public_key: Path | None) -> int:
    found = check(path, settings.home, trusted=public_key)
    click.echo(f"signed by {found.signed_by}" if found.signed_by else "not signed")
    for difference in found.differences:
        click.echo(f"differs: {difference}")
    if found.differences:
        click.echo("next: cutover runs verify shows whether a run's own files are whole", err=True)
        return StoreError.exit_status
    click.echo("every number came out the same")
    click.echo("next: cutover verdict --html FILE for a page to read", err=True)
    return 0


def _publish(
    view: View, judgement: Judgement, runs: list[Run], settings: Settings, reports: Mapping[str, Path | None]
) -> None:
    """The files that were asked for, each loading what it needs only then."""
    # rich, soundfile and librosa take a moment to load, and plain JSON has no use for them.
    from analysis.publishing import SUMMARY_VARIABLE, publish, write_summary
    from analysis.rendering import markdown

    makers: dict[str, Callable[[], str]] = {
        "html": lambda: _page(view, runs, settings),
        "junit": lambda: junit(view),
        "openmetrics": lambda: openmetrics(view),
        "comment_file": lambda: markdown(view),
        "record": lambda: _record(judgement, runs, settings, reports["sign_key"]),
    }
    publish({path: make for name, make in makers.items() if (path := reports[name]) is not None})
    summary = os.environ.get(SUMMARY_VARIABLE)
    if summary:
        write_summary(view, Path(summary))


def _comment(view: View, settings: Settings, place: str) -> None:
    """One comment for all verdicts on a pull request; that it cannot be written changes no verdict."""
    # An HTTP client takes a moment to load, and few verdicts are told.
    from analysis.rendering import MARK, markdown
    from harness.nightly.notices import NotTold, PullRequest, comment

    pull_request = PullRequest.parse(place)
    try:
        written = asyncio.run(comment(settings, pull_request, markdown(view), mark=MARK, clock=SystemClock()))
        click.echo(f"comment: {written}", err=True)
    except NotTold as error:
        click.echo(f"cutover: {error}", err=True)


def _page(view: View, runs: list[Run], settings: Settings) -> str:
    from analysis.clips import clips_of
    from analysis.page import page

    return page(view, clips_of(view, runs, audio_store(settings.home)))


def _record(judgement: Judgement, runs: list[Run], settings: Settings, key: Path | None) -> str:
    # Secrets are masked in it, and home is a place on this machine alone.
    in_force = hashlib.sha256(settings.model_dump_json(exclude={"home"}).encode()).hexdigest()
    record = attest(judgement, runs, settings=in_force, key=key)
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


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


def _print(view: View, *, as_json: bool, as_markdown: bool) -> None:
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
