import os
from datetime import timedelta
from pathlib import Path

from harness.nightly.night import Night, nights
from harness.nightly.retention import remove_old
from harness.store.journal import read_journal
from harness.store.runs import Run, audio_store, list_runs
from tests.builders import NOON
from tests.replayed import a_replayed_run


def a_night(home: Path, name: str, *, age_days: int, run: Run | None = None) -> None:
    Night(folder=home / "nights" / name, run=run.id if run else None, status=0).save()
    changed = (NOON - timedelta(days=age_days)).timestamp()
    os.utime(home / "nights" / name / "night.json", (changed, changed))


def a_run_with_audio(home: Path, run_id: str, captures: int) -> Run:
    run = a_replayed_run(home, run_id=run_id, captures=captures)
    for audio in audios(run):
        path = audio_store(home).path(audio, "wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return run


def audios(run: Run) -> set[str]:
    rows = [record["row"] for record in read_journal(run.journal).records if record["type"] == "result"]
    return {row["audio_sha256"] for row in rows}


def test_what_is_old_goes_and_audio_that_another_run_needs_stays(tmp_path: Path) -> None:
    old = a_run_with_audio(tmp_path, "20260801T000000Z-a", 8)
    young = a_run_with_audio(tmp_path, "20261120T000000Z-b", 4)  # the same sounds as half of the old ones
    a_night(tmp_path, "2026-08-01", age_days=100, run=old)
    a_night(tmp_path, "2026-11-20", age_days=3, run=young)
    shared, alone = audios(young), audios(old) - audios(young)

    removed = remove_old(tmp_path, nights(tmp_path), keep_days=90, now=NOON, keep=[])

    assert (removed.nights, removed.audios) == (["2026-08-01"], len(alone))
    assert [run.id for run in list_runs(tmp_path)] == [young.id]
    assert [night.name for night in nights(tmp_path)] == ["2026-11-20"]
    assert all(audio_store(tmp_path).find(audio) for audio in shared)
    assert not any(audio_store(tmp_path).find(audio) for audio in alone)


def test_evidence_in_force_stays_whatever_its_age(tmp_path: Path) -> None:
    old = a_run_with_audio(tmp_path, "20260801T000000Z-a", 4)
    a_night(tmp_path, "2026-08-01", age_days=100, run=old)

    assert remove_old(tmp_path, nights(tmp_path), keep_days=90, now=NOON, keep=[old.id]).nights == []


def test_runs_that_no_night_made_are_not_touched(tmp_path: Path) -> None:
    by_hand = a_run_with_audio(tmp_path, "20260101T000000Z-a", 4)
    a_night(tmp_path, "2026-08-01", age_days=100)

    removed = remove_old(tmp_path, nights(tmp_path), keep_days=90, now=NOON, keep=[])

    assert removed.nights == ["2026-08-01"]
    assert [run.id for run in list_runs(tmp_path)] == [by_hand.id]
    assert all(audio_store(tmp_path).find(audio) for audio in audios(by_hand))
