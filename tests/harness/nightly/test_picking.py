import hashlib
from pathlib import Path

import pytest

from harness.capture import capture_to_json
from harness.config import Settings
from harness.errors import StoreError, UsageError
from harness.nightly.night import Night
from harness.nightly.picking import pick, runs_before, seed_of
from harness.store.runs import Run
from replay.sources import read_captures
from tests.builders import a_capture
from tests.replayed import a_replayed_run

RULES = b"schema = 1\n"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "thresholds.toml").write_bytes(RULES)
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))  # for the commands that a night runs
    return Settings(home=tmp_path, thresholds=tmp_path / "thresholds.toml")


def a_night(home: Path, name: str, *judged: Run, rules: bytes = RULES, status: int | None = 3) -> Night:
    """A night that was judged together with those runs."""
    digest = hashlib.sha256(rules).hexdigest()
    night = Night(folder=home / "nights" / name, rules_sha256=digest, judged=[run.id for run in judged], status=status)
    night.save()
    return night


def some_captures(home: Path, *runs: Run, fresh: int = 0) -> Path:
    """A file of the four captures of each run and some that nobody has replayed."""
    path = home / "captures.jsonl"
    ids = [f"{run.id}-{number}" for run in runs for number in range(4)] + [f"fresh-{number}" for number in range(fresh)]
    path.write_text("".join(f"{capture_to_json(a_capture(name))}\n" for name in ids))
    return path


def picked(night: Night, settings: Settings, captures: Path, limit: int) -> set[str]:
    assert pick(night, settings, captures, limit) == 0
    return {capture.id for capture in read_captures(night.captures)}


def test_only_captures_that_no_night_of_the_epoch_has_seen_are_chosen(tmp_path: Path, settings: Settings) -> None:
    runs = [a_replayed_run(tmp_path, run_id=f"2026112{day}T120000Z-a", captures=4) for day in (1, 2)]
    a_night(tmp_path, "1", runs[0])
    a_night(tmp_path, "2", *runs)
    tonight = Night.at(tmp_path / "nights" / "3")

    found = picked(tonight, settings, some_captures(tmp_path, *runs, fresh=3), limit=5)

    assert found == {"fresh-0", "fresh-1", "fresh-2"}
    assert Night.at(tonight.folder).picked


def test_when_nothing_new_is_left_the_night_runs_all_the_same_and_says_what_it_is_worth(
    tmp_path: Path, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    run = a_replayed_run(tmp_path, captures=4)
    a_night(tmp_path, "1", run)

    found = picked(Night.at(tmp_path / "nights" / "2"), settings, some_captures(tmp_path, run), limit=3)

    assert len(found) == 3
    assert "was answered in this epoch, so tonight adds no evidence" in capfd.readouterr().err


def test_one_capture_is_found_whatever_share_the_night_would_look_at(tmp_path: Path, settings: Settings) -> None:
    captures = some_captures(tmp_path, fresh=40)
    nights = [Night.at(tmp_path / "nights" / name) for name in ("1", "5", "9")]

    found = [picked(night, settings, captures, limit=1) for night in nights]

    assert [len(each) for each in found] == [1, 1, 1]
    assert len(set.union(*found)) > 1  # another share every night


@pytest.mark.parametrize(
    ("how", "left_out"),
    [
        pytest.param({}, True, id="judged by the same limits"),
        pytest.param({"rules": b"schema = 1 # changed"}, False, id="judged by others"),
        pytest.param({"status": None}, False, id="not judged yet"),
    ],
)
def test_only_runs_that_tonight_will_be_judged_with_are_left_out(
    tmp_path: Path, settings: Settings, how: dict[str, object], left_out: bool
) -> None:
    run = a_replayed_run(tmp_path, captures=1)
    gone = Run(tmp_path / "runs" / "20261101T120000Z-gone")
    a_night(tmp_path, "1", gone, run, **how)  # type: ignore[arg-type] # of a night

    assert runs_before(Night.at(tmp_path / "nights" / "2"), settings) == ([run] if left_out else [])


def test_a_night_that_goes_on_is_not_before_itself(tmp_path: Path, settings: Settings) -> None:
    night = a_night(tmp_path, "1", a_replayed_run(tmp_path, captures=1))

    assert runs_before(night, settings) == []


def test_what_was_picked_stays_picked(tmp_path: Path, settings: Settings) -> None:
    night = Night(folder=tmp_path / "nights" / "1", picked=True)

    assert pick(night, settings, None, None) == 0
    assert not night.captures.exists()


def test_a_run_that_cannot_be_read_is_named_with_the_remedy(tmp_path: Path, settings: Settings) -> None:
    run = a_replayed_run(tmp_path, captures=1)
    a_night(tmp_path, "1", run)
    run.database.chmod(0o644)
    run.database.write_bytes(b"no database")

    with pytest.raises(StoreError, match=f"{run.id}.*cutover runs seal"):
        pick(Night.at(tmp_path / "nights" / "2"), settings, some_captures(tmp_path, fresh=2), 1)


def test_without_a_file_nothing_can_be_chosen(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match="nothing to choose from"):
        pick(Night.at(tmp_path / "nights" / "1"), settings, None, None)


def test_every_night_has_a_seed_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    one, other = (Night(folder=tmp_path / name) for name in ("2026-11-22", "2026-11-23"))

    assert seed_of(one) == seed_of(Night(folder=tmp_path / "2026-11-22")) != seed_of(other)
