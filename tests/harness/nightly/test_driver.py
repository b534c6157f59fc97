import pytest

from harness.nightly.driver import run, said


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
