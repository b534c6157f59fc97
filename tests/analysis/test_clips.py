import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis.clips import clips_of
from analysis.evidence import read_evidence
from analysis.judge import judge
from analysis.report import View, view_of
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Exchange, Failure, Lane
from harness.store.blobs import BlobStore
from harness.store.runs import Run
from tests.frames import thresholds_of
from tests.replayed import a_replayed_run


class Shelf(BlobStore):
    """A store with the same sound under every name."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__(Path("nowhere"))
        self.seconds = seconds

    def get(self, sha256: str, extension: str) -> bytes:
        if self.seconds is None:
            raise StoreError(f"{sha256}.{extension}: missing")
        buffer = io.BytesIO()
        wave = 0.3 * np.sin(np.arange(int(24_000 * self.seconds)) / 20.0)
        soundfile.write(buffer, wave, 24_000, format="WAV", subtype="PCM_16")
        return buffer.getvalue()


def unlucky(number: int, lane: Lane, exchange: Exchange) -> Exchange:
    if lane is not Lane.CANDIDATE or number >= 2:
        return exchange
    if number == 0:
        return replace(exchange, result=Failure(kind=ErrorKind.OVERLOADED, code=None, detail="overloaded"))
    return replace(exchange, timing=replace(exchange.timing, service_s=90.0))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The candidate failed on the first capture and dawdled on the second."""
    return a_replayed_run(tmp_path_factory.mktemp("home"), answer=unlucky, captures=20)


@pytest.fixture
def view(run: Run, tmp_path: Path) -> View:
    rules = thresholds_of(
        tmp_path,
        '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 5.0\n'
        '[gate.slow]\nkind = "paired_exceed"\nfeature = "service_s"\nabove = 60.0\nmargin_pp = 5.0\n',
    )
    return view_of(judge(read_evidence([run], rules.features), rules))


def test_both_sides_of_the_worst_pairs_are_there_unless_nothing_came(run: Run, view: View) -> None:
    clips = clips_of(view, [run], Shelf(1.0))

    slow, failed = f"{run.id}-1", f"{run.id}-0"
    assert {(capture, lane) for _, capture, _, lane in clips} == {
        (slow, "control"),
        (slow, "candidate"),
        (failed, "control"),
    }


def test_a_clip_is_small_cut_and_plays(run: Run, view: View) -> None:
    (uri, *_) = clips_of(view, [run], Shelf(30.0)).values()

    head, data = uri.split(",")
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert head == "data:audio/ogg;base64"
    assert (rate_hz, len(samples) / rate_hz) == (16_000, 12.0)
    assert len(uri) < 200_000


def test_audio_that_is_missing_or_too_much_is_left_out(run: Run, view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    assert clips_of(view, [run], Shelf(None)) == {}
    one = len(next(iter(clips_of(view, [run], Shelf(1.0)).values())))
    monkeypatch.setattr("analysis.clips._MOST_CHARS", 2 * one)

    assert len(clips_of(view, [run], Shelf(1.0))) == 2
