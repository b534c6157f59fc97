import importlib.metadata
from pathlib import Path

import pytest

from harness.config import PROJECT
from harness.errors import ConfigError
from harness.security.lock import LOCK, read_lock
from harness.security.packages import FLOORS, installed_packages, known_bad, lock_differences, read_floors

HASH = "    --hash=sha256:" + "0a" * 32
FLOOR = (
    '[[floor]]\npackage = "Bad"\nbelow = "1.10"\nadvisory = "CVE-1-1"\nsource = "somewhere"\nlooked_at = 2026-11-23\n'
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / LOCK).write_text(f"a==1 \\\n{HASH}\nb==2 \\\n{HASH}\nwin==1 ; sys_platform == 'nowhere' \\\n{HASH}\n")
    (tmp_path / FLOORS).parent.mkdir(parents=True)
    (tmp_path / FLOORS).write_text(FLOOR)
    return tmp_path


def told(found: tuple[object, ...]) -> list[str]:
    return [str(each) for each in found]


def test_what_is_installed_as_locked_is_fine(root: Path) -> None:
    assert lock_differences(root, {"a": "1", "b": "2", "pip": "23"}) == ()


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        pytest.param({"a": "1", "b": "2.1"}, "b is 2.1, the lock says 2", id="another version"),
        pytest.param({"a": "1"}, "b is not installed, the lock says 2", id="missing"),
        pytest.param({"a": "1", "b": "2", "c": "3"}, "c 3 is installed and not in the lock", id="unexpected"),
        pytest.param({"a": "1", "b": "2", "win": "1"}, "win 1 is installed and not in the lock", id="of elsewhere"),
    ],
)
def test_what_is_installed_otherwise_is_told(root: Path, installed: dict[str, str], words: str) -> None:
    (found,) = lock_differences(root, installed)

    assert words in str(found)
    assert found.rule == "S8-30"


def test_a_pin_without_a_hash_is_told_with_its_line(root: Path) -> None:
    (root / LOCK).write_text(f"a==1\nb==2 \\\n{HASH}\n")

    assert told(lock_differences(root, {"a": "1", "b": "2"})) == [
        "requirements.lock:1: a 1 has no hash; `make lock` writes them (S8-30)"
    ]


@pytest.mark.parametrize(("version", "is_bad"), [("1.9", True), ("1.10rc1", True), ("1.10", False), ("2.0", False)])
def test_a_version_below_its_floor_is_bad(root: Path, version: str, is_bad: bool) -> None:
    found = told(known_bad(root, {"bad": version}))

    assert [f"bad {version} is older than 1.10 (CVE-1-1)" in each for each in found] == [True] * is_bad


def test_a_bad_version_pinned_for_another_platform_is_told_as_well(root: Path) -> None:
    with (root / LOCK).open("a") as lock:
        lock.write(f"bad==1.0 ; sys_platform == 'nowhere' \\\n{HASH}\n")

    assert told(known_bad(root, {}))[0].startswith("requirements.lock:7: bad 1.0 is older")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (FLOOR.replace('"1.10"', '"newest"'), "floor.0.below: .*newest"),
        (FLOOR.replace("looked_at = 2026-11-23\n", ""), "floor.0.looked_at: Field required"),
        ("floor = 3", "floor: "),
        ("[", "cannot be read"),
    ],
)
def test_floors_that_say_something_else_are_refused(root: Path, text: str, wrong: str) -> None:
    (root / FLOORS).write_text(text)

    with pytest.raises(ConfigError, match=wrong):
        known_bad(root, {})


def test_missing_floors_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bring it back from the repository"):
        read_floors(tmp_path)


def test_what_is_installed_here_is_listed_without_ourselves() -> None:
    found = installed_packages()

    assert found["aiohttp"] == importlib.metadata.version("aiohttp")
    assert "pydantic-core" in found
    assert "voice-cutover" not in found


def test_nothing_we_pin_is_known_to_be_bad() -> None:
    assert told(known_bad(PROJECT, {})) == []


def test_every_floor_is_about_something_we_pin() -> None:
    pinned = {pin.name for pin in read_lock(PROJECT)}

    assert [floor.package for floor in read_floors(PROJECT) if floor.package not in pinned] == []
