import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.clock import FakeClock, SystemClock
from harness.errors import ConfigError
from harness.flags.flag_file import FlagFile, check_flags
from harness.flags.flagset import UNUSABLE, Mode
from harness.speech import Operation


def content(mode: str = "canary", share_bp: int = 500, salt: str = "cutover-1") -> str:
    tables = "\n".join(
        f'[{operation}]\nmode = "{mode}"\nshare_bp = {share_bp}\nshadow_bp = {share_bp}' for operation in Operation
    )
    return f'schema = 1\nsalt = "{salt}"\n{tables}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flags.toml"
    path.write_text(content())
    return path


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BREAKAGES: list[tuple[str, Callable[[Path], object]]] = [
    ("missing", lambda path: path.unlink()),
    ("empty", lambda path: path.write_text("")),
    ("half written", lambda path: path.write_text(content()[:60])),
    ("cut within the last line", lambda path: path.write_text(content()[:-3])),
    ("not TOML", lambda path: path.write_text("mode: canary\n")),
    ("NUL bytes, as a crash leaves them", lambda path: path.write_bytes(b"\0" * 400 + b"\n")),
    ("unknown key", lambda path: path.write_text(content() + "shares_bp = 1\n")),
    ("a share above all", lambda path: path.write_text(content(share_bp=15_000))),
    ("a folder", _folder),
    ("10 MB", lambda path: path.write_text(content() + "#" * 10_000_000 + "\n")),
    ("10 MB of one key", lambda path: path.write_bytes(b"a" * 10_000_000 + b"\n")),
    ("deeply nested", lambda path: path.write_bytes(b"a = " + b"[" * 50_000 + b"\n")),
]


@pytest.mark.parametrize("break_it", [each for _, each in BREAKAGES], ids=[name for name, _ in BREAKAGES])
def test_a_file_that_cannot_be_used_means_legacy_and_says_why(path: Path, break_it: Callable[[Path], object]) -> None:
    flags = FlagFile(path, clock=FakeClock(), poll_s=0.0)
    assert flags.current().flag(Operation.GENERATE).live_bp == 500

    break_it(path)

    now = flags.current()
    assert {now.flag(operation).mode for operation in Operation} == {Mode.LEGACY}
    assert (now.version, now.problem is not None and str(path) in now.problem) == (UNUSABLE, True)
    with pytest.raises(ConfigError, match=str(path)):
        check_flags(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_means_legacy(path: Path) -> None:
    path.chmod(0)

    assert FlagFile(path, clock=FakeClock()).current().problem is not None


def test_a_mended_file_counts_again(path: Path) -> None:
    flags = FlagFile(path, clock=FakeClock(), poll_s=0.0)
    whole = flags.current()

    path.write_text("broken")
    flags.current()
    path.write_text(content())

    assert flags.current() == whole


def test_a_person_is_told_the_same_flags_as_the_live_path_uses(path: Path) -> None:
    assert check_flags(path) == FlagFile(path, clock=FakeClock()).current()


def test_a_change_is_in_force_a_tenth_of_a_second_later(path: Path) -> None:
    clock = FakeClock()
    flags = FlagFile(path, clock=clock)

    path.write_text(content(mode="legacy"))
    clock.advance(0.1)

    assert flags.current().flag(Operation.CLONE).mode is Mode.LEGACY


def test_a_thousand_flips_never_show_a_mixture(path: Path) -> None:
    variants = {content("canary", 500), content("qwen", 10_000, "cutover-2"), content("legacy", 0)}
    expected = {}
    for variant in variants:
        path.write_text(variant)
        known = check_flags(path)
        expected[known.version] = known
    stop = threading.Event()
    seen = []

    def flip() -> None:
        for turn in range(1_000):
            temporary = path.with_name("new")
            temporary.write_text(sorted(variants)[turn % 3])
            temporary.replace(path)
        stop.set()

    flags = FlagFile(path, clock=SystemClock(), poll_s=0.0)
    writer = threading.Thread(target=flip)
    writer.start()
    while not stop.is_set():
        seen.append(flags.current())
    writer.join()

    assert all(each == expected[each.version] for each in seen)
    assert {each.version for each in seen} == set(expected)


def test_a_writer_that_does_not_rename_can_only_cost_callers_qwen(path: Path) -> None:
    stop = threading.Event()
    whole = check_flags(path)
    seen = []

    def overwrite() -> None:
        for _ in range(300):
            path.write_text(content())
        stop.set()

    flags = FlagFile(path, clock=SystemClock(), poll_s=0.0)
    writer = threading.Thread(target=overwrite)
    writer.start()
    while not stop.is_set():
        seen.append(flags.current())
    writer.join()

    assert all(each == whole or each.version == UNUSABLE for each in seen)
