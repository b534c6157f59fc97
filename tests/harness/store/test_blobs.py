import hashlib
import stat
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store.blobs import BlobStore

SHA256 = hashlib.sha256(b"audio").hexdigest()


def test_a_blob_lies_under_its_hash_and_is_read_back(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)

    name = store.put(b"audio", "wav")

    assert name == SHA256
    assert store.get(name, "wav") == b"audio"
    assert store.find(name) == tmp_path / SHA256[:2] / f"{SHA256}.wav"


def test_equal_audio_is_kept_once_and_left_alone(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    first = store.path(store.put(b"audio", "wav"), "wav").stat()

    second = store.path(store.put(b"audio", "wav"), "wav").stat()

    assert first.st_ino == second.st_ino
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{SHA256}.wav"]


def test_others_on_the_machine_cannot_read_a_blob(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)

    path = store.path(store.put(b"audio", "wav"), "wav")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_blob_that_changed_is_refused(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    store.path(store.put(b"audio", "wav"), "wav").write_bytes(b"other")

    with pytest.raises(StoreError, match="has changed"):
        store.get(SHA256, "wav")


def test_a_blob_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        BlobStore(tmp_path).get(SHA256, "wav")
    assert BlobStore(tmp_path).find(SHA256) is None


@pytest.mark.parametrize(
    ("sha256", "extension"),
    [
        ("../../etc/passwd", "wav"),
        ("a" * 63, "wav"),
        ("A" * 64, "wav"),
        (SHA256, "../wav"),
        (SHA256, ""),
        (SHA256 + "\0", "wav"),
        ("/" + "a" * 63, "wav"),
    ],
)
def test_no_name_leads_out_of_the_store(tmp_path: Path, sha256: str, extension: str) -> None:
    with pytest.raises(StoreError, match="does not name a blob"):
        BlobStore(tmp_path).path(sha256, extension)
    assert BlobStore(tmp_path).find("../" + sha256) is None
