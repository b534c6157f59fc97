"""What git knows of a checkout: its files, and every line that was ever added to them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from harness.errors import UsageError

__all__ = ["AddedLine", "history_lines", "tracked_files"]

# Whatever a person has configured, the output is the one that is read here.
_GIT: Final = ("-c", "core.quotePath=false", "-c", "diff.noprefix=false", "-c", "log.showSignature=false")
# -m: what came in with a merge itself is in no other commit.
_LOG: Final = ("log", "--all", "-p", "-m", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-notes")


class AddedLine(NamedTuple):
    """A line that a commit added to a file, or said in its message."""

    commit: str
    path: str  # "message" for a line of the commit's message
    text: str


def tracked_files(root: Path) -> list[str]:
    """The files below `root` that are tracked, or new and not ignored, by their names from there; no links.

    Raises:
        UsageError: `root` is no git checkout.
    """
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").decode(errors="surrogateescape")
    names = sorted(set(filter(None, listed.split("\0"))))
    return [name for name in names if (root / name).is_file() and not (root / name).is_symlink()]


def history_lines(root: Path) -> Iterator[AddedLine]:
    """Every line that any commit added, as git tells them, without holding them all.

    Raises:
        UsageError: `root` is no git checkout, or only the newest commits were cloned.
    """
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise UsageError(f"{root}: only its newest commits were cloned; get the others with: git fetch --unshallow")
    with subprocess.Popen(_command(root, *_LOG), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own words
        assert process.stdout is not None  # noqa: S101 - it is a pipe, for the type checker
        yield from _added(line.decode("latin-1") for line in process.stdout)
    if process.returncode:
        raise UsageError(f"{root}: git could not tell its history (status {process.returncode}); see: git fsck")


def _added(lines: Iterator[str]) -> Iterator[AddedLine]:
    commit, path = "", "message"
    for line in lines:
        if line.startswith("commit "):
            commit, path = line.split()[1], "message"
        elif line.startswith("+++ b/"):
            path = line[6:].rstrip("\n")
        elif line.startswith(("+", "    ")):  # a message is indented by four
            yield AddedLine(commit, path, line[1:].rstrip("\n"))


def _git(root: Path, *arguments: str) -> bytes:
    done = subprocess.run(_command(root, *arguments), capture_output=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise UsageError(f"{root}: not a git checkout; the gate judges what is committed, so run it in one")
    return done.stdout


def _command(root: Path, *arguments: str) -> list[str]:
    git = shutil.which("git")
    if git is None:
        raise UsageError("git is not installed; the gate reads the files and the history of a checkout by it")
    return [git, "-C", str(root), *_GIT, *arguments]
