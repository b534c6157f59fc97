import json
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from harness.capture import capture_to_json
from harness.exchanges import Capture, Consent
from replay.sanitising.credential_scan import Leak, first_leak, scan
from tests.builders import a_capture, a_request, a_voice

KEY = "sk-0123456789abcdef0123456789abcdef"


def leak(capture: Capture) -> Leak | None:
    return first_leak(capture)


def test_a_clean_capture_passes_with_all_its_hashes() -> None:
    voice = a_voice(id="hmac:" + "0123456789abcdef" * 2)

    assert (
        leak(a_capture("0123456789abcdef01234567", request=a_request(voice=voice), user_key="hmac:" + "ab01" * 8))
        is None
    )


@pytest.mark.parametrize(
    ("capture", "field"),
    [
        pytest.param(a_capture(request=a_request(f"read {KEY}")), "text", id="text"),
        pytest.param(a_capture(request=a_request(f"read\n{KEY}")), "text", id="text behind a line break"),
        pytest.param(a_capture(request=a_request(instructions=KEY)), "instructions", id="instructions"),
        pytest.param(a_capture(request=a_request(voice=a_voice(id=KEY))), "voice.id", id="voice"),
        pytest.param(a_capture(user_key=KEY), "user_key", id="user"),
        pytest.param(a_capture(session=KEY), "session", id="session"),
        pytest.param(a_capture(segment=KEY), "segment", id="segment"),
        pytest.param(
            replace(a_capture(), consent=Consent(scope=("replay",), region=None, expires_at=None, evidence=KEY)),
            "consent.evidence",
            id="consent",
        ),
    ],
)
def test_a_credential_is_found_in_every_field(capture: Capture, field: str) -> None:
    assert leak(capture) == Leak(0, field, "a DashScope or OpenAI key")


def test_randomness_counts_in_words_only() -> None:
    random_word = "aB3dE5gH7jK9mN1pQ3sT"

    assert leak(a_capture(request=a_request(random_word))) == Leak(0, "text", "a word as random as a key")
    assert leak(a_capture(session=random_word)) is None


@pytest.mark.parametrize("name", ["captures.jsonl", "captures.jsonl.zst"])
def test_a_file_is_scanned_line_by_line_plain_or_packed(tmp_path: Path, name: str) -> None:
    lines = [
        capture_to_json(a_capture(str(number), request=a_request(text)))
        for number, text in enumerate(["a", KEY, "b", KEY])
    ]
    data = "\n".join(lines).encode()
    (tmp_path / name).write_bytes(zstandard.compress(data) if name.endswith(".zst") else data)

    assert [found.line for found in scan(tmp_path / name)] == [2, 4]


def test_the_scan_looks_at_what_is_in_the_file_and_not_at_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "captures.jsonl"
    path.write_text(json.dumps({"extra": {"deep": ["x", KEY]}}) + "\n")

    assert list(scan(path)) == [Leak(1, "extra.deep", "a DashScope or OpenAI key")]
