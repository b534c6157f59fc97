import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.security.selection import pytest_addoption, pytest_collection_modifyitems


class Hook:
    def __init__(self) -> None:
        self.left_out: list[Any] = []

    def pytest_deselected(self, items: list[Any]) -> None:
        self.left_out += items


def test_only_what_the_list_names_is_kept_with_all_its_parameters(tmp_path: Path) -> None:
    (tmp_path / "tests.json").write_text(json.dumps(["t.py::test_a", "t.py::test_gone"]))
    items = [
        SimpleNamespace(nodeid=node)
        for node in ("t.py::test_a[1]", "t.py::test_a[x[2]]", "t.py::test_ab", "u.py::test_a")
    ]
    hook = Hook()
    config = SimpleNamespace(getoption=lambda _: str(tmp_path / "tests.json"), hook=hook)

    pytest_collection_modifyitems(config, items)

    assert [item.nodeid for item in items] == ["t.py::test_a[1]", "t.py::test_a[x[2]]"]
    assert [item.nodeid for item in hook.left_out] == ["t.py::test_ab", "u.py::test_a"]


def test_the_option_is_told_to_pytest() -> None:
    added: list[str] = []

    pytest_addoption(SimpleNamespace(addoption=lambda name, **_: added.append(name)))

    assert added == ["--gate-tests"]
