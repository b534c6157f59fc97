"""The rules of the house that no linter knows."""

import importlib
import re
import tomllib
from pathlib import Path

import click
import pytest

from harness.cli import COMMANDS
from tests.conftest import BETWEEN_SOCKETS, LONGEST

ROOT = Path(__file__).parents[1]
PACKAGES = ("harness", "replay", "analysis", "dashboard")
MODULES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_its_test_file_on_the_same_path(module: Path) -> None:
    assert (ROOT / "tests" / module.parent / f"test_{module.name}").is_file()


def test_every_test_file_has_its_module() -> None:
    orphans = [
        test
        for package in PACKAGES
        for test in (ROOT / "tests" / package).rglob("test_*.py")
        if not (ROOT / test.relative_to(ROOT / "tests").with_name(test.name.removeprefix("test_"))).is_file()
    ]

    assert orphans == []


@pytest.mark.parametrize("package", ["dashboard"])
def test_nothing_hides_a_package_when_streamlit_puts_its_folder_first(package: str) -> None:
    names = {path.stem for path in (ROOT / package).iterdir()}

    assert not names & {"pages", "analysis", "replay", "harness"}


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    assert not {path.stem for path in MODULES} & {"statistics", "types", "requests", "logging", "json"}


def _commands(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        return [entry for name, child in command.commands.items() for entry in _commands(child, (*path, name))]
    return [(path, command)]


def _all_commands() -> list[tuple[tuple[str, ...], click.Command]]:
    found = []
    for name, entry in COMMANDS.items():
        module, attribute = entry.target.split(":")
        found += _commands(getattr(importlib.import_module(module), attribute), (name,))
    return found


@pytest.mark.parametrize(
    ("path", "command"), _all_commands(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_help_and_an_example_of_itself(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help
    assert (command.epilog or "").startswith(f"Example: cutover {' '.join(path)}")


def test_the_lock_holds_a_hash_for_everything_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9_.\[\]-]+==", lock, re.MULTILINE | re.IGNORECASE)

    assert "://" not in lock
    assert "--index" not in lock
    assert len(re.findall(r"^[^ #\n].*\\\n    --hash=sha256:", lock, re.MULTILINE)) == len(pins) > 50


def test_every_direct_dependency_is_named_with_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    documented = (ROOT / "docs" / "dependencies.md").read_text()

    assert [name for name in (re.split(r"[><=;\[ ]", r)[0] for r in wanted) if f"| {name} |" not in documented] == []


def test_the_files_that_begin_first_exist() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []


def test_the_places_with_a_loop_of_virtual_time_exist() -> None:
    assert [name for name in BETWEEN_SOCKETS if not (ROOT / "tests" / name).exists()] == []
