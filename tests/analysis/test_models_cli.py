import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from analysis import models_cli
from analysis.models import readiness
from analysis.models.catalogue import WEIGHTS, Weights
from analysis.models.scorers import SCORERS
from harness.cli import main
from tests.analysis.models.smallest import install_small


def cutover(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))
    monkeypatch.setattr(readiness, "is_there", lambda name: name == "onnxruntime")
    return tmp_path


def test_the_list_says_of_every_model_what_it_tells_cannot_hear_and_lacks(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_small(home / "models", "dnsmos", {"model_v8.onnx": b"one"})

    status = cutover("models", "list")

    printed = capsys.readouterr()
    assert status == 0
    assert "background: ready\n" in printed.out
    assert "similarity: not ready\n" in printed.out
    assert "lacks      similarity has no weights here; `cutover models install similarity` gets them" in printed.out
    assert "lacks      naturalness needs torch, which is not installed; `pip install" in printed.out
    assert all(spot in printed.out for scorer in SCORERS.values() for spot in scorer.blind_spots)
    assert printed.out.count("caution    ") == 1
    assert "caution    torch and torchaudio must be of one release" in printed.out.partition("naturalness:")[2]
    assert "1 of 4 ready. Next: cutover extract latest --models background" in printed.err


def test_with_none_ready_the_next_command_gets_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cutover("models", "list")

    assert "0 of 4 ready. Next: cutover models install similarity" in capsys.readouterr().err


def test_machines_get_the_table_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cutover("models", "list", "--json")

    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert set(rows) == set(SCORERS)
    assert rows["naturalness"]["is_advisory"]
    assert len(rows["intelligibility"]["lacks"]) == 4


def test_where_a_server_transcribes_no_weights_are_lacking(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTOVER_MODELS__TRANSCRIBER", "endpoint")
    monkeypatch.setattr(readiness, "is_there", lambda name: name in readiness.COUNTING)

    cutover("models", "list")

    assert "intelligibility: ready\n" in capsys.readouterr().out


def test_weights_are_installed_from_files_that_were_brought(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = home / "speechmos.whl"
    brought.write_bytes(b"a wheel")
    asked: list[Any] = []

    def install(models: Path, weights: Weights, *, wheels: list[Path]) -> Path:
        asked.append((weights.name, wheels))
        return install_small(models, weights.name, {"model_v8.onnx": b"one"})

    monkeypatch.setattr(models_cli, "install", install)

    status = cutover("models", "install", "background", "--from", str(brought))

    printed = capsys.readouterr()
    assert status == 0
    assert asked == [("dnsmos", [brought])]
    assert printed.out == f"background: model_v8.onnx in {home / 'models' / 'dnsmos'}\n"
    assert "Next: cutover models list" in printed.err


def test_a_whisper_folder_is_taken_by_its_hash(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = home / "own"
    own.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (own / name).write_bytes(b"{}")
    digest = hashlib.sha256(b"{}").hexdigest()

    refused = cutover("models", "install", "intelligibility", "--from", str(own))
    taken = cutover("models", "install", "intelligibility", "--from", str(own), "--sha256", digest)

    printed = capsys.readouterr()
    assert (refused, taken) == (4, 0)
    assert "nothing was installed. If it is the one you mean, name its hash: --sha256" in printed.err
    assert "Still missing: faster_whisper. Next: pip install 'voice-cutover[intelligibility]'" in printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["similarty"], "similarty: no such model", id="misspelt"),
        pytest.param(["similarity,background"], "name one model, of similarity", id="two at once"),
        pytest.param(["background", "--from", "gone.whl"], "gone.whl: no such file", id="a file that is not there"),
    ],
)
def test_wrong_use_is_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert cutover("models", "install", *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_model_that_comes_with_its_library_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cutover("models", "install", "naturalness") == 0
    assert "its weights come with its library: pip install 'voice-cutover[naturalness]'" in capsys.readouterr().out


def test_verify_finds_the_file_that_changed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = install_small(home / "models", "dnsmos", {"model_v8.onnx": b"one", "sig_bak_ovr.onnx": b"two"})

    whole = cutover("models", "verify")
    (folder / "model_v8.onnx").write_bytes(b"flipped")
    broken = cutover("models", "verify", "background")

    printed = capsys.readouterr()
    assert (whole, broken) == (0, 4)
    assert "dnsmos: 2 files as installed\n" in printed.out
    assert "ge2e: not installed\n" in printed.out
    assert "model_v8.onnx: has changed since it was installed" in printed.out
    assert "cutover: 1 of the models' files are not as they should be" in printed.err


def test_where_nothing_is_installed_the_next_step_is_to_install(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cutover("models", "verify") == 0

    assert capsys.readouterr().err.strip() == "Next: cutover models install similarity"


def test_verifying_a_model_by_name_that_is_not_installed_fails(home: Path) -> None:
    assert cutover("models", "verify", "similarity") == 4
    assert set(WEIGHTS) == {"ge2e", "dnsmos", "whisper"}
