import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from dashboard.cli import arguments, dashboard, refuse_taken
from harness.errors import ConfigError, UsageError

ROOT = Path(__file__).parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with _taken_port() as port, pytest.raises(UsageError, match=rf"port {port} .*--port"):
        refuse_taken(port)


def test_a_free_port_is_fine() -> None:
    refuse_taken(_free_port())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.com"])
def test_only_this_machine_may_look(host: str) -> None:
    result = CliRunner().invoke(dashboard, ["--host", host])

    assert isinstance(result.exception, UsageError)
    assert host in str(result.exception)


def test_a_misspelt_setting_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOEM", "x")

    result = CliRunner().invoke(dashboard, ["--port", str(_free_port())])

    assert isinstance(result.exception, ConfigError)
    assert "CUTOVER_HOEM" in str(result.exception)


def test_what_keeps_strangers_out_is_passed_as_flags_which_nothing_outranks() -> None:
    flags = set(arguments(8501))

    assert {
        "--server.address=127.0.0.1",
        "--server.allowedHosts=127.0.0.1",
        "--server.enableCORS=true",
        "--server.enableXsrfProtection=true",
        "--server.enableStaticServing=false",
        "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
    } <= flags
    assert not any("0.0.0.0" in flag for flag in flags)


def test_help_shows_an_example() -> None:
    assert "Example: cutover dashboard" in CliRunner().invoke(dashboard, ["--help"]).output


def _command(port: int, *, where: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUTOVER_HOME": str(where)}
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "dashboard", "--headless", "--port", str(port)],
        cwd=where,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the child")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_serves_from_any_folder_on_loopback_alone_and_ends_with_its_child(tmp_path: Path, stop: int) -> None:
    port = _free_port()
    with _command(port, where=tmp_path) as command:
        try:
            url = command.stdout.readline().strip() if command.stdout else ""
            assert url == f"http://127.0.0.1:{port}"
            with urllib.request.urlopen(url, timeout=5) as page:
                assert page.status == 200
            assert _listening(port) == {"0100007F"}
            (child,) = _children(command.pid)
            assert _ends(child, when=lambda: command.send_signal(stop))
            assert command.wait(15) == 0
            assert command.stderr
            assert command.stderr.read() == "Ctrl-C ends it. Next: cutover verdict --json\n"
        finally:
            command.terminate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_does_not_go_on_serving_when_the_command_is_killed(tmp_path: Path) -> None:
    with _command(_free_port(), where=tmp_path) as command:
        assert command.stdout
        command.stdout.readline()
        (child,) = _children(command.pid)

        assert _ends(child, when=command.kill)


def _ends(pid: int, *, when: Callable[[], None]) -> bool:
    """The process, which is no child of ours, is gone a moment after."""
    handle = os.pidfd_open(pid)
    try:
        when()
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


def _listening(port: int) -> set[str]:
    """Addresses that listen on `port`, as the kernel writes them: 0100007F is 127.0.0.1."""
    lines = [line for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    sockets = [(line.split()[1].split(":"), line.split()[3]) for line in lines]
    listening = "0A"
    return {address for (address, at), state in sockets if int(at, 16) == port and state == listening}


def test_a_taken_port_ends_the_command_with_one_sentence(tmp_path: Path) -> None:
    with _taken_port() as port, _command(port, where=tmp_path) as command:
        output, advice = command.communicate(timeout=300)

    assert (command.returncode, output) == (2, "")
    assert advice.startswith(f"cutover: port {port}")
    assert "--port" in advice
    assert advice.count("\n") == 1
