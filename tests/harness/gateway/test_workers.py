import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

from harness.gateway.caller_file import add_key
from tests.standins import running_standins


def test_two_processes_share_a_port_and_one_that_dies_comes_back(tmp_path: Path) -> None:
    _, key = add_key(tmp_path / "gateway" / "callers.toml", "app", now=datetime.now(UTC))
    with running_standins(tmp_path, "--time-scale", "0.001") as environment:
        command = [sys.executable, "-m", "harness.cli", "serve", "--port", "0", "--admin-port", "0"]
        with subprocess.Popen(
            [*command, "--workers", "2", "--json"],
            env={**environment, "CUTOVER_GATEWAY__DRAIN_S": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stderr
            base_url = json.loads(process.stdout.readline())["base_url"]
            before = statuses(base_url, key)
            (victim, *_) = children(process.pid)
            os.kill(victim, signal.SIGKILL)
            for line in process.stderr:
                if "worker died" in line:
                    break
            while len(children(process.pid)) < 2:
                time.sleep(0.01)  # without it this loop has a core of its own
            process.send_signal(signal.SIGTERM)
            process.stderr.read()

            assert process.wait(20) == 0
    assert before == [200] * 4


def statuses(base_url: str, key: str) -> list[int]:
    body = json.dumps({"input": "Hi.", "voice": "Vivian"}).encode()
    request = Request(f"{base_url}/v1/audio/speech", data=body, headers={"Authorization": f"Bearer {key}"})
    found = []
    for _ in range(4):
        with urlopen(request) as reply:
            found.append(reply.status)
    return found


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
