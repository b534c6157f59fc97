from pathlib import Path

import pytest

from harness.config import PROJECT
from harness.errors import UsageError
from harness.security.allowances import ALLOWANCES
from harness.security.code_rules import PACKAGES, RULES, unneeded_allowances, violations, violations_in

# One thing that each rule is there for.
BAD = {
    "S8-03": "try:\n    f()\nexcept aiohttp.ClientError as error:\n    print(error)",
    "S8-05": "import requests",
    "S8-06": "session.get(url, allow_redirects=True)",
    "S8-07": "connect(ssl=False)",
    "S8-21": "eval(text)",
    "S8-22": "duckdb.connect(path)",
    "S8-24": "import streamlit as st\nst.html(words)",
}


def test_every_rule_has_its_example_here() -> None:
    assert set(BAD) == set(RULES)


@pytest.mark.parametrize("rule", BAD)
def test_a_bad_module_is_found_out_in_every_package(rule: str, tmp_path: Path) -> None:
    for package in PACKAGES:
        (tmp_path / package / "inner").mkdir(parents=True)
        (tmp_path / package / "inner" / "bad.py").write_text(BAD[rule])

    found = violations(tmp_path)

    assert {(each.rule, each.path) for each in found} == {(rule, f"{package}/inner/bad.py") for package in PACKAGES}
    assert all(each.line and each.message for each in found)


@pytest.mark.parametrize("allowed", ALLOWANCES, ids=lambda each: f"{each.rule} {each.path}")
def test_what_one_file_may_do_no_other_may(allowed: object) -> None:
    source = (PROJECT / allowed.path).read_text()  # type: ignore[attr-defined] # an Allowance

    elsewhere = [found for found in violations_in(source, "harness/elsewhere.py") if found.rule == allowed.rule]  # type: ignore[attr-defined]

    assert elsewhere
    assert [found for found in violations_in(source, allowed.path) if found.rule == allowed.rule] == []  # type: ignore[attr-defined]


def test_an_allowed_file_may_do_nothing_else(tmp_path: Path) -> None:
    source = "socket.socket()\naiohttp.ClientSession()"

    assert [found.line for found in violations_in(source, "harness/providers/addresses.py")] == [2]


def test_allowances_that_nothing_needs_are_told(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "a.py").write_text("x = 1")

    found = unneeded_allowances(tmp_path)

    assert len(found) == sum(len(each.expressions) for each in ALLOWANCES)


def test_a_module_that_is_no_python_is_told_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / "a.py").write_text("def")

    with pytest.raises(UsageError, match="replay/a.py: not Python"):
        violations(tmp_path)


def test_a_folder_without_our_packages_is_no_clean_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of the packages"):
        violations(tmp_path)
