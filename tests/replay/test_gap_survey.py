import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.capture import capture_to_json
from harness.clock import FakeClock
from harness.config import ModalSettings, QwenSettings, Settings
from harness.errors import UsageError
from harness.exchanges import Capture, Consent
from harness.providers.enrolment import voice_key
from harness.providers.voices import VoiceRegistry
from harness.speech import Reference, VoiceKind
from harness.store.blobs import BlobStore
from replay.cli import replay
from replay.gap_survey import survey
from replay.gaps import GapReport
from replay.pacing import AsRecorded
from tests.builders import NOON, a_capture, a_request, a_voice
from tests.harness.providers.stubs import a_wav, connections

CONSENT = Consent(scope=("replay", "clone:qwen"), region=None, expires_at=None, evidence=None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    qwen = QwenSettings(base_url="http://127.0.0.1:9", allow_voice_creation=False)
    return Settings(home=tmp_path / "home", qwen=qwen, modal=ModalSettings())


def written(folder: Path, *captures: Capture) -> Path:
    path = folder / "captures.jsonl"
    path.write_text("\n".join(capture_to_json(capture) for capture in captures))
    return path


async def surveyed(settings: Settings, path: Path, **changes: Any) -> GapReport:
    options = {"limit": None, "seed": 1, "pacing": AsRecorded(), "pace": "recorded", "clock": FakeClock(NOON)}
    return await survey(settings, path, **(options | changes))


def spoken_by(name: str, sha256: str) -> Capture:
    voice = a_voice(VoiceKind.CLONE, id=name, reference=Reference(sha256=sha256, transcript="I am here."))
    return a_capture(f"by {name}", request=a_request(voice=voice), consent=CONSENT)


async def test_every_reason_why_a_request_would_not_go_through_is_found_without_a_key_or_a_socket(
    settings: Settings, tmp_path: Path
) -> None:
    references = BlobStore(tmp_path / "audio")
    good, poor = references.put(a_wav(3.0), "wav"), references.put(a_wav(3.0, rate_hz=16_000), "wav")
    path = written(
        tmp_path,
        a_capture("fine"),
        a_capture("long", request=a_request("x" * 601)),
        a_capture("foreign", request=a_request("Hej.", language="sv")),
        a_capture("mp3", request=a_request(response_format="mp3")),
        a_capture("unknown", request=a_request(voice=a_voice(id="Uncle_Fu"))),
        a_capture(
            "told how",
            request=a_request(instructions="whisper", voice=a_voice(VoiceKind.DESIGN)),
            consent=CONSENT,
        ),
        spoken_by("anna", good),
        spoken_by("bert", poor),
    )

    with connections() as opened:
        report = await surveyed(settings, path)

    assert opened == []
    assert (report.captures, report.blocked, report.set_aside) == (7, 5, 1)
    assert {(gap.code, gap.blocks, gap.captures) for gap in report.gaps} == {
        ("text_too_long", True, 1),
        ("format", False, 1),
        ("preset", True, 1),
        ("instructions", True, 1),
        ("voice_not_migrated", True, 3),
        ("reference_rate", True, 1),
    }
    assert (report.references, report.migratable_references) == (2, 1)


async def test_a_voice_that_was_made_in_this_account_and_region_before_is_migrated(
    settings: Settings, tmp_path: Path
) -> None:
    sha256 = BlobStore(tmp_path / "audio").put(a_wav(3.0), "wav")
    capture = spoken_by("anna", sha256)
    registry = VoiceRegistry(settings.home / "voices.jsonl")
    key = voice_key(capture.request.voice, settings.qwen, account="127.0.0.1:9")
    assert key is not None
    registry.add(key, "qwen-tts-vc-1", made_at=NOON)
    path = written(tmp_path, capture)

    here = await surveyed(settings, path)
    beijing = settings.qwen.model_copy(update={"region": "cn-beijing"})
    elsewhere = await surveyed(settings.model_copy(update={"qwen": beijing}), path)

    assert (here.blocked, elsewhere.blocked) == (0, 1)


async def test_a_file_without_captures_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"captures\.jsonl: holds no capture"):
        await surveyed(settings, written(tmp_path))


def test_the_command_tells_people_and_machines_and_opens_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path / "home"))
    path = written(tmp_path, a_capture("fine"), a_capture("long", request=a_request("x" * 601)))

    with connections() as opened:
        told = CliRunner().invoke(replay, [str(path), "--plan", "--pace", "recorded:2"])
        machine = CliRunner().invoke(replay, [str(path), "--plan", "--json"])

    assert opened == []
    assert "1 of 2 captures (50.0%) cannot be done as they are." in told.output
    assert "At pace recorded:2 the peak is 1 calls a minute" in told.output
    report = json.loads(machine.stdout)
    assert (report["blocked"], report["bills"]["modal"]["fully_loaded_usd"]) == (1, None)
    assert not (tmp_path / "home" / "runs").exists()
