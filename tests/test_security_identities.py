"""S8-16: whoever holds captures, and not the key, cannot find out whose they are."""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.capturing.identities import MARK, Pseudonyms
from harness.capturing.keys import IDENTITY_KEY, open_keys
from harness.config import Settings
from replay.sources import read_captures
from tests.traffic import a_body, gor, http_request
from tests.typed import type_capture

NUMBER = "+49 30 901820"
DIGESTS: dict[str, Callable[[bytes], str]] = {
    "plain SHA-256": lambda guess: hashlib.sha256(guess).hexdigest(),
    "plain SHA-1": lambda guess: hashlib.sha1(guess).hexdigest(),
    "plain MD5": lambda guess: hashlib.md5(guess).hexdigest(),
    "BLAKE2": lambda guess: hashlib.blake2b(guess).hexdigest(),
    "HMAC without a key": lambda guess: hmac.new(b"", guess, hashlib.sha256).hexdigest(),
    "HMAC with zeros": lambda guess: hmac.new(bytes(32), guess, hashlib.sha256).hexdigest(),
}


def imported(folder: Path) -> tuple[Path, str]:
    """Where an import of one call went, and whose it says it is."""
    (folder / "t.gor").write_bytes(gor(http_request(a_body(user=NUMBER))))
    out = folder / "out" / "captures.jsonl"
    assert type_capture(folder, "import", folder / "t.gor", "--out", out, "--replace").status == 0
    (capture,) = read_captures(out)
    assert capture.user_key
    return out, capture.user_key


@pytest.mark.parametrize("digest", DIGESTS.values(), ids=DIGESTS.keys())
def test_a_dictionary_finds_nobody_without_the_key(tmp_path: Path, digest: Callable[[bytes], str]) -> None:
    _, name = imported(tmp_path)
    guesses = [f"+49 30 {number}" for number in range(901_800, 901_840)]

    spellings = [f"{kind}{guess}" for guess in guesses for kind in ("", "user", "user/", "user:", "user\0")]
    found = [guess for guess in spellings if name.removeprefix(MARK) in digest(guess.encode())]

    assert name.startswith(MARK)
    assert found == []
    key = open_keys(Settings(home=tmp_path)).key(IDENTITY_KEY)
    assert name in {Pseudonyms(key).of("user", guess) for guess in guesses}  # with the key the dictionary does work


def test_the_key_is_in_no_file_but_its_own(tmp_path: Path) -> None:
    imported(tmp_path)
    key = open_keys(Settings(home=tmp_path)).key(IDENTITY_KEY)

    holders = [
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in (key, key.hex().encode()))
    ]

    assert holders == ["keys/identity.key"]


def test_another_key_joins_nothing(tmp_path: Path) -> None:
    _, before = imported(tmp_path)
    (tmp_path / "keys" / "identity.key").unlink()

    _, after = imported(tmp_path)

    assert before != after
