from pathlib import Path

import pytest

from analysis import measuring
from analysis.measuring import measure_blob
from analysis.workers import WorkerPool
from harness.store.blobs import BlobStore
from tests.analysis.sounds import a_file, an_utterance


def test_a_stored_audio_is_measured(tmp_path: Path) -> None:
    sha256 = BlobStore(tmp_path).put(a_file(an_utterance()), "wav")

    assert measure_blob((str(tmp_path), sha256, "wav"))["outcome"] == "ok"


def test_audio_that_the_store_has_lost_or_altered_is_no_fault_of_the_audio(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    sha256 = store.put(a_file(an_utterance()), "wav")
    store.path(sha256, "wav").chmod(0o600)
    store.path(sha256, "wav").write_bytes(b"something else")

    altered, missing = (measure_blob((str(tmp_path), name, "wav")) for name in (sha256, "0" * 64))

    assert "has changed" in altered["lost"]
    assert "is missing" in missing["lost"]


def test_a_fault_of_ours_costs_one_row_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trip(data: bytes) -> None:
        raise ZeroDivisionError("no frames")

    monkeypatch.setattr(measuring, "measure", trip)
    sha256 = BlobStore(tmp_path).put(b"x", "wav")

    row = measure_blob((str(tmp_path), sha256, "wav"))

    assert row["outcome"] == "internal"
    assert row["more"]["reason"] == "measuring failed: ZeroDivisionError: no frames"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads where Linux lists them")
def test_a_worker_computes_in_one_thread() -> None:
    pool = WorkerPool("tests.analysis.crashing:threads_of_a_product", processes=1, deadline_s=30.0)

    assert [answer.value for answer in pool.run([1_000])] == [1]
