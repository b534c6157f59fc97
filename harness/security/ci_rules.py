"""What steps of CI may not do: run what they did not check, hold more rights than reading, or spend money.

Knows `.ci/`, the Makefile and workflows of GitHub; zizmor looks at workflows as well.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from harness.errors import UsageError
from harness.security.finding import Finding

__all__ = ["ci_files", "live_calls", "unsafe_steps", "zizmor_findings"]

_RULE: Final = "S8-32"
_LIVE_RULE: Final = "S8-12"
_WORKFLOWS: Final = Path(".github", "workflows")
_STEPS: Final = (
    (r"\b(?:curl|wget)\b[^\n]*\|\s*(?:sudo\s+)?(?:\w*sh|python\d?)\b", "runs what it fetched; check it by its hash"),
    (r"\bpip3?\s+install\b(?!.*--(?:require-hashes|no-deps))", "installs by name; add --require-hashes and the lock"),
    (r"--trusted-host|\bcurl\b[^\n]*\s(?:-k|--insecure)\b|http\.sslVerify=false", "does not verify who answers"),
    (r"\bset\s+-\w*x|-o\s+xtrace", "prints its commands, and with them what variables hold; leave -x out"),
    (r"\bprintenv\b|\benv\s*$|\bset\s*$", "prints the environment, where keys are"),
)
_WORKFLOW: Final = (
    (r"\buses:\s*(?!\./)\S+@(?![0-9a-f]{40}\b)", "names an action by a tag that can move; pin its commit"),
    (r"\bpull_request_target\b", "runs with our rights on somebody else's change; use pull_request"),
    (r"\bpermissions:\s*write-all|^\s+[a-z-]+:\s*write\b", "has a token that can write; `contents: read` is enough"),
    (r"\$\{\{\s*github\.(?:event\.|head_ref)", "puts a stranger's words into a script; hand them over in env:"),
)


def ci_files(root: Path) -> tuple[Path, ...]:
    """Every file that says what CI does, in order."""
    scripts = [path for path in (root / ".ci").glob("*") if path.is_file()]
    workflows = [path for path in (root / _WORKFLOWS).glob("*.y*ml") if path.is_file()]
    named = [path for path in (root / "Makefile", root / ".gitlab-ci.yml") if path.is_file()]
    return tuple(sorted([*scripts, *workflows, *named]))


def unsafe_steps(root: Path) -> tuple[Finding, ...]:
    """Steps that must not be as they are."""
    return tuple(finding for path in ci_files(root) for finding in _of_file(root, path))


def live_calls(root: Path) -> tuple[Finding, ...]:
    """Steps that would send paid requests: CI never does."""
    return tuple(
        _finding(root, path, number, _LIVE_RULE, "spends money in CI; run live replays by hand or by night")
        for path in ci_files(root)
        for number, line in _lines(path)
        if re.search(r"--live\b|\bdoctor\b.*--smoke", line)
    )


def zizmor_findings(root: Path) -> tuple[Finding, ...]:
    """What zizmor objects to in the workflows, without asking anybody over a network; nothing where there are none.

    Raises:
        UsageError: There are workflows, and zizmor is not installed or did not run.
    """
    if not any((root / _WORKFLOWS).glob("*.y*ml")):
        return ()
    beside = Path(sys.executable).with_name("zizmor")
    zizmor = str(beside) if beside.exists() else shutil.which("zizmor")
    if zizmor is None:
        raise UsageError("zizmor is not installed, and there are workflows to look at; it is in the dev extra")
    command = [zizmor, "--offline", "--no-exit-codes", "--format", "json", str(root / _WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    try:
        rows = json.loads(done.stdout)
    except ValueError:
        raise UsageError(f"zizmor could not look at the workflows (status {done.returncode}); run it by hand") from None
    return tuple(_of_zizmor(row) for row in rows)


def _of_zizmor(row: dict[str, Any]) -> Finding:
    line = row["locations"][0]["concrete"]["location"]["start_point"]["row"] + 1
    path = Path(next(iter(row["locations"][0]["symbolic"]["key"]["Local"].values()))).name  # its key has changed before
    return Finding(
        rule=_RULE, path=(_WORKFLOWS / path).as_posix(), line=line, message=f"zizmor {row['ident']}: {row['desc']}"
    )


def _of_file(root: Path, path: Path) -> Iterator[Finding]:
    is_workflow = path.suffix in (".yml", ".yaml")
    for number, line in _lines(path):
        for pattern, message in _STEPS + (_WORKFLOW if is_workflow else ()):
            if re.search(pattern, line):
                yield _finding(root, path, number, _RULE, message)
    text = path.read_text(encoding="utf-8", errors="replace")
    if is_workflow and not re.search(r"^permissions:", text, re.MULTILINE):
        yield _finding(root, path, 0, _RULE, "does not say what its token may do; add `permissions: {contents: read}`")
    if text.startswith("#!") and "sh" in text.split("\n", 1)[0] and "set -euo pipefail" not in text:
        yield _finding(root, path, 0, _RULE, "goes on after a step that failed; begin with: set -euo pipefail")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line with its number, comments left out."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if not line.lstrip().startswith("#"):
            yield number, line


def _finding(root: Path, path: Path, line: int, rule: str, message: str) -> Finding:
    return Finding(rule=rule, path=path.relative_to(root).as_posix(), line=line, message=message)
