"""Every command of the runbooks, run line by line against a gateway between both stand-ins."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from harness.clock import SystemClock
from harness.config import PROJECT
from harness.rollout.local_stage import local_stage
from harness.rollout.places import state_folder
from harness.rollout.stage import Stage
from harness.rollout.state_file import StateFile
from harness.speech import Operation
from harness.telemetry.metrics import Metrics

RUNBOOKS = PROJECT / "docs" / "runbooks"
BOOKS = sorted(path for path in RUNBOOKS.glob("*.md") if path.stem != "README")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d+)$")


def commands(book: Path) -> list[tuple[str, int]]:
    """Each command of a runbook and the status it ends with."""
    lines = [line for block in BLOCK.findall(book.read_text()) for line in block.splitlines()]
    found = [(EXIT.sub("", line), EXIT.search(line)) for line in lines if line]
    return [(line, int(status[1]) if status else 0) for line, status in found]


@contextmanager
def a_stage(home: Path) -> Iterator[dict[str, str]]:
    """A gateway with `generate` at 25 %; yields the environment of somebody who reads a runbook."""
    clock = SystemClock()
    with asyncio.Runner() as runner:
        stage = local_stage(home, os.environ, clock=clock)
        opened = runner.run(stage.__aenter__())
        try:
            state = StateFile(state_folder(home), clock=clock)
            runner.run(
                state.change(
                    lambda before: before and replace(before, stage=Stage.C25),
                    operations=(Operation.GENERATE,),
                    who="test",
                    why="a rollout on its way",
                )
            )
            added = subprocess.run(
                [sys.executable, "-m", "harness.cli", "callers", "add", "night-watch", "--json"],
                env=dict(opened.environment),
                capture_output=True,
                text=True,
                check=True,
            )
            yield {
                **opened.environment,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "GATEWAY": opened.url,
                "ADMIN": opened.admin_url,
                "CALLER_KEY": json.loads(added.stdout)["key"],
                "WHO": "anna",
                "CUTOVER_QWEN__ALLOW_VOICE_CREATION": "1",
            }
        finally:
            runner.run(stage.__aexit__(None, None, None))


@pytest.mark.skipif(shutil.which("curl") is None, reason="runbooks use curl, which is not installed")
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_every_command_of_a_runbook_does_what_it_says(book: Path, tmp_path: Path) -> None:
    lines = commands(book)
    # One shell for all of a runbook, since a line may set a variable for the next; each says how it ended.
    script = "".join(f'{line}\necho "ended {number} $?" >&2\n' for number, (line, _) in enumerate(lines))

    with a_stage(tmp_path / "home") as environment:
        done = subprocess.run(
            ["/bin/sh", "-c", script], env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=240
        )

    ended = [int(status) for status in re.findall(r"^ended \d+ (\d+)$", done.stderr, re.MULTILINE)]
    wrong = [
        f"{line}: exit {found}, not {expected}"
        for (line, expected), found in zip(lines, ended, strict=True)
        if found != expected
    ]
    assert not wrong, "\n".join([*wrong, done.stdout[-3000:], done.stderr[-3000:]])


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_runbook_has_symptom_check_action_and_undo(book: Path) -> None:
    headings = re.findall(r"^## (.+)$", book.read_text(), re.MULTILINE)

    assert headings == ["Symptom", "Check", "Action", "Undo"]
    assert len(commands(book)) >= 4


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_a_metric_that_a_runbook_names_is_one_of_ours(book: Path) -> None:
    ours = generate_latest(Metrics().registry).decode()

    named = re.findall(r"`(cutover_[a-z_]+)`", book.read_text())

    assert [name for name in named if f"# HELP {name} " not in ours] == []


def test_the_index_names_every_runbook() -> None:
    index = (RUNBOOKS / "README.md").read_text()

    assert set(re.findall(r"\]\((.+?\.md)\)", index)) == {book.name for book in BOOKS}
    assert len(BOOKS) == 7
