import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.flags.kill_switch import KILL_VARIABLE, KillSwitch
from tests.counted import calls_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live" / "KILL"


@pytest.mark.parametrize(
    ("value", "killed"),
    [
        pytest.param(None, False, id="unset"),
        pytest.param("", False, id="empty"),
        pytest.param("0", False, id="0"),
        pytest.param(" False ", False, id="false, untidily"),
        pytest.param("1", True, id="1"),
        pytest.param("true", True, id="true"),
        pytest.param("ture", True, id="a misspelling kills rather than not"),
        pytest.param("please", True, id="anything else"),
    ],
)
def test_the_variable_kills_unless_it_says_no(path: Path, value: str | None, killed: bool) -> None:
    environ = {} if value is None else {KILL_VARIABLE: value}

    assert (KillSwitch(path, environ=environ).reason() is not None) == killed


def test_a_file_kills_while_it_is_there(path: Path) -> None:
    switch = KillSwitch(path, environ={})
    path.parent.mkdir()

    before = switch.reason()
    path.touch()
    during = switch.reason()
    path.unlink()

    assert (before, during, switch.reason()) == (None, str(path), None)


@pytest.mark.parametrize("what", ["folder", "dangling link", "pipe"])
def test_whatever_stands_at_the_place_kills(path: Path, what: str) -> None:
    path.parent.mkdir()
    match what:
        case "folder":
            path.mkdir()
        case "dangling link":
            path.symlink_to("nowhere")
        case "pipe":
            os.mkfifo(path)

    assert KillSwitch(path, environ={}).reason() == str(path)


def test_a_place_that_cannot_be_looked_at_kills(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    assert "cannot be looked for" in (KillSwitch(loop / "KILL", environ={}).reason() or "")


def test_the_variable_is_read_at_every_question(path: Path) -> None:
    environ: dict[str, str] = {}
    switch = KillSwitch(path, environ=environ)

    before = switch.reason()
    environ[KILL_VARIABLE] = "1"

    assert (before, switch.reason()) == (None, KILL_VARIABLE)


def test_what_one_process_engages_every_other_sees_and_can_read_why(path: Path) -> None:
    KillSwitch(path, environ={}).engage(who="anna", why="voices crackle", at=NOON)

    assert KillSwitch(path, environ={}).reason() == str(path)
    assert path.read_text() == "2026-11-23T12:00:00+00:00 anna: voices crackle\n"


def test_engaging_twice_keeps_it_engaged_with_the_later_reason(path: Path) -> None:
    switch = KillSwitch(path, environ={})

    switch.engage(who="anna", why="a rather long first reason", at=NOON)
    switch.engage(who="ben", why="again", at=NOON)

    assert path.read_text().endswith("ben: again\n")


def test_lifting_says_whether_there_was_something_to_lift(path: Path) -> None:
    switch = KillSwitch(path, environ={})
    switch.engage(who="anna", why="drill", at=NOON)

    assert [switch.lift(), switch.lift()] == [True, False]
    assert switch.reason() is None


def test_what_cannot_be_made_or_removed_says_what_to_do_instead(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "KILL").mkdir()

    with pytest.raises(ConfigError, match=f"{KILL_VARIABLE}=1"):
        KillSwitch(tmp_path / "file" / "KILL", environ={}).engage(who="a", why="b", at=NOON)
    with pytest.raises(ConfigError, match="by hand"):
        KillSwitch(tmp_path / "KILL", environ={}).lift()


def test_asking_takes_one_look_and_few_steps(path: Path) -> None:
    path.parent.mkdir()
    switch = KillSwitch(path, environ=os.environ)

    assert calls_of(switch.reason) < 20
