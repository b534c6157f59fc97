from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.flags.flag_toml import parse_flags, version_of
from harness.flags.flagset import Flag, Mode
from harness.speech import Operation

TRACKED = Path(__file__).parents[3] / "data" / "flags.toml"

GOOD = b"""schema = 1
salt = "cutover-1"
[clone]
mode = "legacy"
[design]
mode = "shadow"
shadow_bp = 10000
[generate]
mode = "canary"
share_bp = 2500
shadow_bp = 100
spill_bp = 50
"""


def changed(old: bytes, new: bytes) -> bytes:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_every_operation_gets_what_is_set_for_it() -> None:
    flags = parse_flags(GOOD, name="flags.toml")

    assert flags.flag(Operation.CLONE) == Flag()
    assert flags.flag(Operation.DESIGN) == Flag(mode=Mode.SHADOW, shadow_bp=10_000)
    assert flags.flag(Operation.GENERATE) == Flag(mode=Mode.CANARY, share_bp=2_500, shadow_bp=100, spill_bp=50)
    assert (flags.salt, flags.version, flags.problem) == ("cutover-1", version_of(GOOD), None)


def test_the_tracked_file_sends_nobody_to_qwen() -> None:
    flags = parse_flags(TRACKED.read_bytes(), name="flags.toml")

    assert {flags.flag(operation).mode for operation in Operation} == {Mode.LEGACY}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n\n", "is empty", id="blank"),
        pytest.param(GOOD[:-1], "ends within a line", id="no last line end"),
        pytest.param(b"\xff\xfe\n", "not valid TOML", id="not UTF-8"),
        pytest.param(b"<html>\n", "not valid TOML", id="an error page"),
        pytest.param(b"a = " + b"[" * 20_000 + b"\n", "nested too deeply", id="nested deeply"),
        pytest.param(changed(b"schema = 1", b"schema = 2"), "schema", id="another schema"),
        pytest.param(changed(b"schema = 1", b"schema = true"), "schema", id="true is not 1"),
        pytest.param(changed(b"schema = 1\n", b""), "schema is missing", id="no schema"),
        pytest.param(changed(b'"cutover-1"', b'""'), "salt", id="empty salt"),
        pytest.param(changed(b'"cutover-1"', b'"a:b"'), "salt", id="a colon, which separates salt and unit"),
        pytest.param(changed(b"[clone]", b"[klone]"), r"clone", id="misspelt operation"),
        pytest.param(
            changed(b"[clone]", b"[other]\n[clone]"), r"other is not known; valid are schema", id="unknown table"
        ),
        pytest.param(changed(b"[generate]", b"[generates]"), "generate", id="missing operation"),
        pytest.param(changed(b'"shadow"', b'"mirror"'), r"\[design\] mode", id="unknown mode"),
        pytest.param(
            changed(b"spill_bp", b"spil_bp"), r"\[generate\] spil_bp is not known; valid are mode", id="misspelt"
        ),
        pytest.param(changed(b"2500", b"10001"), r"\[generate\] share_bp", id="more than everybody"),
        pytest.param(changed(b"2500", b"-1"), r"\[generate\] share_bp", id="less than nobody"),
        pytest.param(changed(b"2500", b"25.0"), r"\[generate\] share_bp", id="a float"),
        pytest.param(changed(b"2500", b'"2500"'), r"\[generate\] share_bp", id="a string"),
        pytest.param(changed(b"2500", b"true"), r"\[generate\] share_bp", id="a boolean"),
        pytest.param(
            changed(b"share_bp = 2500\n", b""), r"\[generate\]: mode canary needs share_bp", id="canary of whom"
        ),
        pytest.param(
            changed(b"shadow_bp = 10000\n", b""), r"\[design\]: mode shadow needs shadow_bp", id="copies of what"
        ),
        pytest.param(changed(b'mode = "legacy"\n', b""), r"\[clone\] mode is missing", id="no mode"),
        pytest.param(changed(b"[clone]", b"clone = 1\n[clone2]"), "clone", id="no table"),
    ],
)
def test_a_file_that_is_not_right_is_refused_and_says_where(content: bytes, complaint: str) -> None:
    with pytest.raises(ConfigError, match=f"flags.toml: .*{complaint}"):
        parse_flags(content, name="flags.toml")


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_a_file_cut_off_anywhere_never_lets_more_callers_in(length: int) -> None:
    whole = parse_flags(GOOD, name="whole")
    try:
        cut = parse_flags(GOOD[:length], name="cut")
    except ConfigError:
        return

    for operation in Operation:
        assert cut.flag(operation).live_bp == whole.flag(operation).live_bp
        assert cut.flag(operation).shadow_bp <= whole.flag(operation).shadow_bp


@given(st.binary(max_size=200))
def test_any_bytes_are_flags_or_refused(content: bytes) -> None:
    try:
        flags = parse_flags(content, name="f")
    except ConfigError:
        return
    assert flags.problem is None
