import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))


def status(*arguments: str) -> object:
    with pytest.raises(SystemExit) as exit_:
        main(["callers", *arguments])
    return exit_.value.code


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert status("list", "--json") == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["keys"]
    return rows


def test_a_key_is_shown_once_and_listed_without_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert status("add", "app") == 0
    key = capsys.readouterr().out.strip()

    assert status("list") == 0
    said = capsys.readouterr()
    assert "app" in said.out
    assert key not in said.out + said.err
    assert not any(key.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_revoked_key_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("add", "app", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert status("add", "web") == 0
    capsys.readouterr()

    assert status("revoke", made["id"]) == 0
    capsys.readouterr()

    assert [row["caller"] for row in listed(capsys)] == ["web"]


def test_a_misspelt_key_id_says_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("revoke", "k-none") == 2

    assert "callers list" in capsys.readouterr().err


def test_nobody_may_call_before_the_first_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys) == []
