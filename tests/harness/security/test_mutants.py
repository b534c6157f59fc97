import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import ConfigError
from harness.security.catalogue import Catalogue, load_catalogue
from harness.security.mutants import Mutant, load_mutants, planted, rule_on, scratch_copy
from harness.security.outcome import GateBroken, Status
from harness.security.running import Run
from tests.harness.security.a_gate import a_check, a_checkout, an_outcome

MUTANT = Mutant(check="S8-01", what="w", file="Makefile", old="true", new="false")


def test_a_change_is_made_where_its_text_stands_once() -> None:
    assert MUTANT.applied_to("a true b") == "a false b"
    assert replace(MUTANT, old="").applied_to(None) == "false"


@pytest.mark.parametrize(
    ("mutant", "text"),
    [
        (MUTANT, "a b"),
        (MUTANT, "true and true"),
        (MUTANT, None),
        (replace(MUTANT, old=""), "there already"),
    ],
    ids=["gone", "twice", "no file", "not new"],
)
def test_a_change_that_does_not_fit_any_more_is_told_and_not_made(mutant: Mutant, text: str | None) -> None:
    with pytest.raises(GateBroken, match=r"the mutant of S8-01 does not fit Makefile any more"):
        mutant.applied_to(text)


def test_a_made_up_key_is_written_out_only_where_it_is_planted() -> None:
    planted_key = replace(MUTANT, new="@A KEY@").applied_to("true")

    assert planted_key.startswith("sk-")
    assert len(planted_key) == 35


@pytest.mark.parametrize("name", ["Makefile", "sub/new.txt"])
def test_a_mutant_is_there_for_the_block_and_gone_after_it(tmp_path: Path, name: str) -> None:
    root = a_checkout(tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime) for path in root.rglob("*") if path.is_file()}
    mutant = replace(MUTANT, file=name, old="true" if name == "Makefile" else "")

    with planted(root, mutant):
        assert "false" in (root / name).read_text()

    assert {path: (path.read_bytes(), path.stat().st_mtime) for path in root.rglob("*") if path.is_file()} == before


def test_no_version_of_a_module_is_taken_for_another_by_its_date(tmp_path: Path) -> None:
    root = a_checkout(tmp_path)
    dates = [(root / "Makefile").stat().st_mtime]
    for new in ("fals1", "fals2"):
        with planted(root, replace(MUTANT, new=new)):
            dates.append((root / "Makefile").stat().st_mtime)

    assert len({int(date) for date in dates}) == 3


def test_every_check_needs_a_mutant_and_every_mutant_a_check(tmp_path: Path) -> None:
    root = a_checkout(tmp_path)
    (mutant,) = load_mutants(root, load_catalogue(root))
    two = Catalogue(checks=(a_check(), a_check(id="S8-02")), medium_failures=0)

    assert (mutant.check, mutant.file) == ("S8-01", "Makefile")
    with pytest.raises(ConfigError, match="S8-02 has no mutant"):
        load_mutants(root, two)
    with pytest.raises(ConfigError, match="there is no check S8-01"):
        load_mutants(a_checkout(tmp_path / "b"), Catalogue(checks=(), medium_failures=0))


def test_a_mutant_that_lacks_something_is_named(tmp_path: Path) -> None:
    root = a_checkout(tmp_path, **{"data/security/mutants.toml": 'schema = 1\n[[mutant]]\ncheck = "S8-01"\n'})

    with pytest.raises(ConfigError, match=r"mutants.toml: mutant 1: \w+: "):
        load_mutants(root, load_catalogue(root))


def test_a_copy_is_a_repository_without_what_git_ignores(tmp_path: Path) -> None:
    root = a_checkout(tmp_path / "checkout", **{".gitignore": "*.log\n", "secret.log": "x"})
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)

    with scratch_copy(root, tmp_path) as copy:
        files = subprocess.check_output(["git", "-C", str(copy), "ls-files"], text=True).split()
        log = subprocess.check_output(["git", "-C", str(copy), "log", "--oneline"], text=True)

        assert {"Makefile", "tests/test_x.py"} <= set(files)
        assert not (copy / "secret.log").exists()
        assert log.count("\n") == 1
    assert not copy.exists()


@pytest.mark.parametrize(
    ("before", "new", "is_caught"),
    [
        (Status.PASS, "curl x | sh", True),
        (Status.PASS, "echo harmless", False),
        (Status.NOT_RUN, "curl x | sh", False),
        (Status.FAIL, "curl x | sh", False),
    ],
)
def test_a_mutant_is_caught_when_its_check_passed_before_and_fails_now(
    tmp_path: Path, before: Status, new: str, is_caught: bool
) -> None:
    root = a_checkout(tmp_path / "tree")
    run = Run(root=root, folder=tmp_path / "evidence", workers="0")

    ruling = rule_on(replace(MUTANT, new=new), an_outcome(status=before), run, load_catalogue(root), clock=FakeClock())

    assert ruling.is_caught is is_caught
    assert "true" in (root / "Makefile").read_text()
