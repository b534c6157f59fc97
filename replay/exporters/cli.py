"""`cutover capture export`: captures for the tools that others use."""

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from harness.capturing.keys import open_keys
from harness.config import Settings
from harness.errors import CaptureError
from harness.exchanges import Capture
from harness.providers.base import References
from replay.exporters.foreign import ExportFormat, render
from replay.exporters.wire_requests import WireRequest, wire_request
from replay.sources import read_captures

__all__ = ["export"]

_FORMATS: Final = [one.value for one in ExportFormat]


@click.command(epilog="Example: cutover capture export captures.jsonl.zst --format gor --out replay.gor")
@click.argument("captures", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(_FORMATS), required=True, help="Whose format.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make.")
@click.option("--base-url", default="http://127.0.0.1:8080", show_default=True, help="Where the requests are to go.")
@click.option("--with-recordings", is_flag=True, help="Let reference audio go along, decrypted, where consent allows.")
@click.option("--replace", is_flag=True, help="Replace the file when it is there already.")
def export(captures: Path, format_: str, out: Path, base_url: str, with_recordings: bool, replace: bool) -> None:
    """Write captures as GoReplay .gor, HAR 1.2 or vegeta targets, in the field's convention (/v1/audio/speech, …).

    The file holds no key: give yours to the tool. Reference audio stays at home unless asked for.
    """
    settings = Settings.load()
    source = read_captures(captures, quarantine=settings.home / "quarantine", keys=open_keys(settings))
    pairs = _Pairs(source, source.references if with_recordings else None)
    _write(out, render(ExportFormat(format_), pairs, base_url), replace=replace)
    click.echo(f"{out}: {pairs.written} requests, {pairs.left_out} clones left out for want of a recording that may go")
    if pairs.silenced:
        click.echo(f"  {pairs.silenced} clones go without the words they were to say: they are too long for a header")
    click.echo(_next(ExportFormat(format_), out), err=True)


class _Pairs:
    """Captures with their requests; counts on the way."""

    def __init__(self, source: Iterable[Capture], references: References | None) -> None:
        self.written = self.left_out = self.silenced = 0
        self._source = source
        self._references = references

    def __iter__(self) -> Iterator[tuple[Capture, WireRequest]]:
        for capture in self._source:
            request = wire_request(capture, self._references)
            if request is None:
                self.left_out += 1
                continue
            self.written += 1
            self.silenced += request.is_silenced
            yield capture, request


def _write(out: Path, pieces: Iterator[bytes], *, replace: bool) -> None:
    """The whole file or none, for its owner alone: it holds texts."""
    if out.exists() and not replace:
        raise CaptureError(f"{out}: is there already; name another file, or give --replace")
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(pieces)
        draft.replace(out)
    except OSError as error:
        raise CaptureError(f"{out}: cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)


def _next(format_: ExportFormat, out: Path) -> str:
    match format_:
        case ExportFormat.GOR:
            return f"Next: gor --input-file {out} --output-http http://127.0.0.1:8080"
        case ExportFormat.HAR:
            return f"Next: open {out} in a browser's network panel, or import it again"
        case ExportFormat.VEGETA:
            return f"Next: vegeta attack -format=json -targets={out} -rate=2/s | vegeta report"
