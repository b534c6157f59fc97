import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.models.reading import read_blob
from analysis.models.scorers import SCORERS
from analysis.models.voiceprint import cosine, unpacked
from harness.store.blobs import BlobStore
from tests.analysis.models.smallest import install_small_dnsmos, install_small_encoder
from tests.analysis.sounds import a_file, a_silence, an_utterance

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed: no small model can be made")


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "audio")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    install_small_encoder(tmp_path / "models")
    install_small_dnsmos(tmp_path / "models")
    return tmp_path / "models"


def read(scorer: str, models: Path, store: BlobStore, sha256: str) -> dict[str, object]:
    return read_blob((scorer, str(models), str(store.root), sha256, "wav", "en"))


def test_a_voice_is_a_vector_of_length_one(models: Path, store: BlobStore) -> None:
    value = read("similarity", models, store, store.put(a_file(an_utterance()), "wav"))

    voice = unpacked(str(value["embedding"]))
    assert value["outcome"] == "ok"
    assert np.linalg.norm(voice) == pytest.approx(1.0, abs=1e-6)
    assert cosine(voice, voice) == pytest.approx(1.0)


def test_opinions_come_by_name(models: Path, store: BlobStore) -> None:
    value = read("background", models, store, store.put(a_file(an_utterance()), "wav"))

    assert set(value) == {"outcome", "speech", "background", "overall", "p808"}


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        pytest.param(a_file(a_silence(1.0)), "empty_audio", id="silence is not asked about"),
        pytest.param(b"<html>", "bad_audio", id="no audio"),
        pytest.param(b"", "empty_audio", id="nothing"),
    ],
)
def test_what_cannot_be_read_gets_the_outcome_that_says_so(
    models: Path, store: BlobStore, data: bytes, outcome: str
) -> None:
    value = read("similarity", models, store, store.put(data, "wav"))

    assert value["outcome"] == outcome
    assert value["reason"]


def test_audio_that_the_store_has_lost_has_no_outcome(models: Path, store: BlobStore) -> None:
    assert read("similarity", models, store, "a" * 64).keys() == {"lost"}


def test_a_model_that_breaks_is_our_own_fault_and_stops_nothing(tmp_path: Path, store: BlobStore) -> None:
    value = read("background", tmp_path / "no models", store, store.put(a_file(an_utterance()), "wav"))

    assert value["outcome"] == "internal"
    assert str(value["reason"]).startswith("background failed: ")


def test_a_library_that_does_not_load_says_nothing_about_the_sound(
    tmp_path: Path, store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    value = read("naturalness", tmp_path, store, store.put(a_file(an_utterance()), "wav"))

    assert value.keys() == {"failed"}
    assert "voice-cutover[naturalness]" in str(value["failed"])


def test_every_scorer_of_the_table_can_be_read_by(tmp_path: Path, store: BlobStore) -> None:
    sha256 = store.put(a_file(an_utterance()), "wav")

    for scorer in SCORERS:  # without models each fails by itself, none because nobody knows it
        assert "KeyError" not in str(read(scorer, tmp_path / "none", store, sha256))
