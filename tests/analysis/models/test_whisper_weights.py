import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from analysis.models.catalogue import WEIGHTS
from analysis.models.weights import installed, problems
from analysis.models.whisper_weights import bring_whisper
from harness.errors import StoreError, UsageError

MODEL = b"a model of our own"
SHA256 = hashlib.sha256(MODEL).hexdigest()


def a_model(folder: Path) -> Path:
    folder.mkdir()
    for name, data in {"model.bin": MODEL, "config.json": b"{}", "tokenizer.json": b"{}", "README.md": b""}.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_folder_of_this_machine_is_taken_when_it_has_the_hash_that_was_named(tmp_path: Path) -> None:
    source = a_model(tmp_path / "own")

    bring_whisper(tmp_path / "models", str(source), sha256=SHA256.upper())

    assert set(installed(tmp_path / "models", WEIGHTS["whisper"]) or {}) == {
        "model.bin",
        "config.json",
        "tokenizer.json",
    }
    assert problems(tmp_path / "models", WEIGHTS["whisper"]) == []


def test_without_a_hash_only_the_published_base_model_is_taken(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"model\.bin has the SHA-256 {SHA256}, not d01c3014"):
        bring_whisper(tmp_path / "models", str(a_model(tmp_path / "own")))
    assert installed(tmp_path / "models", WEIGHTS["whisper"]) is None


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no Whisper model as CTranslate2 writes it, model\.bin is missing"):
        bring_whisper(tmp_path / "models", str(tmp_path), sha256=SHA256)


def test_a_repository_of_the_hub_is_fetched_by_its_own_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def snapshot_download(repository: str, *, allow_patterns: list[str], local_dir: str) -> str:
        asked.append(repository)
        return str(a_model(Path(local_dir)))

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))

    bring_whisper(tmp_path / "models", "hub:Someone/faster-whisper-small", sha256=SHA256)

    assert asked == ["Someone/faster-whisper-small"]
    assert problems(tmp_path / "models", WEIGHTS["whisper"]) == []


def test_a_hub_that_cannot_be_reached_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(*_: object, **__: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))

    with pytest.raises(UsageError, match=r"hub:A/b cannot be had here \(ConnectionError\); .*--from FOLDER"):
        bring_whisper(tmp_path / "models", "hub:A/b")
