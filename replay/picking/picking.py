"""`pick` from its first line to the finished file: read twice, in constant memory, and write what was chosen."""

import json
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from harness.exchanges import Capture
from harness.providers.base import References
from harness.speech import VoiceKind, billed_chars
from harness.store.database import open_db
from harness.store.runs import Run
from replay.exporters.capture_writer import CaptureWriter
from replay.picking.cover import Candidate, Choice, Cover, Limits
from replay.picking.filters import Filter, stable_share
from replay.picking.strata import stratum_of, traits_of
from replay.sources import CaptureFile

__all__ = ["Picked", "failed_captures", "pick_covering", "pick_every", "weights_path"]

_FAILED = "SELECT DISTINCT capture_id FROM exchanges WHERE outcome <> 'ok'"


class Picked(NamedTuple):
    """What a pick took."""

    captures: int
    of: int  # that passed the filter
    chars: int  # as billed
    voices: int  # different ones that have to be made at a provider


def failed_captures(runs: Iterable[Run]) -> set[str]:
    """Ids of captures of which a leg failed in one of these sealed runs.

    Raises:
        StoreError: A run is not sealed.
    """
    failed: set[str] = set()
    for run in runs:
        with open_db(run.database) as database:
            failed.update(capture_id for (capture_id,) in database.execute(_FAILED).fetchall())
    return failed


def pick_covering(
    source: CaptureFile, keep: Filter, limits: Limits, *, failed: Collection[str] = (), fill: bool = False
) -> Choice:
    """What to take of the captures that pass the filter."""
    cover = Cover()
    for capture in filter(keep.matches, source):
        chars = billed_chars(capture.request.spoken_text)
        candidate = Candidate(chars, stable_share(capture.id, keep.seed), capture.id)
        cover.add(candidate, stratum_of(capture), traits_of(capture), failed=capture.id in failed)
    return cover.choose(limits, fill=fill)


def pick_every(
    source: CaptureFile,
    keep: Filter,
    limits: Limits,
    out: Path,
    *,
    chosen: Collection[str] | None = None,
    replace: bool = False,
) -> Picked:
    """Write the captures that pass the filter (and are `chosen`) to `out`, with their recordings beside it.

    Limits cut off in the order of the file.
    """
    captures = matched = chars = 0
    voices: set[str] = set()
    with CaptureWriter(out, replace=replace) as writer:
        for capture in filter(keep.matches, source):
            matched += 1
            if chosen is not None and capture.id not in chosen:
                continue
            cost = billed_chars(capture.request.spoken_text)
            if chosen is None and not _fits(captures + 1, chars + cost, limits):
                continue
            writer.write(capture)
            captures, chars = captures + 1, chars + cost
            if capture.request.voice.kind is not VoiceKind.PRESET:
                voices.add(capture.request.voice.id)
            _bring(capture, source.references, out.parent / "audio")
        writer.finish()
        writer.publish()
    return Picked(captures, matched, chars, len(voices))


def _fits(captures: int, chars: int, limits: Limits) -> bool:
    return (limits.captures is None or captures <= limits.captures) and (limits.chars is None or chars <= limits.chars)


def _bring(capture: Capture, references: References, folder: Path) -> None:
    """Copy a recording as it lies, encrypted where it is, to where the new file looks for it."""
    reference = capture.request.voice.reference
    path = references.find(reference.sha256) if reference else None
    if path is None:
        return
    target = folder / path.parent.name / path.name
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(path, temporary)
    temporary.chmod(0o600)
    temporary.replace(target)


def weights_path(out: Path) -> Path:
    """Where the weights of a covering choice are written."""
    return out.with_name(f"{out.name}.weights.json")


def write_weights(out: Path, choice: Choice) -> None:
    """Capture id → how many captures of the source it stands for."""
    weights = {capture_id: round(weight, 6) for capture_id, weight in choice.weights.items()}
    weights_path(out).write_text(json.dumps({"schema": 1, "weights": weights}, indent=1) + "\n")
