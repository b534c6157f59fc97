import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.providers.voices import VoiceKey, VoiceRegistry
from tests.builders import NOON

KEY = VoiceKey(account="acme", region="ap-southeast-1", target_model="vc-1", source="a" * 64)


def test_a_voice_is_known_by_what_it_was_made_from_and_where(registry: VoiceRegistry) -> None:
    registry.add(KEY, "voice-1", made_at=NOON)

    assert registry.get(KEY) == "voice-1"
    for other in ("account", "region", "target_model", "source"):
        assert registry.get(replace(KEY, **{other: "another"})) is None


def test_the_voice_made_last_counts_and_the_others_are_still_remembered(registry: VoiceRegistry) -> None:
    registry.add(KEY, "voice-1", made_at=NOON)
    registry.add(KEY, "voice-2", made_at=NOON)

    assert registry.get(KEY) == "voice-2"
    assert registry.all() == {"voice-1": KEY, "voice-2": KEY}


def test_a_removed_voice_gives_way_to_the_one_before(registry: VoiceRegistry) -> None:
    registry.add(KEY, "voice-1", made_at=NOON)
    registry.add(KEY, "voice-2", made_at=NOON)

    registry.remove("voice-2", removed_at=NOON)
    registry.remove("never-made", removed_at=NOON)

    assert registry.get(KEY) == "voice-1"


def test_an_empty_registry_knows_nothing_and_makes_no_file(tmp_path: Path) -> None:
    registry = VoiceRegistry(tmp_path / "voices.jsonl")

    assert registry.get(KEY) is None
    assert not list(tmp_path.iterdir())


def test_voices_outlive_the_process_and_are_seen_by_another(tmp_path: Path) -> None:
    path = tmp_path / "new" / "voices.jsonl"
    one, other = VoiceRegistry(path), VoiceRegistry(path)
    assert other.get(KEY) is None

    one.add(KEY, "voice-1", made_at=NOON)
    assert other.get(KEY) == "voice-1"

    other.remove("voice-1", removed_at=NOON)
    assert one.get(KEY) is None


def test_half_a_line_costs_that_line_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "voices.jsonl"
    VoiceRegistry(path).add(KEY, "voice-1", made_at=NOON)
    with path.open("ab") as file:
        file.write(b'{"event": "made", "voice_id": "voi')

    registry = VoiceRegistry(path)
    before = registry.all()
    registry.add(KEY, "voice-2", made_at=NOON)

    assert list(before) == ["voice-1"]
    assert list(registry.all()) == ["voice-1", "voice-2"]
    assert list(VoiceRegistry(path).all()) == ["voice-1", "voice-2"]
    assert "damaged line" in caplog.text


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "voices.jsonl"

    VoiceRegistry(path).add(KEY, "voice-1", made_at=NOON)

    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("fallback_mode", [True, False, None])
def test_the_degraded_mode_is_remembered_across_processes(tmp_path: Path, fallback_mode: bool | None) -> None:
    VoiceRegistry(tmp_path / "v.jsonl").add(KEY, "v-1", made_at=NOON, fallback_mode=fallback_mode)

    again = VoiceRegistry(tmp_path / "v.jsonl")

    assert again.all() == {"v-1": KEY}
    assert again.fallback_mode("v-1") is fallback_mode
    again.remove("v-1", removed_at=NOON)
    assert again.fallback_mode("v-1") is None


def test_a_line_from_before_the_degraded_mode_was_kept_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text(json.dumps({"event": "made", "voice_id": "v-1", "at": NOON.isoformat(), **asdict(KEY)}) + "\n")

    registry = VoiceRegistry(path)

    assert registry.all() == {"v-1": KEY}
    assert registry.fallback_mode("v-1") is None


def test_a_voice_tells_when_it_was_made_and_then_when_it_last_spoke(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    VoiceRegistry(path).add(KEY, "v-1", made_at=NOON)
    made = VoiceRegistry(path).used_at("v-1")
    VoiceRegistry(path).note_use("v-1", used_at=NOON + timedelta(days=3))

    again = VoiceRegistry(path)

    assert made == NOON
    assert again.used_at("v-1") == NOON + timedelta(days=3)
    assert again.all() == {"v-1": KEY}


def test_a_use_is_noted_once_a_day(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    registry = VoiceRegistry(path)
    registry.add(KEY, "v-1", made_at=NOON)
    for hours in (1, 2, 25, 26):
        registry.all()
        registry.note_use("v-1", used_at=NOON + timedelta(hours=hours))

    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["made", "used"]
    assert VoiceRegistry(path).used_at("v-1") == NOON + timedelta(hours=25)


def test_a_voice_that_was_removed_or_never_made_was_never_used(tmp_path: Path) -> None:
    registry = VoiceRegistry(tmp_path / "v.jsonl")
    registry.add(KEY, "v-1", made_at=NOON)
    registry.remove("v-1", removed_at=NOON)
    registry.note_use("v-1", used_at=NOON)

    again = VoiceRegistry(tmp_path / "v.jsonl")

    assert (again.used_at("v-1"), again.used_at("v-2"), again.all()) == (None, None, {})


def test_speech_does_not_fail_when_its_voice_cannot_be_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = VoiceRegistry(tmp_path / "v.jsonl")
    registry.add(KEY, "v-1", made_at=NOON)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.open", full)

    registry.note_use("v-1", used_at=NOON + timedelta(days=1))

    assert registry.all() == {"v-1": KEY}
