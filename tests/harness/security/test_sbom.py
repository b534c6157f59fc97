import json
from pathlib import Path
from typing import Any

import pytest

from harness.config import PROJECT
from harness.errors import HarnessError, UsageError
from harness.security import sbom
from harness.security.sbom import sbom_differences, write_sbom


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bill") / "deep" / "sbom.cdx.json"
    write_sbom(path, PROJECT)
    return path


def test_the_bill_names_everything_that_is_installed_in_its_version(bill: Path) -> None:
    document = json.loads(bill.read_text())

    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "voice-cutover"
    assert len(document["components"]) > 100
    assert sbom_differences(bill) == ()


def test_the_bill_holds_no_time_and_no_place_of_this_machine(bill: Path) -> None:
    text = bill.read_text()

    assert "timestamp" not in json.loads(text)["metadata"]
    assert "serialNumber" not in json.loads(text)
    assert str(PROJECT) not in text


def a_bill(folder: Path, *components: dict[str, Any]) -> Path:
    path = folder / "sbom.cdx.json"
    path.write_text(json.dumps({"components": components}))
    return path


def test_differences_are_told_in_both_directions(tmp_path: Path) -> None:
    path = a_bill(tmp_path, {"name": "A_b", "version": "1"}, {"name": "gone", "version": "2"})

    found = sbom_differences(path, {"a-b": "1.1", "new": "3"})

    assert [each.message for each in found] == [
        "a-b is 1.1, the bill says 1",
        "gone is None, the bill says 2",
        "new is 3, the bill says None",
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"components": [{"version": "1"}]}'])
def test_a_file_that_is_no_bill_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)

    with pytest.raises(UsageError, match="no bill of materials"):
        sbom_differences(tmp_path / "x.json")


def test_without_the_tool_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "_TOOL", "no_such_tool")

    with pytest.raises(UsageError, match="cyclonedx-bom is not installed.*make setup"):
        write_sbom(tmp_path / "x.json", PROJECT)


def test_a_tool_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="could not write it"):
        write_sbom(tmp_path / "x.json", tmp_path)  # where no pyproject.toml is


def test_a_tool_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "_PATIENCE_S", 0.01)

    with pytest.raises(HarnessError, match="took longer than"):
        write_sbom(tmp_path / "x.json", PROJECT)
