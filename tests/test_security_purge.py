"""S8-19: after a purge no byte of a person is left in any file, and the others are still there."""

import hashlib
from pathlib import Path

import pytest

from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from tests.canaries import contents
from tests.traffic import NOON_NS, a_wav, b64, gor, http_request
from tests.typed import type_capture

# Words that nothing else holds, in every field that can carry some; none is personal data that a mask would replace.
ANNA, OTTO = "zyxwanna", "zyxwotto"


def a_request_of(who: str, number: int, audio: bytes) -> bytes:
    body = {
        "text": f"The {who} says so.",
        "language": "English",
        "ref_audio_base64": b64(audio),
        "ref_text": f"I am the {who}.",
        "user": who,
    }
    return gor(http_request(body, path="/clone"), identity=f"{who}{number}", at_ns=NOON_NS + number)


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """Captures of two people, each with a voice of their own that they consented to, compressed."""
    voices = {ANNA: a_wav(4.0), OTTO: a_wav(5.0)}
    consents = [
        f'["{hashlib.sha256(voice).hexdigest()}"]\nscope = ["replay", "clone:qwen"]\nevidence = "contract of {who}"\n'
        for who, voice in voices.items()
    ]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "t.gor").write_bytes(
        b"".join(a_request_of(who, number, voice) for who, voice in voices.items() for number in range(3))
    )
    (outside / "consents.toml").write_text("\n".join(consents))
    out = tmp_path / "home" / "captures.jsonl.zst"
    type_capture(tmp_path / "home", "import", outside / "t.gor", "--out", out, "--consents", outside / "consents.toml")
    return out


def places_of(word: str, home: Path) -> list[str]:
    """Every file that holds the word, as it is, unpacked, or behind the key of recordings."""
    sealed = EncryptedBlobStore(home / "audio", KeyRing(home / "keys"))
    found = [name for name, data in contents(home) if word.encode() in data]
    voice = a_wav(4.0 if word == ANNA else 5.0)
    return found + [str(path) for path in [sealed.find(hashlib.sha256(voice).hexdigest())] if path]


def test_nothing_of_a_person_is_left_in_any_file_and_everything_of_the_other_is(tmp_path: Path, captures: Path) -> None:
    home = tmp_path / "home"
    before = places_of(OTTO, home)
    assert len(places_of(ANNA, home)) >= 2, "the search sees nothing"

    purged = type_capture(home, "purge", captures, "--user", ANNA, "--yes")

    assert purged.status == 0
    assert places_of(ANNA, home) == []
    assert places_of(OTTO, home) == before
    assert type_capture(home, "verify", captures).status == 0


def test_a_line_that_nobody_could_read_leaves_no_word_either(tmp_path: Path, captures: Path) -> None:
    home, plain = tmp_path / "home", tmp_path / "home" / "plain.jsonl"
    plain.write_text(f'{{"schema": 1, "text": "{ANNA}"\n')
    type_capture(home, "verify", plain)
    type_capture(home, "purge", captures, "--user", ANNA, "--yes")

    type_capture(home, "purge", plain, "--older-than", "1d", "--yes")

    assert places_of(ANNA, home) == []
