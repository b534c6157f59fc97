"""Small git checkouts, for tests of what looks at one."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

__all__ = ["a_checkout", "commit"]

_WHO = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")


def a_checkout(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """A repository at `root` with one commit that holds these files."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, files, "begin")
    return root


def commit(root: Path, files: Mapping[str, str | bytes], message: str) -> None:
    """Write these files and commit everything."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git(root, "add", "--all")
    git(root, *_WHO, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)


def git(root: Path, *arguments: str) -> str:
    """What git says."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout
