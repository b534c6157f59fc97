import json
import stat
from pathlib import Path

import pytest

from harness.capture import capture_to_json
from harness.exchanges import Consent
from harness.speech import Operation, Reference, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_capture, a_request, a_voice
from tests.traffic import a_wav
from tests.typed import type_capture


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    path = tmp_path / "captures.jsonl"
    some = [a_capture("a"), a_capture("b", request=a_request("", operation=Operation.CLONE))]
    path.write_text("".join(f"{capture_to_json(capture)}\n" for capture in some))
    return path


@pytest.mark.parametrize(
    ("format_", "beginning", "advice"),
    [
        ("gor", b"1 ", "Next: gor --input-file"),
        ("har", b'{"log"', "Next: open"),
        ("vegeta", b'{"method"', "Next: vegeta attack"),
    ],
)
def test_captures_are_written_for_other_tools(
    tmp_path: Path, captures: Path, format_: str, beginning: bytes, advice: str
) -> None:
    typed = type_capture(tmp_path, "export", captures, "--format", format_, "--out", tmp_path / "out")

    assert (tmp_path / "out").read_bytes().startswith(beginning)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
    assert "1 requests, 1 clones left out for want of a recording that may go" in typed.out
    assert typed.err.startswith(advice)


def test_an_existing_file_is_not_replaced_unasked(tmp_path: Path, captures: Path) -> None:
    (tmp_path / "out").touch()

    words = ("export", captures, "--format", "har", "--out", tmp_path / "out")

    assert "is there already" in type_capture(tmp_path, *words).err
    assert type_capture(tmp_path, *words, "--replace").status == 0
    assert len(json.loads((tmp_path / "out").read_text())["log"]["entries"]) == 1


def test_an_export_that_fails_leaves_nothing(tmp_path: Path, captures: Path) -> None:
    typed = type_capture(
        tmp_path, "export", captures, "--format", "gor", "--out", tmp_path / "out", "--base-url", "nowhere"
    )

    assert typed.status == 2
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"captures.jsonl"}


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, captures: Path) -> None:
    typed = type_capture(tmp_path, "export", captures, "--format", "gor", "--out", tmp_path / "none" / "out")

    assert "cannot be written" in typed.err


def test_clones_that_lose_their_words_are_told(tmp_path: Path) -> None:
    sha256 = BlobStore(tmp_path / "audio").put(a_wav(), "wav")
    consent = Consent(scope=("replay",), region=None, expires_at=None, evidence="contract 7")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="Hi."))
    path = tmp_path / "captures.jsonl"
    with path.open("w") as file:
        for name, text in (("a", "Say this. " * 700), ("b", "Say this.")):
            request = a_request(text, operation=Operation.CLONE, voice=voice)
            file.write(capture_to_json(a_capture(name, request=request, consent=consent)) + "\n")

    typed = type_capture(tmp_path, "export", path, "--format", "har", "--out", tmp_path / "out", "--with-recordings")

    assert "2 requests, 0 clones left out" in typed.out
    assert "1 clones go without the words they were to say" in typed.out
