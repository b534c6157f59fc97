import ast
from pathlib import Path

import pytest

from harness.config import PROJECT
from harness.errors import ConfigError, UsageError
from harness.security.catalogue import load_catalogue
from harness.security.check import Profile, Severity
from harness.security.scans import SCANS
from tests.harness.security.a_gate import a_checkout

CATALOGUE = load_catalogue(PROJECT)
CHECKS = Path("data/security/checks.toml")


def test_all_thirty_four_are_there_in_order_and_eleven_are_critical() -> None:
    assert [check.id for check in CATALOGUE.checks] == [f"S8-{number:02}" for number in range(1, 35)]
    assert sum(check.severity is Severity.CRITICAL for check in CATALOGUE.checks) == 11


@pytest.mark.parametrize("check", CATALOGUE.checks, ids=lambda check: check.id)
def test_everything_that_a_check_names_is_there(check: object) -> None:
    nodes = check.nodes(Profile.RELEASE)  # type: ignore[attr-defined]  # it is a Check
    missing = [node for node in nodes if node not in _functions(node.partition("::")[0])]

    assert missing == []
    assert [name for name in check.scans if name not in SCANS] == []  # type: ignore[attr-defined]
    assert nodes or check.scans  # type: ignore[attr-defined]
    assert len(set(nodes)) == len(nodes)


def _functions(file: str) -> set[str]:
    path = PROJECT / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {f"{file}::{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_no_check_rests_on_the_long_forms_alone() -> None:
    assert [check.id for check in CATALOGUE.checks if not check.scans and not check.tests] == []


def test_checks_are_chosen_by_their_ids() -> None:
    assert [check.id for check in CATALOGUE.chosen(("S8-07", "S8-02"))] == ["S8-02", "S8-07"]
    assert len(CATALOGUE.chosen(())) == 34
    with pytest.raises(UsageError, match="--only S8-99: no such check"):
        CATALOGUE.chosen(("S8-99",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("schema = 2\n", "needs schema = 1"),
        ("schema = 1\n", r"at least one \[\[check\]\]"),
        ("schema = \n", "not valid TOML"),
        ('schema = 1\n[[check]]\nid = "S8-01"\n', "check 1: title: Missing|check 1: title: Field required|check 1"),
        (
            'schema = 1\n[[check]]\nid = "S8-01"\ntitle = "t"\nseverity = "grave"\nasserted = "a"\n',
            "check 1: severity: .*'critical', 'high'",
        ),
        (
            'schema = 1\n[[check]]\nid = "S8-01"\ntitle = "t"\nseverity = "high"\nasserted = "a"\ntest = []\n',
            "check 1: test is not known; valid are id",
        ),
    ],
)
def test_a_catalogue_that_is_not_right_is_refused_and_says_where(tmp_path: Path, text: str, told: str) -> None:
    root = a_checkout(tmp_path, **{str(CHECKS): text})

    with pytest.raises(ConfigError, match=f"checks.toml: .*({told})"):
        load_catalogue(root)


def test_an_installed_copy_has_no_catalogue_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="runs in a checkout"):
        load_catalogue(tmp_path)
