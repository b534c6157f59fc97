import json
from pathlib import Path

import click
import pytest

from harness.capture import capture_to_json
from replay.capture_cli import capture
from tests.builders import a_capture, a_request
from tests.typed import type_capture


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    path = tmp_path / "captures.jsonl"
    path.write_text("".join(f"{capture_to_json(a_capture(id, request=a_request(f'Secret {id}')))}\n" for id in "ab"))  # noqa: A001
    return path


def test_the_group_holds_all_commands_of_captures() -> None:
    assert set(capture.commands) == {"import", "show", "verify", "pick", "export", "purge"}
    assert all(isinstance(command, click.Command) and command.help for command in capture.commands.values())


def test_show_tells_numbers_and_no_words(tmp_path: Path, captures: Path) -> None:
    shown = type_capture(tmp_path, "show", captures)

    assert shown.out.startswith("2 captures, 16 billed characters")
    assert "Secret" not in shown.out
    assert "Next: cutover capture pick" in shown.err
    assert type_capture(tmp_path, "show", captures, "--json").json["captures"] == 2


def test_one_capture_is_shown_whole_when_it_is_asked_for(tmp_path: Path, captures: Path) -> None:
    assert json.loads(type_capture(tmp_path, "show", captures, "--id", "b").out)["text"] == "Secret b"


def test_a_capture_that_is_not_there_is_said(tmp_path: Path, captures: Path) -> None:
    typed = type_capture(tmp_path, "show", captures, "--id", "c")

    assert (typed.status, typed.err) == (2, f"{captures}: holds no capture c")


def test_bad_lines_are_told(tmp_path: Path, captures: Path) -> None:
    captures.write_text(captures.read_text() + "no JSON\n")

    assert "1 lines are no captures; reasons in" in type_capture(tmp_path, "show", captures).err
