import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.processes import keeping_what_is_loaded, run, said, show

PARENT = """
import subprocess, sys
from harness.processes import END_WITH_PARENT
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], preexec_fn=END_WITH_PARENT)
print(child.pid, flush=True)
child.wait()
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a child with its parent")
def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    running_before = is_running(child)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(500):  # the kernel needs a moment
        if not is_running(child):
            break
        time.sleep(0.01)

    assert running_before
    assert not is_running(child)


def test_what_a_command_prints_is_kept_when_asked_for() -> None:
    ended = said(["--version"])

    assert ended.status == 0
    assert ended.output.startswith("cutover")


def test_a_command_that_fails_says_so_by_its_status(capfd: pytest.CaptureFixture[str]) -> None:
    ended = run(["verdict", "--no-such-option"])

    assert (ended.status, ended.output) == (2, "")
    assert "$ cutover verdict --no-such-option" in capfd.readouterr().err


def test_our_own_stdout_stays_free(capfd: pytest.CaptureFixture[str]) -> None:
    run(["--version"])

    captured = capfd.readouterr()
    assert (captured.out, "cutover, version" in captured.err) == ("", True)


def test_the_output_of_a_command_that_is_shown_is_ours(capfd: pytest.CaptureFixture[str]) -> None:
    ended = show(["--version"])

    assert ended.output == ""
    assert capfd.readouterr().out.startswith("cutover, version")


def test_a_command_runs_in_the_environment_it_is_given(tmp_path: Path) -> None:
    elsewhere = {**os.environ, "CUTOVER_HOME": str(tmp_path / "elsewhere")}

    ended = show(["runs", "verify", "latest"], elsewhere)

    assert ended.status == 2
    assert said(["runs", "list", "--json"], elsewhere).output.strip() == "[]"


def test_what_is_loaded_is_not_looked_through_for_garbage_until_the_end_of_the_block() -> None:
    with keeping_what_is_loaded():
        assert gc.get_freeze_count() > 10_000

    assert gc.get_freeze_count() == 0
