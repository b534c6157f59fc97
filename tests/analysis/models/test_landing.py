import json
from pathlib import Path
from typing import Any

import pytest

from analysis.models import landing
from analysis.models.landing import land
from analysis.models.voiceprint import packed
from harness.exchanges import Lane
from harness.store.journal import Journal, read_journal
from harness.store.runs import Run, audio_store
from harness.store.verify import problems
from tests.analysis.test_pairwise import a_run, numbered, query

pytest.importorskip("jiwer", reason="jiwer is not installed")
CONTROL, CANDIDATE, REFERENCE = numbered(1), numbered(2), numbered(5)


def a_measured_run(home: Path) -> Run:
    run = a_run(home, {"c1": {Lane.CONTROL: CONTROL, Lane.CANDIDATE: CANDIDATE, Lane.REPEAT: CONTROL}})
    with Journal(run.features) as journal:
        for sha256 in (CONTROL, CANDIDATE):
            row = {"audio_sha256": sha256, "extractor_version": "e1", "outcome": "ok", "more": {"rms_db": -20.0}}
            journal.append({"type": "feature", **row})
    with Journal(run.pair_features) as journal:
        for lane, other in (("candidate", CANDIDATE), ("repeat", CONTROL)):
            place = {"run_id": run.id, "capture_id": "c1", "repetition": 0, "lane": lane}
            told = {"extractor_version": "p1", "control_sha256": CONTROL, "other_sha256": other, "outcome": "ok"}
            journal.append({"type": "pair_feature", **place, **told, "more": {"steps": 9}})
    return run


def say(run: Run, scorer: str, sha256: str, *, version: str = "v1", engine: str | None = None, **value: Any) -> None:
    with Journal(run.readings) as journal:
        marks = {"scorer": scorer, "engine": engine or scorer, "version": version}
        row = {"type": "reading", **marks, "audio_sha256": sha256, "asked": "en", "outcome": "ok"}
        journal.append({**row, **value})


def refer(run: Run) -> None:
    with Journal(run.readings) as journal:
        journal.append({"type": "reference", "capture_id": "c1", "audio_sha256": REFERENCE})


def scores(run: Run, lane: str = "candidate") -> dict[str, Any]:
    ((more,),) = query(run, f"SELECT more FROM pair_features WHERE lane = '{lane}'")
    found: dict[str, Any] = json.loads(more)
    assert found["steps"] == 9  # what was there stays
    return found.get("scores", {})


def test_likeness_of_voices_lands_beside_the_pair(tmp_path: Path) -> None:
    run = a_measured_run(tmp_path)
    for sha256, voice in ((CONTROL, [1.0, 0.0]), (CANDIDATE, [0.6, 0.8]), (REFERENCE, [0.0, 1.0])):
        say(run, "similarity", sha256, embedding=packed(voice))
    refer(run)

    land(run)

    assert scores(run)["similarity"] == {
        "version": "v1",
        "to_control": pytest.approx(0.6),
        "to_reference": pytest.approx(0.8),
        "control_to_reference": pytest.approx(0.0),
    }
    assert scores(run, "repeat")["similarity"]["to_control"] == pytest.approx(1.0)


def test_errors_of_both_sides_land_with_their_difference(tmp_path: Path) -> None:
    run = a_measured_run(tmp_path)
    say(run, "intelligibility", CONTROL, engine="whisper", text="good morning", language="en")
    say(run, "intelligibility", CANDIDATE, engine="whisper", text="good evening", language="en")

    land(run)

    found = scores(run)["intelligibility"]
    assert len(found.pop("counted_by")) == 12
    assert found == {
        "engine": "whisper",
        "version": "v1",
        "unit": "wer",
        "control": 0.0,
        "other": 0.5,
        "difference": 0.5,
    }
    ((more,),) = query(run, f"SELECT more FROM features WHERE audio_sha256 = '{CANDIDATE}'")
    assert json.loads(more)["scores"]["transcript"] == {
        "engine": "whisper",
        "version": "v1",
        "outcome": "ok",
        "text": "good evening",
        "language": "en",
    }


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"version": "v2", "engine": "whisper"}, id="another version"),
        pytest.param({"version": "v1", "engine": "endpoint"}, id="another engine"),
        pytest.param({"version": "v1", "engine": "whisper", "outcome": "empty_audio"}, id="one side without speech"),
    ],
)
def test_readings_that_do_not_belong_together_are_never_compared(tmp_path: Path, other: dict[str, Any]) -> None:
    run = a_measured_run(tmp_path)
    say(run, "intelligibility", CONTROL, engine="whisper", text="good morning")
    say(run, "intelligibility", CANDIDATE, text="good morning", **other)

    land(run)

    assert "intelligibility" not in scores(run)


def test_opinions_land_beside_the_features_of_their_sound(tmp_path: Path) -> None:
    run = a_measured_run(tmp_path)
    say(run, "background", CONTROL, overall=3.1, background=4.0)

    land(run)

    ((more,),) = query(run, f"SELECT more FROM features WHERE audio_sha256 = '{CONTROL}'")
    told = {"engine": "background", "version": "v1", "outcome": "ok", "overall": 3.1, "background": 4.0}
    assert json.loads(more) == {"rms_db": -20.0, "scores": {"background": told}}


def test_landing_twice_writes_nothing_twice_and_the_run_is_whole(tmp_path: Path) -> None:
    run = a_measured_run(tmp_path)
    say(run, "background", CONTROL, overall=3.1)

    first, again = land(run), land(run)

    assert (first, again) == (1, 0)
    assert len(read_journal(run.features).records) == 3
    assert [problem for problem in problems(run, audio_store(tmp_path)) if str(run.database) in problem] == []


def test_a_run_that_no_model_read_is_left_alone(tmp_path: Path) -> None:
    assert land(a_measured_run(tmp_path)) == 0


def test_a_voice_stays_out_of_the_database(tmp_path: Path) -> None:
    run = a_measured_run(tmp_path)
    for sha256 in (CONTROL, CANDIDATE):
        say(run, "similarity", sha256, embedding=packed([0.123, 0.456]))

    land(run)

    assert packed([0.123, 0.456]).encode() not in run.database.read_bytes()
    assert "embedding" not in json.dumps(query(run, "SELECT more FROM features"))


def test_without_what_counts_errors_the_scores_of_before_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_measured_run(tmp_path)
    for sha256 in (CONTROL, CANDIDATE):
        say(run, "intelligibility", sha256, engine="whisper", text="good morning")
    land(run)
    monkeypatch.setattr(landing, "_can_count", lambda: False)

    land(run)

    assert scores(run)["intelligibility"]["difference"] == 0.0
