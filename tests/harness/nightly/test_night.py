from pathlib import Path

import pytest

from harness.errors import StoreError, UsageError
from harness.nightly.night import Night, locked, nights


def test_a_night_goes_on_with_what_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "nights" / "2026-11-23"
    Night(folder=folder, picked=True, run="run-1", judged=["run-1"]).save()

    night = Night.at(folder)

    assert (night.name, night.picked, night.run, night.judged, night.status) == (
        "2026-11-23", True, "run-1", ["run-1"], None,
    )  # fmt: skip


def test_a_night_that_was_never_begun_has_nothing_done(tmp_path: Path) -> None:
    assert Night.at(tmp_path / "nights" / "2026-11-23") == Night(folder=tmp_path / "nights" / "2026-11-23")
    assert nights(tmp_path) == []


def test_nights_come_oldest_first(tmp_path: Path) -> None:
    for name in ("2026-11-24", "2026-11-22", "2026-11-23"):
        Night(folder=tmp_path / "nights" / name).save()

    assert [night.name for night in nights(tmp_path)] == ["2026-11-22", "2026-11-23", "2026-11-24"]


@pytest.mark.parametrize("text", ["", "{", '{"no_such_field": 1}'])
def test_a_damaged_record_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "night.json").write_text(text)

    with pytest.raises(StoreError, match="damaged; delete the folder"):
        Night.at(tmp_path)


def test_the_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(UsageError, match="another night is under way"), locked(tmp_path):
        pass

    with locked(tmp_path):
        pass
