from pathlib import Path

import pytest
import zstandard

from analysis.models.readings import Reference
from analysis.models.references import references_of
from harness.capture import capture_to_json
from harness.errors import CaptureError
from harness.speech import Reference as Recording
from harness.speech import VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_capture, a_request, a_voice


def captured(folder: Path, name: str = "captures.jsonl") -> tuple[Path, str]:
    sha256 = BlobStore(folder / "audio").put(b"a recording", "flac")
    here = a_voice(VoiceKind.CLONE, reference=Recording(sha256=sha256, transcript="I am Anna."))
    gone = a_voice(VoiceKind.CLONE, reference=Recording(sha256="f" * 64, transcript="I am gone."))
    captures = [
        a_capture("preset"),
        a_capture("here", request=a_request(voice=here)),
        a_capture("gone", request=a_request(voice=gone)),
    ]
    data = "\n".join(["", "{no capture", *map(capture_to_json, captures)]).encode()
    path = folder / name
    path.write_bytes(zstandard.ZstdCompressor().compress(data) if name.endswith(".zst") else data)
    return path, sha256


@pytest.mark.parametrize("name", ["captures.jsonl", "captures.jsonl.zst"])
def test_recordings_are_found_beside_the_captures(tmp_path: Path, name: str) -> None:
    path, sha256 = captured(tmp_path, name)

    assert references_of(path) == {"here": Reference(tmp_path / "audio", sha256, "flac")}


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "captures.jsonl.zst"
    path.write_bytes(b"not compressed")

    with pytest.raises(CaptureError, match=r"captures\.jsonl\.zst: cannot be read"):
        references_of(path)
