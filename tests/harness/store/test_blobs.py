import hashlib
import os
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


def test_blobs_of_a_group_are_stored_in_order_and_equal_ones_once(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    there = store.path(store.put(b"there", "wav"), "wav").stat()

    names = store.put_all([(b"one", "wav"), (b"there", "wav"), (b"two", "mp3"), (b"one", "wav")])

    assert [store.get(name, kind) for name, kind in zip(names, ("wav", "wav", "mp3", "wav"), strict=True)] == [
        b"one",
        b"there",
        b"two",
        b"one",
    ]
    assert store.path(names[1], "wav").stat().st_ino == there.st_ino
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3


@pytest.mark.parametrize("step", ["write", "fdatasync", "replace"])
def test_a_blob_that_cannot_be_stored_leaves_nothing_behind_under_any_name(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)

    with pytest.raises(OSError, match="No space"):
        BlobStore(tmp_path).put_all([(b"one", "wav"), (b"two", "wav")])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_blob_has_its_name_before_its_bytes_are_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = os.fdatasync, os.replace

    def noted_sync(file: int) -> None:
        order.append(f"sync {os.fstat(file).st_ino}")
        sync(file)

    def noted_replace(old: str, new: str) -> None:
        order.append(f"name {Path(old).stat().st_ino}")
        replace(old, new)

    monkeypatch.setattr(os, "fdatasync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)

    BlobStore(tmp_path).put_all([(b"one", "wav"), (b"two", "wav")])

    assert len(order) == 4
    for inode in {entry.partition(" ")[2] for entry in order}:
        assert order.index(f"sync {inode}") < order.index(f"name {inode}")


def test_a_write_that_takes_only_a_part_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))

    name = BlobStore(tmp_path).put(b"0123456789", "wav")

    assert BlobStore(tmp_path).get(name, "wav") == b"0123456789"


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
