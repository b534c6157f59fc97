"""The gate's test of itself: a known-bad change for each check, which that check must not let pass.

A green gate is worth what its checks would catch. Each mutant is a small declared patch; one that does not apply
exactly any more ends the self-test with its name, since a mutant that changes nothing proves nothing.
"""

import hashlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from harness.clock import Clock
from harness.errors import ConfigError
from harness.security.catalogue import Catalogue, read_table
from harness.security.checkout import tracked_files
from harness.security.outcome import GateBroken, Outcome, Status
from harness.security.running import Run, run_parts

__all__ = ["MUTANTS", "Mutant", "Ruling", "load_mutants", "planted", "rule_on", "scratch_copy"]

MUTANTS: Final = Path("data/security/mutants.toml")  # from the root of a checkout
# Stands for a made-up key in a mutant's text: written out, the file itself would be a leak.
_KEY_MARK: Final = "@A KEY@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change that the check of this id must catch."""

    check: str
    what: str  # what goes wrong, in a person's words
    file: str  # from the root of the checkout
    new: str
    old: str = ""  # stands there exactly once; empty: the file is a new one

    def applied_to(self, text: str | None) -> str:
        """The file's text with the change.

        Raises:
            GateBroken: What it replaces is not there exactly once, or a file that was to be new is there.
        """
        new = self.new.replace(_KEY_MARK, _made_up_key(self.check))
        if not self.old and text is None:
            return new
        if text is None or not self.old or text.count(self.old) != 1:
            raise GateBroken(f"{MUTANTS}: the mutant of {self.check} does not fit {self.file} any more; write it anew")
        return text.replace(self.old, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a check made of its mutant."""

    mutant: Mutant
    before: Outcome  # without the mutant: unless it passes, failing proves nothing
    after: Outcome

    @property
    def is_caught(self) -> bool:
        """Whether the check passed before and failed with the mutant."""
        return self.before.status is Status.PASS and self.after.status is Status.FAIL


def load_mutants(root: Path, catalogue: Catalogue) -> tuple[Mutant, ...]:
    """The mutants of the checkout at `root`, in the order of their checks.

    Raises:
        ConfigError: The file cannot be used, or a check has no mutant.
    """
    path = root / MUTANTS
    rows = read_table(path).get("mutant", [])
    mutants = [_mutant(row, f"{path}: mutant {number}") for number, row in enumerate(rows, start=1)]
    ids = [check.id for check in catalogue.checks]
    without = [each for each in ids if each not in {mutant.check for mutant in mutants}]
    unknown = [mutant.check for mutant in mutants if mutant.check not in ids]
    if without or unknown:
        told = f"{without[0]} has no mutant" if without else f"there is no check {unknown[0]}"
        raise ConfigError(f"{path}: {told}; every check has one at least")
    return tuple(sorted(mutants, key=lambda mutant: ids.index(mutant.check)))


@contextmanager
def scratch_copy(root: Path, folder: Path) -> Iterator[Path]:
    """A copy of the checkout as a repository of its own, without what git ignores; gone with the block."""
    copy = folder / "tree"
    for name in tracked_files(root):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, copy / name)
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "copied"]):
        _git(copy, *step)
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


@contextmanager
def planted(root: Path, mutant: Mutant) -> Iterator[None]:
    """The change in place for the length of the block. Raises GateBroken when it does not fit."""
    path = root / mutant.file
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    after = mutant.applied_to(before)
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp_s = path.stat().st_mtime if before is not None else 0.0
    path.write_text(after, encoding="utf-8")
    # Python takes a compiled module for current by its second and size: each version gets a second of its own.
    os.utime(path, (stamp_s, stamp_s + 1 + zlib.crc32(after.encode()) % 1_000_000))
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")
            os.utime(path, (stamp_s, stamp_s))


def rule_on(mutant: Mutant, before: Outcome, run: Run, catalogue: Catalogue, *, clock: Clock) -> Ruling:
    """Plant a mutant in the checkout of `run`, run its check there, and take the mutant out again."""
    with planted(run.root, mutant):
        (after,) = run_parts(run, catalogue.chosen((mutant.check,)), clock=clock)
    return Ruling(mutant=mutant, before=before, after=after)


def _mutant(row: dict[str, Any], where: str) -> Mutant:
    try:
        return TypeAdapter(Mutant).validate_python(row)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ConfigError(f"{where}: {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}") from None


def _made_up_key(seed: str) -> str:
    """A key as DashScope gives them out, which nobody gave out."""
    return "sk-" + hashlib.sha256(seed.encode()).hexdigest()[:32]


def _git(copy: Path, *arguments: str) -> None:
    who = ["-c", "user.name=self-test", "-c", "user.email=self-test@localhost", "-c", "commit.gpgSign=false"]
    git = shutil.which("git") or "git"
    done = subprocess.run([git, "-C", str(copy), *who, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise GateBroken(f"{copy}: git {arguments[0]} failed: {done.stderr.strip()[:200]}")
