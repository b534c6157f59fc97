import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis import extract_cli
from analysis.extraction import ExtractionReport, Unusable
from analysis.models.readings import ReadingReport, Reference
from analysis.models.scorers import Scorer
from analysis.pairwise import PairReport
from harness.cli import main
from harness.config import Settings
from harness.exchanges import Lane
from harness.store.runs import Run, audio_store
from tests.analysis.models.smallest import install_small_encoder
from tests.analysis.models.test_references import captured
from tests.analysis.sounds import a_file, an_utterance
from tests.analysis.test_extraction import a_run
from tests.analysis.test_pairwise import a_run as a_paired_run
from tests.analysis.test_pairwise import query


def cutover(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))
    return tmp_path


def test_the_latest_run_is_measured_and_the_next_command_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = audio_store(home)
    run = a_run(home, {"speech": store.put(a_file(an_utterance()), "wav"), "page": store.put(b"<html>", "wav")})

    status = cutover("extract", "--processes", "1")

    printed = capsys.readouterr()
    assert status == 0
    assert f"{run.id}: 2 different audios, 2 measured now" in printed.out
    assert "  bad_audio: the audio is an HTML page (6 bytes) (1x, for example " in printed.out
    assert f"Next: cutover verdict {run.id}" in printed.err
    assert "0 pairs, 0 compared now in " in printed.out
    assert "Measuring audio: 2 of 2" in printed.err


REPORT = ExtractionReport(
    run_id="r1",
    extractor_version="0123456789ab",
    audio=1_205,
    known=1_000,
    measured=203,
    lost=("audio/ff/ff.wav: the audio is missing from the store", "another"),
    outcomes={"ok": 1_200, "bad_audio": 3},
    unusable=(
        Unusable("a" * 64, "bad_audio", "the audio is an HTML page (9 bytes)"),
        Unusable("b" * 64, "bad_audio", "the audio is an HTML page (9 bytes)"),
        Unusable("c" * 64, "bad_audio", "the audio is AAC, which is not decoded here (9 bytes)"),
    ),
    sound_s=1_800.0,
    elapsed_s=3.25,
)


PAIRS = PairReport(
    run_id="r1",
    extractor_version="ba9876543210",
    pairs=2_010,
    known=1_000,
    compared=1_008,
    lost=2,
    outcomes={"ok": 2_000, "bad_audio": 8},
    elapsed_s=12.34,
)


@pytest.fixture
def reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """An extraction that took place; the settings it was asked with."""
    a_run(home, {})
    asked: list[Settings] = []

    def extract(run: Run, settings: Settings, progress: object) -> ExtractionReport:
        asked.append(settings)
        return REPORT

    monkeypatch.setattr(extract_cli.extraction, "extract", extract)
    monkeypatch.setattr(extract_cli.pairwise, "compare_pairs", lambda run, settings, progress: PAIRS)
    return asked


def test_what_failed_is_summed_up_by_reason(reported: list[Settings], capsys: pytest.CaptureFixture[str]) -> None:
    cutover("extract")

    assert capsys.readouterr().out.splitlines() == [
        "r1: 1,205 different audios, 203 measured now, 1,000 known before; 0.50 h of sound in 3.2 s "
        "(extractor 0123456789ab)",
        "  ok                 1,200",
        "  bad_audio              3",
        "  lost                   2",
        "  bad_audio: the audio is an HTML page (9 bytes) (2x, for example aaaaaaaaaaaa)",
        "  bad_audio: the audio is AAC, which is not decoded here (9 bytes) (1x, for example cccccccccccc)",
        "  lost: audio/ff/ff.wav: the audio is missing from the store",
        "2,010 pairs, 1,008 compared now, 1,000 known before, 2 lost: 2,000 ok, 8 bad_audio in 12.3 s "
        "(extractor ba9876543210)",
    ]


