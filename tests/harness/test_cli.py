import subprocess
import sys

import click
import pytest

from harness import cli
from harness.errors import ConfigError, StoreError


def run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    return exit_.value.code if isinstance(exit_.value.code, int) else 0


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | int]:
    """A command `probe` that raises or returns what the test put into this list."""
    outcome: list[BaseException | int] = []

    @click.command(help="Do what the test says.")
    def probe() -> int:
        (what,) = outcome
        if isinstance(what, BaseException):
            raise what
        return what

    monkeypatch.setattr(cli, "probe", probe, raising=False)
    monkeypatch.setattr(cli, "COMMANDS", {"probe": cli.Entry("harness.cli:probe", "A probe.")})
    return outcome


@pytest.mark.parametrize("status", [0, 1, 3, 4])
def test_the_status_that_a_command_returns_is_the_exit_status(command: list[BaseException | int], status: int) -> None:
    command.append(status)

    assert run(["probe"]) == status


@pytest.mark.parametrize(("error", "status"), [(ConfigError("x.toml: wrong"), 2), (StoreError("x.toml: wrong"), 4)])
def test_our_errors_are_one_sentence_and_their_own_status(
    command: list[BaseException | int], error: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    command.append(error)

    assert run(["probe"]) == status
    assert capsys.readouterr().err == "cutover: x.toml: wrong\n"


def test_an_interrupted_command_says_how_to_go_on(
    command: list[BaseException | int], capsys: pytest.CaptureFixture[str]
) -> None:
    command.append(KeyboardInterrupt())

    assert run(["probe"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["replay"], ["replay", "x", "--budget", "much"]])
def test_wrong_use_ends_with_2_and_says_what_is_wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Error:" in capsys.readouterr().err


def test_help_names_every_command_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0

    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} {entry.help}" in shown for name, entry in cli.COMMANDS.items())


def test_help_loads_nothing_heavy() -> None:
    heavy = {"numpy", "duckdb", "aiohttp", "polars", "librosa", "streamlit", "scipy", "pydantic"}
    program = (
        "import sys\nfrom harness.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print('LOADED', sorted({heavy!r} & set(sys.modules)))"
    )

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert shown.stdout.endswith("LOADED []\n")
