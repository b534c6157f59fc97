from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.security.checkout import AddedLine, history_lines, tracked_files
from tests.checkouts import a_checkout, commit, git


def test_tracked_and_new_files_are_listed_and_ignored_ones_are_not(tmp_path: Path) -> None:
    root = a_checkout(tmp_path, {".gitignore": "*.log\n", "a.py": "1\n", "gone.py": "1\n", "ä ö.txt": "x\n"})
    (root / "new.py").write_text("2\n")
    (root / "noise.log").write_text("3\n")
    (root / "gone.py").unlink()
    (root / "link").symlink_to("a.py")

    assert tracked_files(root) == [".gitignore", "a.py", "new.py", "ä ö.txt"]


def test_what_is_no_checkout_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a git checkout; .* run it in one"):
        tracked_files(tmp_path)


def test_every_added_line_of_every_branch_is_told_with_its_commit(tmp_path: Path) -> None:
    root = a_checkout(tmp_path, {"a.txt": "one\n"})
    git(root, "switch", "--quiet", "--create", "side")
    commit(root, {"b.txt": "two\n++ b/c\n"}, "second\n\nwith words")
    git(root, "switch", "--quiet", "main")
    commit(root, {"a.txt": "three\n"}, "third")
    side, main = git(root, "rev-parse", "side").strip(), git(root, "rev-parse", "main").strip()

    found = list(history_lines(root))

    assert AddedLine(side, "b.txt", "two") in found
    assert AddedLine(main, "a.txt", "three") in found
    assert "with words" in [each.text.strip() for each in found if each.path == "message" and each.commit == side]
    assert "one" in [each.text for each in found]  # replaced since, and still there for whoever has a copy


def test_what_a_merge_itself_brought_in_is_told(tmp_path: Path) -> None:
    root = a_checkout(tmp_path, {"a.txt": "one\n"})
    git(root, "switch", "--quiet", "--create", "side")
    commit(root, {"b.txt": "two\n"}, "side")
    git(root, "switch", "--quiet", "main")
    commit(root, {"c.txt": "three\n"}, "main")
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    git(root, *who, "merge", "--quiet", "--no-commit", "side")
    commit(root, {"evil.txt": "only in the merge\n"}, "merge")

    assert "only in the merge" in [each.text for each in history_lines(root)]


def test_a_history_that_was_cut_off_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    root = a_checkout(tmp_path / "whole", {"a.txt": "one\n"})
    commit(root, {"a.txt": "two\n"}, "second")
    git(tmp_path, "clone", "--quiet", "--depth=1", root.as_uri(), "cut")

    with pytest.raises(UsageError, match="git fetch --unshallow"):
        list(history_lines(tmp_path / "cut"))


def test_without_git_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="git is not installed"):
        tracked_files(tmp_path)
