"""S8-18: a recording nobody may use is not even read, whatever its consent lacks, and each refusal is on record."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.exchanges import Consent
from harness.speech import Operation, Reference, VoiceKind
from harness.store.blobs import BlobStore
from harness.store.journal import read_journal
from tests.builders import NOON, a_capture, a_request, a_voice
from tests.replay.test_runner import Bench

SHA256 = "b" * 64
LACKING = {
    "nothing was ever given": None,
    "not for replays": {"scope": ("clone:qwen",)},
    "not for Qwen": {"scope": ("replay",)},
    "another region": {"region": "cn-beijing"},
    "it is over": {"expires_at": NOON - timedelta(days=400)},
}


def a_consent(**changes: Any) -> Consent:
    whole = {"scope": ("replay", "clone:qwen"), "region": "ap-southeast-1", "expires_at": None, "evidence": None}
    return Consent(**{**whole, **changes})


@pytest.mark.parametrize("operation", [Operation.CLONE, Operation.GENERATE])
@pytest.mark.parametrize("lacks", LACKING.values(), ids=LACKING.keys())
async def test_a_refused_recording_is_never_read_and_its_refusal_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: Operation, lacks: dict[str, Any] | None
) -> None:
    read: list[object] = []
    monkeypatch.setattr(BlobStore, "get", lambda *found: read.append(found))
    monkeypatch.setattr(BlobStore, "find", lambda *found: read.append(found))
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=SHA256, transcript="Hello."))
    request = a_request("Hello.", operation=operation, voice=voice)
    bench = Bench(tmp_path, [a_capture(request=request, consent=None if lacks is None else a_consent(**lacks))])

    async with bench.replay() as replay:
        await replay.run()

    rows = [record["row"] for record in read_journal(tmp_path / "journal.jsonl").records if record["type"] == "result"]
    refused = [row for row in rows if row["provider"] == "qwen"]
    assert [(row["outcome"], row["provider_code"]) for row in refused] == [("unsupported", "no_consent")]
    assert all("consent" in row["detail"] for row in refused)
    assert read == []
    assert bench.qwen.sent.total() == 0
    assert bench.qwen.voices == []


async def test_with_all_of_it_the_same_request_is_sent(tmp_path: Path) -> None:
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=SHA256, transcript="Hello."))
    bench = Bench(tmp_path, [a_capture(request=a_request("Hello.", voice=voice), consent=a_consent())])

    async with bench.replay() as replay:
        await replay.run()

    assert bench.qwen.sent.total() == 1
