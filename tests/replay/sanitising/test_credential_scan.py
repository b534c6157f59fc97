import json
from pathlib import Path

import pytest
import zstandard

from harness.capture import capture_to_json
from replay.sanitising.credential_scan import LineLeak, scan
from tests.builders import a_capture, a_request

KEY = "sk-0123456789abcdef0123456789abcdef"


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

    assert list(scan(path)) == [LineLeak(1, "extra.deep", "a DashScope or OpenAI key")]
