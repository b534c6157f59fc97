"""`cutover extract`: measure the audio of a run and compare its pairs, and say what could not be measured and why."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from analysis import extraction, pairwise
from analysis.extraction import ExtractionReport, Unusable
from analysis.models.landing import land
from analysis.models.readings import ReadingReport, read_sounds
from analysis.models.references import references_of
from analysis.models.scorers import chosen_scorers
from analysis.pairwise import PairReport
from harness.config import Settings
from harness.progress import ProgressReport
from harness.run_argument import run_named

__all__ = ["extract"]


@click.command(epilog="Example: cutover extract latest")
@click.argument("run", default="latest")
@click.option("--processes", type=click.IntRange(min=1), help="How many at once [default: one for each core].")
@click.option("--models", "names", multiple=True, metavar="NAMES", help="Quality models to ask too, with commas.")
@click.option(
    "--captures",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The captures that were replayed: where the recordings lie that voices are compared with.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def extract(run: str, processes: int | None, names: tuple[str, ...], captures: Path | None, as_json: bool) -> None:
    """Measure the audio of RUN and compare its pairs: a run's id or path, or `latest`.

    Identical audio is measured once. Interrupted at any time, the same command goes on where it was; after an update
    that changes what is measured, it measures again, without calling any provider. Models are asked only when they
    are named; `cutover models list` says which could be.
    """
    scorers = chosen_scorers(names)
    references = references_of(captures) if captures else None
    settings = Settings.load()
    if processes:
        replay = settings.replay.model_copy(update={"extract_processes": processes})
        settings = settings.model_copy(update={"replay": replay})
    found = run_named(settings.home, run, sealed=False)
    report = extraction.extract(found, settings, _progress("Measuring audio"))
    pairs = pairwise.compare_pairs(found, settings, _progress("Comparing pairs"))
    readings = [
        read_sounds(found, settings, scorer, _progress(f"Asking {scorer.name}"), references=references)
        for scorer in scorers
    ]
    land(found)
    if as_json:
        parts = {"pairs": asdict(pairs), "models": [asdict(reading) for reading in readings]}
        click.echo(json.dumps({**asdict(report), **parts}, indent=2))
    else:
        click.echo("\n".join([_text(report), _of_pairs(pairs), *_of_models(readings)]))
    click.echo(f"Next: cutover verdict {report.run_id}", err=True)


def _progress(title: str) -> extraction.OpenProgress:
    return lambda total, done: ProgressReport(title, total, done=done)


def _text(report: ExtractionReport) -> str:
    lines = [_headline(report)]
    lines += [f"  {outcome:<16} {count:>7,}" for outcome, count in report.outcomes.items()]
    lines += [f"  {'lost':<16} {len(report.lost):>7,}"] if report.lost else []
    lines += _why(report.unusable)
    lines += [f"  lost: {sentence}" for sentence in report.lost[:1]]
    return "\n".join(lines)


def _headline(report: ExtractionReport) -> str:
    known = f", {report.known:,} known before" if report.known else ""
    return (
        f"{report.run_id}: {report.audio:,} different audios, {report.measured:,} measured now{known}; "
        f"{report.sound_s / 3600:.2f} h of sound in {report.elapsed_s:.1f} s (extractor {report.extractor_version})"
    )


def _of_pairs(report: PairReport) -> str:
    """One line; pairs are not listed one by one, since what is wrong with one is wrong with an audio above."""
    known = f", {report.known:,} known before" if report.known else ""
    lost = f", {report.lost:,} lost" if report.lost else ""
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.items())
    return (
        f"{report.pairs:,} pairs, {report.compared:,} compared now{known}{lost}{': ' if outcomes else ''}{outcomes} "
        f"in {report.elapsed_s:.1f} s (extractor {report.extractor_version})"
    )


def _of_models(readings: Sequence[ReadingReport]) -> list[str]:
    """A line for each model, and one for what it could not read."""
    lines = []
    for one in readings:
        if one.engine == "none":
            lines.append(f"{one.scorer}: nothing asked, CUTOVER_MODELS__TRANSCRIBER is none")
            continue
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in one.outcomes.items())
        lines.append(
            f"{one.scorer}: {one.sounds:,} sounds, {one.known:,} known before, {one.unread:,} unread: "
            f"{outcomes or 'none'} in {one.elapsed_s:.1f} s ({one.engine}, version {one.version})"
        )
        lines += [f"  {one.scorer}: {one.reason}"] if one.reason else []
    return lines


def _why(unusable: tuple[Unusable, ...]) -> list[str]:
    """One line for each outcome and reason; audio of the first as an example."""
    examples = {(one.outcome, one.reason): one.audio_sha256 for one in reversed(unusable)}
    counts = Counter((one.outcome, one.reason) for one in unusable)
    return [
        f"  {outcome}: {reason} ({count:,}x, for example {examples[outcome, reason][:12]})"
        for (outcome, reason), count in counts.most_common(10)
    ]
