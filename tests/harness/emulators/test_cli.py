import json
import signal
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from click.testing import CliRunner

from harness.emulators.cli import emulate


def started(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "emulate", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit status and stderr."""
    _, errors = process.communicate(timeout=10)
    return process.returncode, errors


def meter_at(base_url: str) -> Any:
    with urllib.request.urlopen(f"{base_url}/_standin/meter", timeout=5) as reply:
        return json.load(reply)


def test_it_prints_its_addresses_first_and_ends_with_the_program_that_started_it() -> None:
    process = started("qwen", "--port", "0", "--json", "--until-stdin-closes")
    addresses = json.loads(process.stdout.readline() if process.stdout else "")
    meter = meter_at(addresses["base_url"])

    status, errors = finished(process)  # closes its stdin

    assert meter["total"] == {}
    assert set(addresses) == {"base_url", "audio_url"}
    assert status == 0
    assert f"CUTOVER_QWEN__BASE_URL={addresses['base_url']}" in errors
    hosts = ",".join(url.removeprefix("http://") for url in addresses.values())
    assert f"CUTOVER_ALLOW_HOSTS={hosts}" in errors
    assert "Next: cutover " in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    process = started("modal", "--port", "0")
    base_url = (process.stdout.readline() if process.stdout else "").strip()
    meter_at(base_url)

    process.send_signal(number)
    status, errors = finished(process)

    assert status == 0
    assert f"CUTOVER_MODAL__BASE_URL={base_url}" in errors
    assert "Traceback" not in errors


def test_a_port_in_use_is_one_sentence_and_status_2() -> None:
    first = started("modal", "--port", "0")
    port = (first.stdout.readline() if first.stdout else "").strip().rpartition(":")[2]

    status, errors = finished(started("modal", "--port", port))
    first.terminate()
    finished(first)

    assert status == 2
    assert errors == f"cutover: port {port} on 127.0.0.1 is in use; choose another with --port\n"


def test_the_meter_shows_what_the_settings_of_a_server_do() -> None:
    process = started(
        "qwen", "--port", "0", "--time-scale", "0.001", "--max-chars", "3", "--retired", "qwen-voice-design"
    )
    base_url = (process.stdout.readline() if process.stdout else "").split()[0]
    codes = []
    for path, body in (
        (
            "aigc/multimodal-generation/generation",
            {"model": "qwen3-tts-flash", "input": {"text": "Hello", "voice": "Kai"}},
        ),
        ("audio/tts/customization", {"model": "qwen-voice-design", "input": {"action": "list"}}),
    ):
        request = urllib.request.Request(
            f"{base_url}/api/v1/services/{path}", json.dumps(body).encode(), {"Authorization": "Bearer sk-x"}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        codes.append(refused.value.code)
        refused.value.close()
    process.terminate()

    assert codes == [400, 404]
    assert finished(process)[0] == 0


def test_half_a_key_is_wrong_use() -> None:
    result = CliRunner().invoke(emulate, ["modal", "--key", "wk-1"])

    assert result.exit_code == 2
    assert "--key and --secret belong together" in result.output


@pytest.mark.parametrize("scale", ["0", "-1"])
def test_time_cannot_stand_still(scale: str) -> None:
    assert CliRunner().invoke(emulate, ["qwen", "--time-scale", scale]).exit_code == 2


def test_the_help_loads_nothing_heavy() -> None:
    program = (
        "import sys, click.testing, harness.emulators.cli as c; "
        "click.testing.CliRunner().invoke(c.emulate, ['qwen', '--help']); "
        "print(sorted({'numpy', 'soxr', 'aiohttp', 'soundfile'} & set(sys.modules)))"
    )

    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
