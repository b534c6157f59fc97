"""S8-12: no command spends, or talks to anybody, before all three words were given; sockets are counted by Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config import PROJECT
from tests.canaries import QWEN_KEY

DEMO = str(PROJECT / "data" / "demo" / "captures.jsonl.zst")
# Python itself tells of every connection and every name that is looked up, whoever asks for it.
_HOOKED = """
import json, sys
met = []
sys.addaudithook(lambda event, found: met.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
from harness.cli import main
try:
    main(json.loads(sys.argv[1]))
finally:
    print("met", len(met), file=sys.stderr)
"""
REPLAY = ["replay", DEMO, "--limit", "6"]


def run(home: Path, arguments: list[str]) -> tuple[int, int]:
    """Exit status, and how often a connection was tried."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CUTOVER_")}
    settings = {
        "CUTOVER_HOME": str(home),
        "CUTOVER_QWEN__API_KEY": QWEN_KEY,
        # Nobody listens there; should a command connect after all, it reaches nobody.
        "CUTOVER_ALLOW_HOSTS": "127.0.0.1:9",
        "CUTOVER_QWEN__BASE_URL": "http://127.0.0.1:9",
        "CUTOVER_MODAL__BASE_URL": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-c", _HOOKED, json.dumps(arguments)]
    done = subprocess.run(command, env=clean | settings, capture_output=True, text=True, cwd=PROJECT, timeout=60)
    word, _, count = done.stderr.splitlines()[-1].partition(" ")
    assert word == "met", done.stderr
    return done.returncode, int(count)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 0),
        (["--plan"], 0),
        (["--live"], 2),
        (["--budget", "5"], 0),
        (["--live", "--budget", "5"], 2),
        (["--live", "--confirm", "0123456789ab"], 2),
        (["--live", "--budget", "5", "--confirm", "0123456789ab"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_that_lacks_one_of_the_three_words_opens_no_socket(
    tmp_path: Path, words: list[str], status: int
) -> None:
    assert run(tmp_path, [*REPLAY, *words]) == (status, 0)
    assert not (tmp_path / "runs").exists()


def test_the_hook_sees_a_command_that_does_connect(tmp_path: Path) -> None:
    _, met = run(tmp_path, ["doctor"])

    assert met > 0
