from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.capture import capture_to_json
from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.exchanges import Capture, Consent
from harness.speech import Reference, VoiceKind
from replay.sanitising.verifying import Verification, verify
from replay.sources import read_captures
from tests.builders import NOON, a_capture, a_request, a_voice
from tests.traffic import a_wav

CONSENT = Consent(scope=("replay",), region=None, expires_at=NOON, evidence="contract 7")


@pytest.fixture
def references(tmp_path: Path) -> EncryptedBlobStore:
    return EncryptedBlobStore(tmp_path / "audio", KeyRing(tmp_path / "keys"))


def a_clone(sha256: str, id: str = "c1", **changes: Any) -> Capture:  # noqa: A002 - the field's own name
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="Hi."))
    return replace(a_capture(id, request=a_request(voice=voice), consent=CONSENT), **changes)


def verified(folder: Path, references: EncryptedBlobStore, *lines: Capture | str, late_s: float = -1) -> Verification:
    path = folder / "captures.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else capture_to_json(line)}\n" for line in lines))
    return verify(read_captures(path, keys=KeyRing(folder / "keys")), now=NOON + timedelta(seconds=late_s))


def test_a_file_in_order_has_no_problems(tmp_path: Path, references: EncryptedBlobStore) -> None:
    found = verified(tmp_path, references, a_clone(references.put(a_wav(), "wav")), "", a_capture("c2"))

    assert found.problems == []
    assert (found.lines, found.good, found.quarantined, found.skipped) == (3, 2, 0, 1)
    assert (found.recordings, found.consent) == ({"intact": 1}, {"in force": 1})
    assert len(found.sha256) == 64


def test_a_bad_line_is_a_problem(tmp_path: Path, references: EncryptedBlobStore) -> None:
    found = verified(tmp_path, references, a_capture(), "no JSON")

    assert found.problems[0].startswith("1 lines are no captures; reasons in ")


def test_a_recording_that_may_be_replayed_must_be_there(tmp_path: Path, references: EncryptedBlobStore) -> None:
    found = verified(tmp_path, references, a_clone("a" * 64), a_clone("a" * 64, "c2"))

    assert found.recordings == {"missing": 1}
    assert found.problems == ["capture c1: its recording is not in the folder audio beside the file"]


def test_a_recording_nobody_consented_to_may_be_missing(tmp_path: Path, references: EncryptedBlobStore) -> None:
    found = verified(tmp_path, references, a_clone("a" * 64, consent=None))

    assert found.problems == []
    assert found.consent == {"the capture carries no consent for its reference recording": 1}


def test_a_damaged_recording_is_a_problem(tmp_path: Path, references: EncryptedBlobStore) -> None:
    sha256 = references.put(a_wav(), "wav")
    references.path(sha256, "wav").write_bytes(b"other")

    found = verified(tmp_path, references, a_clone(sha256))

    assert found.recordings == {"damaged": 1}
    assert "the audio has changed since it was stored" in found.problems[0]


def test_an_expired_consent_is_told_and_no_problem(tmp_path: Path, references: EncryptedBlobStore) -> None:
    found = verified(tmp_path, references, a_clone(references.put(a_wav(), "wav")), late_s=1)

    assert found.consent == {"consent expired on 2026-11-23": 1}
    assert found.problems == []


def test_a_credential_is_a_problem_and_not_shown(tmp_path: Path, references: EncryptedBlobStore) -> None:
    key = "sk-0123456789abcdef0123456789abcdef"

    found = verified(tmp_path, references, a_capture(request=a_request(key)))

    assert found.problems == ["capture c1: text holds a DashScope or OpenAI key; import anew without it"]
    assert key not in str(found.facts())
