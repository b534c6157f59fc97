import asyncio
from collections.abc import Callable

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import GeneralError
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from harness.clock import FakeClock
from harness.errors import ConfigError
from harness.flags.flagset import Flag, FlagSet, Mode
from harness.flags.openfeature_flags import OpenFeatureFlags, load_provider
from harness.flags.openfeature_provider import CutoverProvider
from harness.speech import Operation


class Scripted(InMemoryProvider):
    """A flag service whose values, failures and pauses the test sets."""

    def __init__(self, **values: object) -> None:
        self.values = values
        self.down = False
        self.hangs = False
        self.asked: Callable[[], object] = lambda: None
        super().__init__({})

    async def resolve_string_details_async(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        await self._be_asked()
        return await super().resolve_string_details_async(flag_key, default_value, evaluation_context)

    async def resolve_integer_details_async(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        await self._be_asked()
        return await super().resolve_integer_details_async(flag_key, default_value, evaluation_context)

    async def _be_asked(self) -> None:
        if self.down:
            raise GeneralError("no route to flags")
        if self.hangs:
            await asyncio.Event().wait()
        self.asked()
        super().__init__({name: InMemoryFlag("on", {"on": value}) for name, value in self.values.items()})


@pytest.fixture
def service() -> Scripted:
    return Scripted(**{"generate.mode": "canary", "generate.share_bp": 500, "generate.shadow_bp": 100})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def flags(service: Scripted, clock: FakeClock) -> OpenFeatureFlags:
    return OpenFeatureFlags(service, salt="cutover-1", clock=clock, timeout_s=0.5)


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


async def test_a_provider_that_hangs_holds_up_nobody(service: Scripted) -> None:
    flags = OpenFeatureFlags(service, salt="s", clock=FakeClock(), timeout_s=0.02)
    service.hangs = True

    await flags.refresh()

    assert flags.current().problem == "the flag provider was not asked yet"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        pytest.param("generate.mode", "mirror", "generate.mode: 'mirror' is no mode", id="unknown mode"),
        pytest.param(
            "generate.share_bp", 10_001, "10001 is not a whole number from 0 to 10000", id="more than everybody"
        ),
        pytest.param("clone.spill_bp", True, "True is not a whole number", id="a boolean"),
        pytest.param("clone.shadow_bp", -1, "-1 is not a whole number", id="less than nobody"),
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
    flags = OpenFeatureFlags(load_provider(f"{__name__}:our_own"), salt="s", clock=FakeClock())

    await flags.refresh()

    assert flags.current().flag(Operation.DESIGN) == Flag(mode=Mode.QWEN, spill_bp=5)


def broken() -> CutoverProvider:
    raise RuntimeError("no address")


@pytest.mark.parametrize("target", ["", "nowhere", "no_such_module:x", "json:nothing", f"{__name__}:broken"])
def test_a_setting_that_names_no_provider_is_refused(target: str) -> None:
    with pytest.raises(ConfigError, match="cannot be imported|did not come up"):
        load_provider(target)


async def test_the_end_of_its_task_passes_through(flags: OpenFeatureFlags, service: Scripted) -> None:
    service.hangs = True
    task = asyncio.ensure_future(flags.refresh())
    await asyncio.sleep(0.01)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
