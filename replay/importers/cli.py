"""`cutover capture import`: traffic that others recorded becomes captures, sanitised on the way."""

import json
from pathlib import Path
from typing import Final

import click

from harness.capturing.keys import open_keys
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import Clock, SystemClock
from harness.config import Settings
from harness.errors import UsageError
from harness.providers.base import References
from replay.importers.formats import Format, find_files, read_files
from replay.importers.import_report import advice, import_facts, import_text
from replay.importers.importing import import_captures
from replay.importers.mapping import load_mapping
from replay.sanitising.call_sanitiser import CallSanitiser
from replay.sanitising.consents import load_consents

__all__ = ["import_"]

QUARANTINED: Final = 4
_LINE_EVERY_S: Final = 5.0
_FORMATS: Final = [one.value for one in Format]
_POLICIES: Final = [one.value for one in Policy]


@click.command("import", epilog="Example: cutover capture import traffic_0.gor --out captures.jsonl.zst")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make; .zst packs it.")
@click.option("--format", "format_", type=click.Choice(_FORMATS), default="auto", help="How FILE is written.")
@click.option("--mapping", type=click.Path(path_type=Path), help="Which fields of your own logs and bodies are which.")
@click.option("--consents", type=click.Path(path_type=Path), help="What owners of reference recordings allowed.")
@click.option("--policy", type=click.Choice(_POLICIES), default="mask", help="What becomes of the words.")
@click.option("--reason", metavar="TEXT", help="Why --policy raw is lawful; kept in the report.")
@click.option("--preset", multiple=True, metavar="NAME", help="A preset voice of yours that is named after nobody.")
@click.option("--quarantine-credentials", is_flag=True, help="Keep records with a credential out, instead of failing.")
@click.option("--strict", is_flag=True, help="Exit with 4 when a record was quarantined.")
@click.option("--replace", is_flag=True, help="Replace the file when it is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def import_(
    files: tuple[str, ...],
    out: Path,
    format_: str,
    mapping: Path | None,
    consents: Path | None,
    policy: str,
    reason: str | None,
    preset: tuple[str, ...],
    quarantine_credentials: bool,
    strict: bool,
    replace: bool,
    as_json: bool,
) -> int:
    """Turn recorded traffic into captures: GoReplay .gor, HAR, mitmproxy flows, your own logs, or captures.

    Speech requests are taken, everything else is skipped and counted. Of a request only what a capture holds is taken;
    callers become pseudonyms, personal data in texts surrogates, and reference audio is kept only with consent.
    """
    if policy == Policy.RAW and not (reason or "").strip():
        raise UsageError("--policy raw keeps personal data: it needs --reason TEXT, the ground it is lawful on")
    settings, clock = Settings.load(), SystemClock()
    paths = find_files(files)
    keys = open_keys(settings)
    references = EncryptedBlobStore(out.parent / "audio", keys)
    sanitiser = CallSanitiser(
        Sanitiser(Policy(policy), keys, references=references, clock=clock, presets=preset),
        consents=load_consents(consents) if consents else None,
    )
    beside: dict[Path, References] = {
        folder: EncryptedBlobStore(folder / "audio", keys) for folder in {path.parent for path in paths}
    }
    counts = import_captures(
        read_files(paths, Format(format_), load_mapping(mapping) if mapping else None, references=beside.items()),
        out,
        sanitiser,
        references,
        replace_out=replace,
        quarantine_credentials=quarantine_credentials,
        on_record=_Ticker(clock).tick,
    )
    facts = import_facts(out, counts, sanitiser.report, Policy(policy), reason)
    click.echo(json.dumps(facts, indent=2) if as_json else import_text(facts))
    for line in advice(facts):
        click.echo(line, err=True)
    return QUARANTINED if strict and counts.quarantined else 0


class _Ticker:
    """A line every few seconds while records are read; how many there will be nobody knows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s = self._told_s = clock.monotonic()

    def tick(self, read: int) -> None:
        if read % 1024:
            return
        now_s = self._clock.monotonic()
        if now_s - self._told_s >= _LINE_EVERY_S:
            self._told_s = now_s
            click.echo(f"import: {read:,} records read, {read / (now_s - self._started_s):,.0f}/s", err=True)
