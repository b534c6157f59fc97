from datetime import timedelta
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.gateway.expiry import expire_live_runs
from harness.gateway.live_run import LiveRun
from harness.store.journal import Journal, JournalFile
from harness.store.runs import Run, audio_store, list_runs
from tests.builders import NOON
from tests.replayed import a_replayed_run

LATER = NOON + timedelta(days=31)


def an_audio(home: Path, sound: bytes) -> str:
    return audio_store(home).put(sound, "wav")


def a_live_run(home: Path, *audios: str, kind: str = "shadow", age_days: float = 31.0) -> Run:
    """A run that began so many days before LATER and named these audios."""
    clock = FakeClock()
    clock.advance((LATER - clock.now()).total_seconds() - age_days * 86_400.0)
    run = LiveRun(home, kind=kind, plan={}, clock=clock)
    for number, audio in enumerate(audios):
        run.write({"type": "result", "leg": f"c{number}/0/candidate", "row": {"audio_sha256": audio}})
    run.close()
    return run.run


@pytest.mark.parametrize("kind", ["shadow", "canary"])
def test_an_old_live_run_goes_with_its_audio_and_a_young_one_stays(tmp_path: Path, kind: str) -> None:
    alone, shared = an_audio(tmp_path, b"alone"), an_audio(tmp_path, b"shared")
    old = a_live_run(tmp_path, alone, shared, kind=kind)
    young = a_live_run(tmp_path, shared, kind=kind, age_days=29.0)

    expired = expire_live_runs(tmp_path, keep_days=30, now=LATER)

    assert (expired.runs, expired.audios) == ([old.id], 1)
    assert list_runs(tmp_path) == [young]
    assert (audio_store(tmp_path).find(alone), audio_store(tmp_path).find(shared) is None) == (None, False)


def test_runs_of_other_kinds_stay_whatever_their_age(tmp_path: Path) -> None:
    replayed = a_replayed_run(tmp_path, run_id="20260101T000000Z-a", captures=2)

    assert expire_live_runs(tmp_path, keep_days=1, now=LATER).runs == []
    assert list_runs(tmp_path) == [replayed]


def test_a_run_that_is_being_written_stays(tmp_path: Path) -> None:
    run = a_live_run(tmp_path, an_audio(tmp_path, b"a"))

    with Journal(run.journal):
        assert expire_live_runs(tmp_path, keep_days=30, now=LATER).runs == []

    assert expire_live_runs(tmp_path, keep_days=30, now=LATER).runs == [run.id]


def test_a_run_whose_plan_is_damaged_is_left_for_a_person(tmp_path: Path) -> None:
    run = a_live_run(tmp_path)
    run.journal.write_bytes(b"x" + run.journal.read_bytes()[1:] + b"more\n")

    assert expire_live_runs(tmp_path, keep_days=30, now=LATER).runs == []


def test_no_audio_goes_while_a_journal_that_may_name_it_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    audio = an_audio(tmp_path, b"a")
    old, young = a_live_run(tmp_path, audio), a_live_run(tmp_path, audio, age_days=1.0)
    content = young.journal.read_bytes()
    place = len(content) - 20
    young.journal.write_bytes(content[:place] + b"X" + content[place + 1 :])

    expired = expire_live_runs(tmp_path, keep_days=30, now=LATER)

    assert (expired.runs, expired.audios) == ([old.id], 0)
    assert audio_store(tmp_path).find(audio) is not None
    assert "audio of old live runs not deleted" in caplog.text


def test_audio_that_somebody_has_taken_away_already_holds_up_nothing(tmp_path: Path) -> None:
    audio = an_audio(tmp_path, b"a")
    old = a_live_run(tmp_path, audio)
    found = audio_store(tmp_path).find(audio)
    assert found is not None
    found.unlink()

    assert expire_live_runs(tmp_path, keep_days=30, now=LATER).runs == [old.id]
    assert not old.path.exists()


def test_what_is_left_can_be_read_to_its_end(tmp_path: Path) -> None:
    a_live_run(tmp_path)
    young = a_live_run(tmp_path, age_days=1.0)

    expire_live_runs(tmp_path, keep_days=30, now=LATER)

    assert [record["type"] for record in JournalFile(young.journal)] == ["plan"]
