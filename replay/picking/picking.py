"""`pick` from its first line to the finished file: read twice, in constant memory, and write what was chosen."""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from harness.errors import UsageError
from harness.exchanges import Capture
from harness.providers.base import References
from harness.speech import VoiceKind, billed_chars
from harness.store.blobs import BlobStore
from harness.store.database import open_db
from harness.store.key_table import KeyTable
from harness.store.runs import Run
from replay.exporters.capture_writer import CaptureWriter
from replay.picking.costs import Bill, Cost, Costs
from replay.picking.cover import Candidate, Choice, Cover, Limits
from replay.picking.filters import Filter, stable_share
from replay.picking.strata import stratum_of, traits_of
from replay.sources import CaptureFile

__all__ = ["Picked", "answered_captures", "failed_captures", "pick_covering", "pick_every", "weights_path"]

_FAILED = "SELECT DISTINCT capture_id FROM exchanges WHERE outcome <> 'ok'"
_ANSWERED = """
    SELECT capture_id FROM exchanges GROUP BY capture_id
    HAVING bool_and(outcome = 'ok') AND bool_or(lane = 'control') AND bool_or(lane = 'candidate')
"""
_BATCH: Final = 1_000  # ids fetched at once


class Picked(NamedTuple):
    """What a pick took."""

    captures: int
    of: int  # that passed the filter
    chars: int  # as billed
    voices: int  # different ones that have to be made at a provider
    microusd: int = 0  # where it is counted, those voices included; 0 where no prices were given


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


def answered_captures(runs: Iterable[Run]) -> KeyTable:
    """Ids of captures that both providers answered in one of these sealed runs, and no leg of which failed there.

    Raises:
        StoreError: A run is not sealed.
    """
    answered = KeyTable()
    for run in runs:
        with open_db(run.database) as database:
            found = database.execute(_ANSWERED)
            while rows := found.fetchmany(_BATCH):
                for (capture_id,) in rows:
                    answered.number(capture_id)
    return answered


def pick_covering(
    source: CaptureFile,
    keep: Filter,
    limits: Limits,
    *,
    costs: Costs | None = None,
    failed: Collection[str] = (),
    fill: bool = False,
) -> Choice:
    """What to take of the captures that pass the filter.

    Raises:
        UsageError: Money is limited, and a price is unknown.
    """
    cover = Cover()
    for capture in filter(keep.matches, source):
        chars = billed_chars(capture.request.spoken_text)
        cost = _cost(capture, limits, costs)
        candidate = Candidate(chars, stable_share(capture.id, keep.seed), capture.id, cost)
        cover.add(candidate, stratum_of(capture), traits_of(capture), failed=capture.id in failed)
    return cover.choose(limits, fill=fill)


def pick_every(
    source: CaptureFile,
    keep: Filter,
    limits: Limits,
    out: Path,
    *,
    costs: Costs | None = None,
    chosen: Collection[str] | None = None,
    replace: bool = False,
) -> Picked:
    """Write the captures that pass the filter (and are `chosen`) to `out`, with their recordings beside it.

    Limits cut off in the order of the file.

    Raises:
        UsageError: Money is limited, and a price is unknown.
    """
    captures = matched = chars = 0
    voices: set[str] = set()
    beside, bill = source.references_beside(out), Bill()
    with CaptureWriter(out, replace=replace) as writer:
        for capture in filter(keep.matches, source):
            matched += 1
            if chosen is not None and capture.id not in chosen:
                continue
            length, cost = billed_chars(capture.request.spoken_text), _cost(capture, limits, costs) or Cost(0)
            so_far = Limits(captures + 1, chars + length, bill.microusd + bill.more(cost))
            if chosen is None and not _fits(so_far, limits):
                continue
            writer.write(capture)
            captures, chars = captures + 1, chars + length
            bill.add(cost)
            if capture.request.voice.kind is not VoiceKind.PRESET:
                voices.add(capture.request.voice.id)
            _bring(capture, source.references, beside)
        writer.finish()
        writer.publish()
    return Picked(captures, matched, chars, len(voices), bill.microusd)


def _cost(capture: Capture, limits: Limits, costs: Costs | None) -> Cost | None:
    cost = costs.of(capture) if costs else None
    if cost is None and limits.microusd is not None:
        where = costs.where if costs else "anywhere"
        raise UsageError(f"--budget: no price is known for capture {capture.id} {where}; use --budget-chars instead")
    return cost


def _fits(so_far: Limits, limits: Limits) -> bool:
    return all(limit is None or (value or 0) <= limit for value, limit in zip(so_far, limits, strict=True))


def _bring(capture: Capture, references: References, beside: BlobStore) -> None:
    """Store a recording where the new file looks for it, encrypted there whatever it is here."""
    reference = capture.request.voice.reference
    path = references.find(reference.sha256) if reference else None
    if reference is None or path is None or beside.find(reference.sha256):
        return
    extension = path.suffix.removeprefix(".")
    beside.put(references.get(reference.sha256, extension), extension)


def weights_path(out: Path) -> Path:
    """Where the weights of a covering choice are written."""
    return out.with_name(f"{out.name}.weights.json")


def write_weights(out: Path, choice: Choice) -> None:
    """Capture id → how many captures of the source it stands for."""
    weights = {capture_id: round(weight, 6) for capture_id, weight in choice.weights.items()}
    weights_path(out).write_text(json.dumps({"schema": 1, "weights": weights}, indent=1) + "\n")
