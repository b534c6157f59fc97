from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.config import FlagSettings
from harness.errors import ConfigError
from harness.flags.flagset import Flag, Mode
from harness.gateway.flags_in_force import flags_in_force, flags_of_environment
from harness.speech import Operation
from tests.gateways import flags_text


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("legacy", Flag()),
        ("shadow:1000", Flag(mode=Mode.SHADOW, shadow_bp=1_000)),
        ("canary:500", Flag(mode=Mode.CANARY, share_bp=500)),
        (" Qwen ", Flag(mode=Mode.QWEN)),
    ],
)
def test_the_environment_sets_a_flag_in_one_word(text: str, flag: Flag) -> None:
    assert flags_of_environment(FlagSettings(generate=text)) == {Operation.GENERATE: flag}


@pytest.mark.parametrize("text", ["canry:5", "canary", "canary:", "canary:10001", "canary:-1", "canary:5%", "qwen:10"])
def test_a_misspelling_stops_the_start_and_names_the_variable(text: str) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_FLAGS__DESIGN"):
        flags_of_environment(FlagSettings(design=text))


async def test_flags_come_from_the_file_unless_told_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "flags.toml"
    file.write_text(flags_text(clone="qwen"))

    async with flags_in_force(FlagSettings(file=file), clock=SystemClock()) as flags:
        assert flags.current().flag(Operation.CLONE).mode is Mode.QWEN


async def test_another_provider_of_openfeature_is_asked_and_let_go(tmp_path: Path) -> None:
    settings = FlagSettings(file=tmp_path / "none", provider="tests.harness.gateway.test_flags_in_force:canary")

    async with flags_in_force(settings, clock=SystemClock()) as flags:
        assert flags.current().flag(Operation.GENERATE) == Flag(mode=Mode.CANARY, share_bp=700)


def canary() -> object:
    """A provider as somebody else would write it."""
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    return InMemoryProvider(
        {
            "generate.mode": InMemoryFlag("on", {"on": "canary"}),
            "generate.share_bp": InMemoryFlag("on", {"on": 700}),
        }
    )
