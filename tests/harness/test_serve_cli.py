import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from click.testing import CliRunner

from harness.serve_cli import serve
from tests.standins import cutover, running_standins


def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    with running_standins(tmp_path, "--time-scale", "0.001") as environment:
        command = [sys.executable, "-m", "harness.cli", "serve", "--port", "0", "--admin-port", "0", "--json"]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout
            addresses = json.loads(process.stdout.readline())
            with urlopen(addresses["base_url"] + "/healthz") as reply:
                assert reply.status == 200
            with urlopen(addresses["admin_url"] + "/status") as reply:
                assert json.load(reply)["killed"] is None
            process.send_signal(signal.SIGTERM)

            assert process.wait(20) == 0


def test_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    done = cutover(["serve"], {"PATH": "/usr/bin:/bin", "CUTOVER_HOME": str(tmp_path)})

    assert done.returncode == 2
    assert "CUTOVER_MODAL__BASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_tells_an_example() -> None:
    assert "Example: cutover serve" in CliRunner().invoke(serve, ["--help"]).output
