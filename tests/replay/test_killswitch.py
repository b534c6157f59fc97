from pathlib import Path

from harness.config import Settings
from replay.killswitch import KillSwitch


def test_nothing_is_stopped_while_neither_file_nor_setting_says_so(tmp_path: Path) -> None:
    assert KillSwitch(Settings(home=tmp_path)).reason() is None


def test_the_file_stops_everything_until_it_is_removed(tmp_path: Path) -> None:
    switch = KillSwitch(Settings(home=tmp_path))

    switch.path.touch()
    pulled = switch.reason()
    switch.path.unlink()

    assert pulled == f"{tmp_path / 'KILL'} exists; remove it to go on"
    assert switch.reason() is None


def test_the_setting_stops_everything(tmp_path: Path) -> None:
    assert "CUTOVER_KILL" in (KillSwitch(Settings(home=tmp_path, kill=True)).reason() or "")
