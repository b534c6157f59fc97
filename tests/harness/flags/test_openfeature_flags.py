import asyncio
from collections.abc import Callable, Iterator

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import GeneralError
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from harness.clock import FakeClock
from harness.errors import ConfigError
from harness.flags.flagset import Flag, FlagSet, Mode
from harness.flags.openfeature_flags import OpenFeatureFlags, connect
from harness.flags.openfeature_provider import CutoverProvider
from harness.speech import Operation


class Scripted(InMemoryProvider):
    """A flag service whose values, failures and pauses the test sets."""

    def __init__(self, **values: object) -> None:
        self.values = values
        self.down = False
        self.asked: Callable[[], object] = lambda: None
        super().__init__({})

    async def resolve_string_details_async(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return await self._answer(flag_key)

    async def resolve_integer_details_async(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return await self._answer(flag_key)

    async def _answer(self, key: str) -> FlagResolutionDetails:
        if self.down:
            raise GeneralError("no route to flags")
        self.asked()
        flags = {name: InMemoryFlag("on", {"on": value}) for name, value in self.values.items()}
        return await InMemoryProvider(flags)._resolve_async(key, None)


@pytest.fixture
def service() -> Scripted:
    return Scripted(**{"generate.mode": "canary", "generate.share_bp": 500, "generate.shadow_bp": 100})


@pytest.fixture
def client(service: Scripted) -> Iterator[OpenFeatureClient]:
    api.set_provider_and_wait(service, "theirs")
    yield api.get_client("theirs")
    api.clear_providers()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def flags(client: OpenFeatureClient, clock: FakeClock) -> OpenFeatureFlags:
    return OpenFeatureFlags(client, salt="cutover-1", clock=clock, timeout_s=0.5)


def test_nothing_goes_to_qwen_before_the_provider_was_asked(flags: OpenFeatureFlags) -> None:
    assert flags.current().problem == "the flag provider was not asked yet"


async def test_what_the_provider_sets_is_in_force_and_the_rest_is_legacy(flags: OpenFeatureFlags) -> None:
    await flags.refresh()

    now = flags.current()
    assert now.flag(Operation.GENERATE) == Flag(mode=Mode.CANARY, share_bp=500, shadow_bp=100)
    assert now.flag(Operation.CLONE) == Flag()
    assert (now.salt, now.problem) == ("cutover-1", None)


async def test_the_version_changes_with_the_values_and_only_then(flags: OpenFeatureFlags, service: Scripted) -> None:
    await flags.refresh()
    first = flags.current().version
    await flags.refresh()
    second = flags.current().version
    service.values["generate.share_bp"] = 2_500
    await flags.refresh()

    assert first == second != flags.current().version


async def test_a_provider_that_is_down_counts_until_its_last_answer_is_too_old(
    flags: OpenFeatureFlags, service: Scripted, clock: FakeClock
) -> None:
    await flags.refresh()
    service.down = True

    clock.advance(9.0)
    await flags.refresh()
    still = flags.current()
    clock.advance(2.0)

    assert still.flag(Operation.GENERATE).mode is Mode.CANARY
    assert flags.current().flag(Operation.GENERATE).mode is Mode.LEGACY
    assert flags.current().problem == "the flag provider gave no answer for 10 s"

    service.down = False
    await flags.refresh()

    assert flags.current().flag(Operation.GENERATE).mode is Mode.CANARY


async def test_a_provider_that_hangs_holds_up_nobody(client: OpenFeatureClient, service: Scripted) -> None:
    flags = OpenFeatureFlags(client, salt="s", clock=FakeClock(), timeout_s=0.02)

    async def hang(key: str) -> FlagResolutionDetails:
        await asyncio.Event().wait()
        raise AssertionError

    service._answer = hang  # type: ignore[method-assign]
    await flags.refresh()

    assert flags.current().problem == "the flag provider was not asked yet"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        pytest.param("generate.mode", "mirror", "generate.mode: 'mirror' is no mode", id="unknown mode"),
        pytest.param("generate.share_bp", 10_001, "10001 is not between 0 and 10000", id="more than everybody"),
        pytest.param("clone.shadow_bp", -1, "-1 is not between", id="less than nobody"),
    ],
)
async def test_a_value_that_makes_no_sense_is_legacy_for_all(
    flags: OpenFeatureFlags, service: Scripted, key: str, value: object, complaint: str
) -> None:
    await flags.refresh()
    service.values[key] = value

    await flags.refresh()

    assert complaint in (flags.current().problem or "")
    assert flags.current().flag(Operation.GENERATE) == Flag()


async def test_flags_that_change_while_they_are_asked_for_are_not_mixed(
    flags: OpenFeatureFlags, service: Scripted
) -> None:
    await flags.refresh()
    before = flags.current()
    answers = 0

    def flip() -> None:
        nonlocal answers
        answers += 1
        service.values["generate.share_bp"] = answers

    service.asked = flip
    await flags.refresh()

    assert flags.current() is before


def our_own() -> CutoverProvider:
    class Fixed:
        def current(self) -> FlagSet:
            return FlagSet(version="v", salt="s", flags={Operation.DESIGN: Flag(mode=Mode.QWEN, spill_bp=5)})

    return CutoverProvider(Fixed())


async def test_a_setting_names_the_provider_and_ours_reads_back_the_same() -> None:
    flags = OpenFeatureFlags(connect(f"{__name__}:our_own"), salt="s", clock=FakeClock())

    await flags.refresh()

    assert flags.current().flag(Operation.DESIGN) == Flag(mode=Mode.QWEN, spill_bp=5)
    api.clear_providers()


def broken() -> CutoverProvider:
    raise RuntimeError("no address")


@pytest.mark.parametrize("target", ["", "nowhere", "no_such_module:x", "json:nothing", f"{__name__}:broken"])
def test_a_setting_that_names_no_provider_is_refused(target: str) -> None:
    with pytest.raises(ConfigError, match="cannot be imported|did not come up"):
        connect(target)
