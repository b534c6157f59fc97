import json
from dataclasses import asdict, replace
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
