import shutil
from pathlib import Path

import pytest

from harness.config import PROJECT
from harness.errors import UsageError
from harness.security import ci_rules
from harness.security.ci_rules import ci_files, live_calls, unsafe_steps, zizmor_findings

GOOD = "#!/usr/bin/env bash\nset -euo pipefail\n"
WORKFLOW = "on: push\npermissions:\n  contents: read\njobs:\n  a:\n    steps:\n"
PINNED = "      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2\n"


def a_script(root: Path, text: str) -> Path:
    (root / ".ci").mkdir()
    (root / ".ci" / "run").write_text(text)
    return root


def a_workflow(root: Path, text: str) -> Path:
    (root / ".github" / "workflows").mkdir(parents=True)
    (root / ".github" / "workflows" / "x.yml").write_text(text)
    return root


def test_what_we_run_ourselves_is_in_order() -> None:
    assert {path.name for path in ci_files(PROJECT)} >= {"run", "Makefile", "nightly.yml"}
    assert unsafe_steps(PROJECT) == live_calls(PROJECT) == ()


@pytest.mark.parametrize(
    "step",
    [
        "curl -s https://example.com/x | sh",
        "wget -qO- https://example.com/x | sudo bash",
        "curl https://example.com/x | python3 -",
        "pip install requests",
        "python -m pip install --upgrade pip",
        "pip install --trusted-host example.com --require-hashes -r x",
        "curl -k https://example.com",
        "set -x",
        "set -eux",
        "printenv",
        "env",
    ],
)
def test_a_step_that_must_not_be_is_found_with_its_line(tmp_path: Path, step: str) -> None:
    found = unsafe_steps(a_script(tmp_path, f"{GOOD}# a comment may say anything: {step}\n{step}\n"))

    assert [(finding.path, finding.line) for finding in found] == [(".ci/run", 4)]


@pytest.mark.parametrize(
    "step",
    [
        "pip install --require-hashes -r x",
        "pip install --no-deps .",
        "curl -sf https://example.com/x",
        "env A=1 make x",
    ],
)
def test_a_step_that_is_fine_is_let_through(tmp_path: Path, step: str) -> None:
    assert unsafe_steps(a_script(tmp_path, f"{GOOD}{step}\n")) == ()


def test_a_script_that_goes_on_after_a_failure_is_found(tmp_path: Path) -> None:
    (finding,) = unsafe_steps(a_script(tmp_path, "#!/bin/sh\nmake test\n"))

    assert "set -euo pipefail" in finding.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WORKFLOW + "      - uses: actions/checkout@v4\n", "pin its commit"),
        (WORKFLOW.replace("on: push", "on: pull_request_target") + PINNED, "use pull_request"),
        (WORKFLOW.replace("contents: read", "contents: write") + PINNED, "`contents: read` is enough"),
        (WORKFLOW.replace("permissions:\n  contents: read\n", "permissions: write-all\n") + PINNED, "is enough"),
        (WORKFLOW.replace("permissions:\n  contents: read\n", "") + PINNED, "what its token may do"),
        (WORKFLOW + "      - run: echo ${{ github.event.issue.title }}\n", "hand them over in env"),
    ],
)
def test_a_workflow_that_must_not_be_is_found(tmp_path: Path, text: str, told: str) -> None:
    found = unsafe_steps(a_workflow(tmp_path, text))

    assert [told in finding.message for finding in found] == [True]


def test_a_pinned_workflow_that_only_reads_is_let_through(tmp_path: Path) -> None:
    assert unsafe_steps(a_workflow(tmp_path, WORKFLOW + PINNED + "      - uses: ./local\n")) == ()


@pytest.mark.parametrize("step", ["cutover replay x --live --budget 5", "cutover doctor --smoke --yes"])
def test_a_step_that_spends_is_found(tmp_path: Path, step: str) -> None:
    (finding,) = live_calls(a_script(tmp_path, f"{GOOD}{step}\n"))

    assert (finding.rule, finding.line) == ("S8-12", 3)


def test_without_workflows_there_is_nothing_for_zizmor(tmp_path: Path) -> None:
    assert zizmor_findings(tmp_path) == ()


def test_workflows_that_nobody_could_look_at_are_not_called_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ci_rules.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(UsageError, match="zizmor is not installed"):
        zizmor_findings(a_workflow(tmp_path, WORKFLOW + PINNED))


def test_what_zizmor_says_is_a_finding_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        '[{"ident": "unpinned-uses", "desc": "unpinned action", "locations": [{"symbolic": {"key": {"Local": '
        '{"verbatim_path": "a/.github/workflows/x.yml"}}}, "concrete": {"location": {"start_point": {"row": 5}}}}]}]'
    )
    fake = tmp_path / "zizmor"
    fake.write_text(f"#!/bin/sh\ncat <<'E'\n{said}\nE\n")
    fake.chmod(0o700)
    monkeypatch.setattr(ci_rules.sys, "executable", str(tmp_path / "python"))

    (finding,) = zizmor_findings(a_workflow(tmp_path, WORKFLOW + PINNED))

    assert str(finding) == ".github/workflows/x.yml:6: zizmor unpinned-uses: unpinned action (S8-32)"