def test_machines_get_the_same_as_json(reported: list[Settings], capsys: pytest.CaptureFixture[str]) -> None:
    cutover("extract", "--json", "--processes", "3")

    printed = json.loads(capsys.readouterr().out)
    assert printed["outcomes"] == {"ok": 1_200, "bad_audio": 3}
    assert printed["pairs"]["compared"] == 1_008
    assert reported[0].replay.extract_processes == 3


READING = ReadingReport(
    scorer="similarity",
    engine="similarity",
    version="abcdef012345",
    sounds=1_205,
    known=1_000,
    outcomes={"ok": 1_203, "empty_audio": 1},
    unread=1,
    reason="audio/ff/ff.wav: the audio is missing from the store",
    elapsed_s=7.0,
)


@pytest.fixture
def read(reported: list[Settings], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Models that were asked: which, and with what recordings."""
    asked: list[tuple[str, object]] = []

    def read_sounds(run: Run, settings: Settings, scorer: Scorer, progress: object, *, references: object) -> object:
        asked.append((scorer.name, references))
        engine = "none" if scorer.name == "intelligibility" else scorer.name
        return replace(READING, scorer=scorer.name, engine=engine)

    monkeypatch.setattr(extract_cli, "read_sounds", read_sounds)
    return asked


def test_models_that_are_named_are_asked_and_summed_up(
    read: list[tuple[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    status = cutover("extract", "--models", "similarity,intelligibility")

    assert status == 0
    assert read == [("similarity", None), ("intelligibility", None)]
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "similarity: 1,205 sounds, 1,000 known before, 1 unread: 1,203 ok, 1 empty_audio in 7.0 s "
        "(similarity, version abcdef012345)",
        "  similarity: audio/ff/ff.wav: the audio is missing from the store",
        "intelligibility: nothing asked, CUTOVER_MODELS__TRANSCRIBER is none",
    ]


def test_recordings_are_taken_from_the_captures_that_are_named(read: list[tuple[str, object]], home: Path) -> None:
    path, sha256 = captured(home)

    cutover("extract", "--models", "similarity", "--captures", str(path))

    assert read == [("similarity", {"here": Reference(home / "audio", sha256, "flac")})]


def test_a_model_that_there_is_not_is_refused_before_anything_is_measured(
    reported: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    status = cutover("extract", "--models", "likeness")

    assert status == 2
    assert "likeness: no such model; there are similarity, " in capsys.readouterr().err
    assert reported == []


def test_a_real_model_scores_a_real_run_and_the_scores_are_in_its_database(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed: no small model can be made")
    install_small_encoder(home / "models")
    store = audio_store(home)
    names = [store.put(a_file(an_utterance(f0_hz=hz)), "wav") for hz in (110.0, 220.0)]
    run = a_paired_run(home, {"c1": {Lane.CONTROL: names[0], Lane.CANDIDATE: names[1], Lane.REPEAT: names[0]}})

    status = cutover("extract", "--processes", "1", "--models", "similarity")

    assert status == 0
    assert "similarity: 2 sounds, 0 known before, 0 unread: 2 ok in " in capsys.readouterr().out
    told = dict(query(run, "SELECT lane, CAST(more->'$.scores.similarity.to_control' AS DOUBLE) FROM pair_features"))
    assert told["repeat"] == pytest.approx(1.0)
    assert -1.0 <= told["candidate"] < 1.0
    cutover("extract", "--processes", "1", "--models", "similarity")
    assert "2 sounds, 2 known before" in capsys.readouterr().out


def test_a_model_that_is_not_installed_is_one_sentence_and_the_features_are_kept(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    run = a_run(home, {"speech": audio_store(home).put(a_file(an_utterance()), "wav")})

    status = cutover("extract", "--processes", "1", "--models", "background")

    assert status == 2
    assert "background has no weights here; `cutover models install background` gets them" in capsys.readouterr().err
    assert query(run, "SELECT outcome FROM features") == [("ok",)]


def test_a_run_that_does_not_exist_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = cutover("extract", "nonesuch")

    assert status == 2
    assert "nonesuch: no such run" in capsys.readouterr().err
