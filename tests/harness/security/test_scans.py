from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.security import scans, secret_scan
from harness.security.code_rules import RULES
from harness.security.finding import Finding
from harness.security.scans import BILL, SCANS
from tests.harness.security.a_gate import a_checkout

RUFF = """
[tool.ruff.lint]
select = ["E"]
ignore = ["E501", "S311"]
[tool.ruff.lint.per-file-ignores]
"replay/**" = ["S"]
"""


def a_tree(tmp_path: Path, source: str, *, name: str = "harness/b.py") -> Path:
    packages = {f"{package}/__init__.py": "" for package in ("harness", "replay", "analysis", "dashboard")}
    return a_checkout(tmp_path, **packages, **{"pyproject.toml": RUFF, name: source})


def test_each_rule_about_code_is_a_scan_of_its_own() -> None:
    assert {f"code {rule}" for rule in RULES} <= set(SCANS)


def test_a_scan_of_code_tells_its_own_rule_and_no_other(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "import duckdb\nimport pickle\n\nduckdb.connect('x')\npickle.loads(b'')\n")

    found = {rule: SCANS[f"code {rule}"](root, tmp_path) for rule in RULES}

    assert {rule for rule, findings in found.items() if findings} == {"S8-21", "S8-22"}
    assert all(finding.rule == rule for rule, findings in found.items() for finding in findings)


def test_code_that_was_changed_is_looked_at_again(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "import pickle\n\npickle.loads(b'')\n")
    before = SCANS["code S8-21"](root, tmp_path)

    (root / "harness" / "b.py").write_text("")

    assert (len(before) > 0, SCANS["code S8-21"](root, tmp_path)) == (True, ())


def test_ruffs_rules_are_asked_whatever_the_project_selects_and_its_own_excuses_kept(tmp_path: Path) -> None:
    source = "import random\nimport subprocess\n\nrandom.random()\nsubprocess.run('ls', shell=True)\n"

    (finding,) = [
        each for each in SCANS["rules of bandit"](a_tree(tmp_path, source), tmp_path) if "S602" in each.message
    ]
    excused = SCANS["rules of bandit"](a_tree(tmp_path / "other", source, name="replay/b.py"), tmp_path)

    assert (finding.path, finding.line) == ("harness/b.py", 5)
    assert excused == ()


def test_secrets_are_looked_for_in_the_tree_and_in_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leak = Finding(rule="S8-01", path="a", line=1, message="m")
    monkeypatch.setattr(secret_scan, "leaked_secrets", lambda root: (leak,))
    monkeypatch.setattr(secret_scan, "leaked_in_history", lambda root: ())

    assert [SCANS[f"secrets in the {place}"](tmp_path, tmp_path) for place in ("tree", "history")] == [(leak,), ()]


def test_the_bill_of_materials_is_written_and_held_against_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(scans.sbom, "write_sbom", lambda path, root: seen.append(path))
    monkeypatch.setattr(scans.sbom, "sbom_differences", lambda path: (seen.append(path), ())[1])

    assert SCANS["bill of materials"](tmp_path, tmp_path) == ()
    assert seen == [tmp_path / BILL] * 2


@pytest.mark.parametrize("name", ["secrets in the tree", "secrets in the history", "inventory", "licences"])
def test_what_cannot_be_looked_at_says_so_instead_of_finding_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(HarnessError):
        SCANS[name](tmp_path / "nothing", tmp_path)
