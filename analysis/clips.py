"""The audio of a few pairs, small enough to travel inside a report."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import soundfile

from analysis.audio import decode
from analysis.report import View
from harness.errors import HarnessError
from harness.exchanges import Lane
from harness.store.blobs import BlobStore
from harness.store.database import open_db
from harness.store.runs import Run

__all__ = ["Clips", "clips_of"]

_RATE_HZ: Final = 16_000
_LONGEST_S: Final = 12.0
_MOST_CHARS: Final = 8_000_000  # of all clips together: the page stays below 10 MB
_AUDIO = "SELECT audio_sha256, audio_extension FROM exchanges WHERE capture_id = ? AND repetition = ? AND lane = ?"

Clips = Mapping[tuple[str, str, int, str], str]  # run, capture, repetition, lane → data URI


def clips_of(view: View, runs: Sequence[Run], store: BlobStore) -> Clips:
    """Both sides of the worst pairs as Ogg Vorbis, cut after 12 s; what cannot be heard is left out.

    Args:
        view: What `view_of` made.
        runs: Those that were judged.
        store: Where their audio lies.
    """
    by_id = {run.id: run for run in runs}
    clips: dict[tuple[str, str, int, str], str] = {}
    room = _MOST_CHARS
    for run_id, capture_id, repetition in _pairs(view):
        if run_id not in by_id:
            continue
        for lane in (Lane.CONTROL, Lane.CANDIDATE):
            uri = _clip(by_id[run_id], (capture_id, repetition, lane.value), store)
            if uri is not None and len(uri) <= room:
                room -= len(uri)
                clips[run_id, capture_id, repetition, lane.value] = uri
    return clips


def _pairs(view: View) -> Iterator[tuple[str, str, int]]:
    for operation in view["operations"]:
        for pair in operation["worst_pairs"]:
            yield pair["run_id"], pair["capture_id"], pair["repetition"]


def _clip(run: Run, key: tuple[str, int, str], store: BlobStore) -> str | None:
    with open_db(run.database) as database:
        row = database.execute(_AUDIO, list(key)).fetchone()
    if row is None or row[0] is None:
        return None
    try:
        audio = decode(store.get(*row))
    except HarnessError:
        return None  # missing, or no audio: the reason beside it says so
    samples = audio.mono_at(_RATE_HZ)[: int(_LONGEST_S * _RATE_HZ)]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1.0, 1.0), _RATE_HZ, format="OGG", subtype="VORBIS")
    return "data:audio/ogg;base64," + base64.b64encode(buffer.getvalue()).decode()
