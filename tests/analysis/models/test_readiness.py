from pathlib import Path

import pytest

from analysis.models import readiness
from analysis.models.readiness import missing_libraries, obstacles, version_here
from analysis.models.scorers import SCORERS
from harness.errors import UsageError
from tests.analysis.models.smallest import install_small

BACKGROUND = SCORERS["background"]


@pytest.fixture
def _all_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "is_there", lambda name: True)


def test_a_library_that_is_missing_is_named_with_the_extra_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "is_there", lambda name: name != "jiwer")

    assert missing_libraries(SCORERS["intelligibility"]) == ["jiwer"]
    assert missing_libraries(SCORERS["intelligibility"], remote=True) == ["jiwer"]
    assert "pip install 'voice-cutover[intelligibility]'" in obstacles(SCORERS["intelligibility"], tmp_path)[0]


@pytest.mark.usefixtures("_all_libraries")
def test_weights_that_are_missing_are_named_with_the_command_that_gets_them(tmp_path: Path) -> None:
    (sentence,) = obstacles(BACKGROUND, tmp_path)

    assert sentence == "background has no weights here; `cutover models install background` gets them"
    with pytest.raises(UsageError, match="background has no weights here"):
        version_here(BACKGROUND, tmp_path)


@pytest.mark.usefixtures("_all_libraries")
def test_weights_that_changed_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    folder = install_small(tmp_path, "dnsmos", {"model_v8.onnx": b"one", "sig_bak_ovr.onnx": b"two"})
    before = version_here(BACKGROUND, tmp_path)
    (folder / "model_v8.onnx").write_bytes(b"other")

    assert len(before) == 12
    assert obstacles(BACKGROUND, tmp_path, deep=False) == []  # a look does not hash
    with pytest.raises(UsageError, match="has changed since it was installed"):
        version_here(BACKGROUND, tmp_path)


@pytest.mark.usefixtures("_all_libraries")
def test_other_weights_are_another_version(tmp_path: Path) -> None:
    install_small(tmp_path, "dnsmos", {"model_v8.onnx": b"one"})
    before = version_here(BACKGROUND, tmp_path)
    install_small(tmp_path, "dnsmos", {"model_v8.onnx": b"another"})

    assert version_here(BACKGROUND, tmp_path) != before


@pytest.mark.usefixtures("_all_libraries")
def test_a_server_needs_no_weights_here(tmp_path: Path) -> None:
    assert obstacles(SCORERS["intelligibility"], tmp_path, remote=True) == []
