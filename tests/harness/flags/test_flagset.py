import pytest

from harness.flags.flagset import ALL_BP, Flag, FlagSet, Mode
from harness.speech import Operation


@pytest.mark.parametrize(
    ("flag", "live_bp"),
    [
        pytest.param(Flag(), 0, id="by default nobody gets Qwen"),
        pytest.param(Flag(mode=Mode.LEGACY, share_bp=500), 0, id="a share that waits for its mode"),
        pytest.param(Flag(mode=Mode.SHADOW, share_bp=500, shadow_bp=ALL_BP), 0, id="copies reach no caller"),
        pytest.param(Flag(mode=Mode.CANARY, share_bp=500), 500, id="canary takes its share"),
        pytest.param(Flag(mode=Mode.QWEN, share_bp=500), ALL_BP, id="qwen is everybody"),
    ],
)
def test_the_mode_decides_whether_the_share_counts(flag: Flag, live_bp: int) -> None:
    assert flag.live_bp == live_bp


@pytest.mark.parametrize("operation", Operation)
def test_what_is_not_set_is_legacy(operation: Operation) -> None:
    empty = FlagSet(version="v", salt="s")
    broken = FlagSet.all_legacy("it broke")

    assert empty.flag(operation).mode is Mode.LEGACY
    assert broken.flag(operation).mode is Mode.LEGACY
    assert broken.problem == "it broke"
