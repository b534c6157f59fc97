import subprocess
from pathlib import Path

import pytest

from harness.security.provenance import code_sha256, provenance_of
from tests.harness.security.a_gate import a_checkout


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgSign=false"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = a_checkout(tmp_path, **{"requirements.lock": "a==1\n"})
    git(root, "init")
    git(root, "add", "--all")
    git(root, "commit", "--message", "first")
    return root


def test_a_commit_is_clean_until_something_differs(checkout: Path) -> None:
    clean = provenance_of(checkout)
    (checkout / "Makefile").write_text("test:\n\tfalse\n")
    dirty = provenance_of(checkout)

    assert (len(clean.commit or ""), clean.dirty, dirty.dirty) == (40, False, True)
    assert clean.commit == dirty.commit
    assert clean.code_sha256 == dirty.code_sha256


@pytest.mark.parametrize("change", ["edited", "renamed", "added", "removed"])
def test_the_hash_of_the_code_changes_with_any_module(checkout: Path, change: str) -> None:
    before, module = code_sha256(checkout), checkout / "harness" / "a.py"
    if change == "edited":
        module.write_text('"""Another module."""\n')
    elif change == "renamed":
        module.rename(module.with_name("b.py"))
    elif change == "added":
        (checkout / "replay").mkdir()
        (checkout / "replay" / "b.py").touch()
    else:
        module.unlink()

    assert code_sha256(checkout) != before


def test_the_lock_is_known_by_its_hash_and_may_be_missing(checkout: Path) -> None:
    with_lock = provenance_of(checkout).lock_sha256
    (checkout / "requirements.lock").unlink()

    assert len(with_lock or "") == 64
    assert provenance_of(checkout).lock_sha256 is None


def test_an_installed_copy_has_no_commit_and_is_neither_clean_nor_dirty(tmp_path: Path) -> None:
    provenance = provenance_of(a_checkout(tmp_path))

    assert (provenance.commit, provenance.dirty) == (None, None)
    assert provenance.code_sha256
