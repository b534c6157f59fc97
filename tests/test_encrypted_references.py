"""Reference audio from its import to its purge: encrypted at rest, and open to whoever has the key."""

import hashlib
from pathlib import Path

import pytest

from harness.capturing.keys import open_keys
from harness.config import Settings
from harness.providers.reference import load_recording
from harness.speech import VoiceKind
from harness.store.blobs import BlobStore
from replay.obstacles import reference_problems
from replay.sources import read_captures
from tests.traffic import NOON_NS, a_wav, b64, gor, http_request
from tests.typed import type_capture

WAV = a_wav(4.0)
SHA256 = hashlib.sha256(WAV).hexdigest()


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """Two clones in one voice that somebody consented to."""
    body = {"language": "English", "ref_audio_base64": b64(WAV), "ref_text": "Hello.", "user": "anna"}
    (tmp_path / "t.gor").write_bytes(
        b"".join(
            gor(http_request(body | {"text": f"Hello {number}."}, path="/clone"), identity=f"{number}", at_ns=NOON_NS)
            for number in range(2)
        )
    )
    (tmp_path / "consents.toml").write_text(
        f'["{SHA256}"]\nscope = ["replay", "clone:qwen"]\nevidence = "contract 7"\n'
    )
    out = tmp_path / "data" / "captures.jsonl"
    type_capture(tmp_path, "import", tmp_path / "t.gor", "--out", out, "--consents", tmp_path / "consents.toml")
    return out


def stored(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*.wav")]


def test_an_import_leaves_no_plain_audio_anywhere(tmp_path: Path, captures: Path) -> None:
    (sealed,) = stored(tmp_path)

    assert sealed.startswith(b"CUTOVER1")
    assert WAV[1_000:1_032] not in sealed
    assert type_capture(tmp_path, "verify", captures).status == 0


async def test_a_replay_opens_it_with_the_keys_of_its_settings(tmp_path: Path, captures: Path) -> None:
    source = read_captures(captures, keys=open_keys(Settings(home=tmp_path)))
    clones = [capture for capture in source if capture.request.voice.kind is VoiceKind.CLONE]

    recording = await load_recording(source.references, clones[0].request.voice)

    assert len(clones) == 2
    assert getattr(recording, "data", None) == WAV
    assert await reference_problems(clones, source.references) == {}


def test_a_pick_takes_it_along_encrypted_and_a_purge_takes_it_away(tmp_path: Path, captures: Path) -> None:
    out = tmp_path / "picked" / "nightly.jsonl"

    type_capture(tmp_path, "pick", captures, "--out", out)
    assert [sealed[:8] for sealed in stored(out.parent)] == [b"CUTOVER1"]
    assert type_capture(tmp_path, "verify", out).status == 0
    type_capture(tmp_path, "purge", out, "--user", "anna", "--yes")

    assert stored(out.parent) == []
    assert len(stored(captures.parent)) == 1


def test_an_export_lets_it_out_only_when_told_to(tmp_path: Path, captures: Path) -> None:
    plain, with_audio = tmp_path / "a.har", tmp_path / "b.har"
    # Only a request that makes the voice carries its recording; one that speaks with it names the voice.
    captures.write_text(captures.read_text().replace('"operation":"generate"', '"operation":"clone"'))

    type_capture(tmp_path, "export", captures, "--format", "har", "--out", plain)
    type_capture(tmp_path, "export", captures, "--format", "har", "--out", with_audio, "--with-recordings")

    assert b64(WAV) not in plain.read_text()
    assert b64(WAV) in with_audio.read_text()


def test_without_the_key_it_stays_shut_and_the_message_says_which_key(tmp_path: Path, captures: Path) -> None:
    key = tmp_path / "keys" / "references.key"
    key.unlink()

    typed = type_capture(tmp_path, "verify", captures)

    assert typed.status == 2
    assert "references.key: the key is missing; put it back, or set CUTOVER_CAPTURE__REFERENCES_KEY" in typed.err


def test_plain_recordings_as_the_demo_ships_them_stay_readable(tmp_path: Path, captures: Path) -> None:
    (path,) = captures.parent.rglob("*.wav")
    path.unlink()
    BlobStore(captures.parent / "audio").put(WAV, "wav")
    (tmp_path / "keys" / "references.key").unlink()

    assert type_capture(tmp_path, "verify", captures).status == 0
