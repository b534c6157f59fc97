import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest

from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.errors import ConfigError, StoreError
from harness.store.blobs import BlobStore

AUDIO = b"RIFF1234WAVE" + bytes(range(256)) * 8
SHA256 = hashlib.sha256(AUDIO).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> EncryptedBlobStore:
    return EncryptedBlobStore(tmp_path / "audio", KeyRing(tmp_path / "keys"))


def sealed(store: EncryptedBlobStore) -> Path:
    store.put(AUDIO, "wav")
    path = store.find(SHA256)
    assert path is not None
    return path


def test_a_recording_is_stored_under_the_hash_of_its_audio_and_read_back(store: EncryptedBlobStore) -> None:
    assert store.put(AUDIO, "wav") == SHA256
    assert store.get(SHA256, "wav") == AUDIO


def test_nothing_of_the_audio_stands_in_the_file(store: EncryptedBlobStore) -> None:
    path = sealed(store)
    data = path.read_bytes()

    assert path == store.path(SHA256, "wav")
    assert AUDIO[:12] not in data
    assert AUDIO[100:116] not in data
    assert len(data) == len(AUDIO) + 28 + 16  # magic, key id, nonce; tag
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_file_has_a_nonce_of_its_own(store: EncryptedBlobStore) -> None:
    first = sealed(store).read_bytes()
    sealed(store).unlink()

    assert sealed(store).read_bytes()[16:28] != first[16:28]


def test_a_recording_that_is_there_is_left_alone(store: EncryptedBlobStore) -> None:
    before = sealed(store).read_bytes()

    assert sealed(store).read_bytes() == before


def test_a_plain_file_is_read_as_well_without_any_key(store: EncryptedBlobStore, tmp_path: Path) -> None:
    BlobStore(store.root).put(AUDIO, "wav")

    assert store.get(SHA256, "wav") == AUDIO
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("place", [0, 3, 10, 20, 40, -1])
def test_a_file_that_was_changed_anywhere_does_not_open(store: EncryptedBlobStore, place: int) -> None:
    path = sealed(store)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))

    with pytest.raises(StoreError, match="has changed since|with another key"):
        store.get(SHA256, "wav")


@pytest.mark.parametrize("size", [8, 16, 28, 40])
def test_a_file_that_was_cut_does_not_open(store: EncryptedBlobStore, size: int) -> None:
    path = sealed(store)
    os.truncate(path, size)

    with pytest.raises(StoreError):
        store.get(SHA256, "wav")


def test_a_file_under_the_name_of_another_does_not_open(store: EncryptedBlobStore) -> None:
    other = hashlib.sha256(b"other").hexdigest()
    target = store.path(other, "wav")
    target.parent.mkdir(parents=True)
    shutil.copy(sealed(store), target)

    with pytest.raises(StoreError, match="has changed since it was encrypted"):
        store.get(other, "wav")


def test_another_key_is_told_apart_from_damage(store: EncryptedBlobStore, tmp_path: Path) -> None:
    sealed(store)
    stranger = EncryptedBlobStore(store.root, KeyRing(tmp_path, given={"references": "11" * 32}))

    with pytest.raises(StoreError, match=r"is encrypted with another key \([0-9a-f]{16}\); put that one back"):
        stranger.get(SHA256, "wav")


def test_a_lost_key_is_not_replaced_by_a_new_one(store: EncryptedBlobStore, tmp_path: Path) -> None:
    sealed(store)

    with pytest.raises(ConfigError, match="the key is missing"):
        EncryptedBlobStore(store.root, KeyRing(tmp_path / "elsewhere")).get(SHA256, "wav")


def test_a_missing_recording_is_said(store: EncryptedBlobStore) -> None:
    assert store.find(SHA256) is None
    with pytest.raises(StoreError, match="the audio is missing from the store"):
        store.get(SHA256, "wav")


def test_a_name_that_could_leave_the_folder_is_refused(store: EncryptedBlobStore) -> None:
    with pytest.raises(StoreError, match="does not name a blob"):
        store.path("../" + "a" * 61, "wav")


def test_a_write_that_fails_leaves_nothing(store: EncryptedBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)

    with pytest.raises(OSError, match="No space"):
        store.put(AUDIO, "wav")
    assert [path for path in store.root.rglob("*") if path.is_file()] == []
