"""S8-25: names that try to leave the store of audio, and links that lie in it."""

import hashlib
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store.blobs import BlobStore

GOOD = "a" * 64
NAMES = [
    ("../../etc/passwd", "wav"), ("..", "wav"), (".", "wav"), ("", "wav"), ("/etc/passwd", "wav"), ("~root", "wav"),
    ("..\\..\\windows", "wav"), ("%2e%2e%2fetc", "wav"), ("%252e%252e%252f", "wav"), ("..;/", "wav"),
    ("\u2024\u2024/etc", "wav"), ("\uff0e\uff0e/etc", "wav"), ("\u2025/etc", "wav"), ("\uff0fetc\uff0fpasswd", "wav"),
    (GOOD + "\0", "wav"), ("\0" + GOOD[1:], "wav"), (GOOD + "\n", "wav"), (GOOD + "/", "wav"), (GOOD + "/..", "wav"),
    ("A" * 64, "wav"), ("a" * 63, "wav"), ("a" * 65, "wav"), ("g" * 64, "wav"), ("\u0430" * 64, "wav"),
    ("\uff11" * 64, "wav"), ("a" * 32 + "/" + "a" * 31, "wav"), ("file://" + GOOD, "wav"), (GOOD, "../wav"),
    (GOOD, "wav/../../x"), (GOOD, "wav\0"), (GOOD, ""), (GOOD, "."), (GOOD, "w*v"), (GOOD, "WAV"),
    (GOOD, "wav.toolong"),
]  # fmt: skip


@pytest.mark.parametrize(("sha256", "extension"), NAMES, ids=[ascii(name)[:60] for name in NAMES])
def test_no_name_leads_out_of_the_store(tmp_path: Path, sha256: str, extension: str) -> None:
    (tmp_path / "secret.wav").write_bytes(b"not for you")
    store = BlobStore(tmp_path / "audio")

    with pytest.raises(StoreError, match="does not name a blob"):
        store.get(sha256, extension)
    assert sha256 == GOOD or store.find(sha256) is None


def test_there_are_thirty_names_and_no_two_alike() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 30


@pytest.mark.parametrize("place", ["outside", "inside"])
def test_a_link_to_another_file_is_refused(tmp_path: Path, place: str) -> None:
    store = BlobStore(tmp_path / "audio")
    other = store.path(store.put(b"another voice", "wav"), "wav") if place == "inside" else tmp_path / "secret.wav"
    other.write_bytes(b"another voice")
    linked = store.path(hashlib.sha256(b"expected").hexdigest(), "wav")
    linked.parent.mkdir(parents=True, exist_ok=True)
    linked.symlink_to(other)

    with pytest.raises(StoreError, match="has changed"):
        store.get(linked.stem, "wav")
