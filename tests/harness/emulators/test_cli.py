import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.emulators.cli import emulate
from harness.emulators.options import QwenOptions
from harness.errors import UsageError


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
    _, errors = process.communicate(timeout=300)
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
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, errors = finished(started("modal", "--port", str(port)))

    assert status == 2
    assert errors == f"cutover: port {port} on 127.0.0.1 is in use; choose another with --port\n"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        pytest.param([], {"port": 8101, "audio_port": 8103, "time_scale": 1.0, "max_chars": 600}, id="as it is"),
        pytest.param(["--port", "0"], {"port": 0, "audio_port": 0}, id="a free port, and another free one"),
        pytest.param(["--port", "0", "--audio-port", "9"], {"audio_port": 9}, id="a free port and a chosen one"),
        pytest.param(["--max-chars", "0"], {"max_chars": None}, id="any length"),
        pytest.param(["--retired", "a", "--retired", "b"], {"retired": frozenset("ab")}, id="two retired models"),
        pytest.param(
            ["--region", "cn-beijing", "--region-key", "cn-beijing=sk-1"],
            {"region": "cn-beijing", "region_keys": frozenset({("cn-beijing", "sk-1")})},
            id="a key of a region",
        ),
        pytest.param(["--scenario", "slow", "--seed", "7"], {"scenario": "slow", "seed": 7}, id="a scenario"),
    ],
)
def test_what_is_typed_is_what_the_stand_in_gets(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], options: dict[str, object]
) -> None:
    given: list[QwenOptions] = []

    def refuse(chosen: QwenOptions) -> None:
        given.append(chosen)
        raise UsageError("enough")

    monkeypatch.setattr("harness.emulators.server.running_qwen", refuse)

    CliRunner().invoke(emulate, ["qwen", *arguments])

    assert {name: getattr(given[0], name) for name in options} == options


@pytest.mark.parametrize("text", ["sk-1", "=sk-1", "cn-beijing="])
def test_a_key_without_its_region_is_wrong_use(text: str) -> None:
    result = CliRunner().invoke(emulate, ["qwen", "--region-key", text])

    assert result.exit_code == 2
    assert "write it as REGION=KEY" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["qwen", "--audio-port", "0"], "CUTOVER_QWEN__ALLOW_VOICE_CREATION=1", id="voices may be made"),
        pytest.param(["qwen", "--audio-port", "0"], "CUTOVER_QWEN__API_KEY=sk-stand-in", id="any key"),
        pytest.param(
            ["qwen", "--audio-port", "0", "--api-key", "sk-mine"], "CUTOVER_QWEN__API_KEY=sk-mine", id="the key it asks"
        ),
        pytest.param(
            ["modal", "--key", "wk-1", "--secret", "ws-1"],
            "CUTOVER_MODAL__KEY=wk-1 CUTOVER_MODAL__SECRET=ws-1",
            id="both halves",
        ),
    ],
)
def test_the_advice_names_every_setting_that_makes_it_work(arguments: list[str], words: str) -> None:
    status, errors = finished(started(*arguments, "--port", "0", "--until-stdin-closes"))

    assert status == 0
    assert words in errors


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


def test_the_second_dialect_is_chosen_by_an_option() -> None:
    process = started("modal", "--port", "0", "--json", "--until-stdin-closes", "--dialect", "openai")
    base_url = json.loads(process.stdout.readline() if process.stdout else "")["base_url"]
    with urllib.request.urlopen(f"{base_url}/v1/models", timeout=5) as reply:
        models = json.load(reply)

    status, errors = finished(process)
    assert models["object"] == "list"
    assert (status, "CUTOVER_MODAL__DIALECT=openai" in errors) == (0, True)


def test_faults_come_from_a_file(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('{"faults": [{"fault": "platform-503", "times": 1}]}')
    process = started("modal", "--port", "0", "--json", "--until-stdin-closes", "--faults", str(script))
    base_url = json.loads(process.stdout.readline() if process.stdout else "")["base_url"]

    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{base_url}/health", timeout=5)
    raised.value.close()

    assert raised.value.code == 503
    assert finished(process)[0] == 0


def test_a_fault_that_nobody_knows_stops_it_with_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('{"faults": [{"fault": "earthquake"}]}')

    status, errors = finished(started("qwen", "--port", "0", "--audio-port", "0", "--faults", str(script)))

    assert status == 2
    assert errors.count("\n") == 1
    assert "no fault 'earthquake'" in errors
