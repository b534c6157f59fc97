import json
from pathlib import Path

import pytest

from analysis import extract_cli
from analysis.extraction import ExtractionReport, Unusable
from analysis.pairwise import PairReport
from harness.cli import main
from harness.config import Settings
from harness.store.runs import Run, audio_store
from tests.analysis.sounds import a_file, an_utterance
from tests.analysis.test_extraction import a_run


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


def test_a_run_that_does_not_exist_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = cutover("extract", "nonesuch")

    assert status == 2
    assert "nonesuch: no such run" in capsys.readouterr().err
