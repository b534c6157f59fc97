from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.flags.flagset import ALL_BP, Flag, FlagSet, Mode
from harness.flags.kill_switch import KILL_VARIABLE, KillSwitch
from harness.routing.breaker import BreakerRules
from harness.routing.breakers import Breakers
from harness.routing.route import Because, Ceiling, Route
from harness.routing.router import Router
from harness.speech import Operation
from tests.counted import calls_of

SPEAK = Operation.GENERATE


class World:
    """A router and everything that decides for it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.environ: dict[str, str] = {}
        self.flags = FlagSet(version="f1", salt="cutover-1", flags={SPEAK: Flag(mode=Mode.QWEN)})
        self.allowed = Ceiling(version=3, name="100%", share_bp=ALL_BP, copies=True)
        self.environment: dict[Operation, Flag] = {}
        self.router = Router(
            kill_switch=KillSwitch(folder / "KILL", environ=self.environ),
            flags=self,
            rollout=self,
            breakers=Breakers(clock=self.clock, rules=BreakerRules()),
            environment=self.environment,
        )

    def current(self) -> FlagSet:
        return self.flags

    def ceiling(self, operation: Operation) -> Ceiling:
        return self.allowed

    def set(self, **flag: object) -> None:
        self.flags = FlagSet(version="f2", salt="cutover-1", flags={SPEAK: Flag(**flag)})  # type: ignore[arg-type]

    def route(self, unit: str | None = "voice-anna") -> Route:
        return self.router.route(SPEAK, unit=unit, request_id="r1")

    def break_(self, lane: Lane) -> None:
        breaker = self.router.breakers.of(lane, SPEAK)
        while permit := breaker.ask_permit():
            breaker.record(permit, ErrorKind.OVERLOADED)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_request_in_the_share_gets_qwen_with_a_permit(world: World) -> None:
    route = world.route()

    assert (route.lane, route.because, route.fallback) == (Lane.CANDIDATE, Because.IN_SHARE, Lane.CONTROL)
    assert route.permit is not None
    assert not route.permit.probe


@pytest.mark.parametrize("how", ["file", "variable"])
def test_the_kill_switch_holds_from_the_next_request_on(world: World, tmp_path: Path, how: str) -> None:
    before = world.route()

    if how == "file":
        (tmp_path / "KILL").touch()
    else:
        world.environ[KILL_VARIABLE] = "1"

    after = world.route()
    assert (before.lane, after.lane, after.because) == (Lane.CANDIDATE, Lane.CONTROL, Because.KILLED)
    assert world.router.is_killed
    assert after.copy_to is None


@pytest.mark.parametrize(
    ("killed", "environment", "file", "rollout_bp", "lane"),
    [
        pytest.param(True, Mode.QWEN, Mode.QWEN, ALL_BP, Lane.CONTROL, id="kill switch over all"),
        pytest.param(False, Mode.LEGACY, Mode.QWEN, ALL_BP, Lane.CONTROL, id="environment over file, down"),
        pytest.param(False, Mode.QWEN, Mode.LEGACY, ALL_BP, Lane.CANDIDATE, id="environment over file, up"),
        pytest.param(False, Mode.QWEN, Mode.LEGACY, 0, Lane.CONTROL, id="but never over the rollout's share"),
        pytest.param(False, None, Mode.QWEN, ALL_BP, Lane.CANDIDATE, id="file where the environment is silent"),
        pytest.param(False, None, Mode.LEGACY, ALL_BP, Lane.CONTROL, id="file over rollout"),
        pytest.param(False, None, Mode.QWEN, 0, Lane.CONTROL, id="the smaller share"),
    ],
)
def test_the_order_of_power(
    world: World, killed: bool, environment: Mode | None, file: Mode, rollout_bp: int, lane: Lane
) -> None:
    if killed:
        world.environ[KILL_VARIABLE] = "1"
    if environment:
        world.environment[SPEAK] = Flag(mode=environment)
    world.set(mode=file)
    world.allowed = Ceiling(version=1, name="test", share_bp=rollout_bp)

    assert world.route().lane is lane


def test_a_route_by_the_environment_says_so_in_its_version(world: World) -> None:
    world.environment[SPEAK] = Flag(mode=Mode.LEGACY)

    assert world.route().flag_version == "f1+env"


def test_flags_that_cannot_be_read_outdo_the_environment_since_there_is_no_salt(world: World) -> None:
    world.environment[SPEAK] = Flag(mode=Mode.QWEN)
    world.flags = FlagSet.all_legacy("flags.toml: is empty")

    assert world.route().because is Because.FLAGS_UNUSABLE


def test_callers_get_legacy_while_qwen_is_down(world: World) -> None:
    world.break_(Lane.CANDIDATE)

    route = world.route()

    assert (route.lane, route.because) == (Lane.CONTROL, Because.CANDIDATE_DOWN)
    assert (route.copy_to, route.fallback) == (None, None)
    assert route.permit is not None


def test_a_copy_rather_than_a_caller_finds_out_whether_qwen_is_back(world: World) -> None:
    world.break_(Lane.CANDIDATE)
    world.clock.advance(30.0)

    probing, other = world.route(), world.route()

    assert (probing.lane, probing.because, probing.copy_to) == (Lane.CONTROL, Because.PROBE, Lane.CANDIDATE)
    assert probing.copy_permit is not None
    assert probing.copy_permit.probe
    assert (other.because, other.copy_permit) == (Because.CANDIDATE_DOWN, None)


def test_two_good_probes_bring_qwen_back(world: World) -> None:
    world.break_(Lane.CANDIDATE)
    world.clock.advance(30.0)

    for _ in range(2):
        probe = world.route().copy_permit
        assert probe is not None
        world.router.breakers.of(Lane.CANDIDATE, SPEAK).record(probe, None)

    assert world.route().lane is Lane.CANDIDATE


def test_with_both_down_there_is_no_permit_so_the_caller_is_told_at_once(world: World) -> None:
    world.break_(Lane.CANDIDATE)
    world.break_(Lane.CONTROL)

    assert world.route().permit is None


def test_with_both_down_a_callers_own_request_finds_out(world: World) -> None:
    world.break_(Lane.CONTROL)
    world.break_(Lane.CANDIDATE)
    world.clock.advance(30.0)
    control = world.router.breakers.of(Lane.CONTROL, SPEAK)
    assert control.ask_permit() is not None  # legacy's one probe is under way

    route = world.route()

    assert (route.lane, route.copy_to, route.copy_permit) == (Lane.CANDIDATE, None, None)
    assert route.permit is not None
    assert route.permit.probe


def test_a_provider_that_is_down_gets_no_copies(world: World) -> None:
    world.set(mode=Mode.SHADOW, shadow_bp=ALL_BP)
    before = world.route()

    world.break_(Lane.CANDIDATE)

    assert (before.copy_to, world.route().copy_to) == (Lane.CANDIDATE, None)


def test_legacy_is_retired_so_qwen_is_tried_whatever_its_health(world: World) -> None:
    world.allowed = Ceiling(version=1, name="retired", share_bp=ALL_BP, retired=True)
    world.break_(Lane.CANDIDATE)
    down = world.route()
    world.clock.advance(30.0)
    probe = world.route()

    assert (down.lane, down.permit, down.because) == (Lane.CANDIDATE, None, Because.RETIRED)
    assert probe.permit is not None


# voice-anna is in bucket 2340.
@pytest.mark.parametrize(
    ("spill_bp", "rollout_bp", "killed", "spills"),
    [
        pytest.param(0, 100, False, False, id="not allowed"),
        pytest.param(2_341, 100, False, True, id="allowed"),
        pytest.param(2_340, 100, False, False, id="allowed for others"),
        pytest.param(ALL_BP, 0, False, False, id="never before a canary"),
        pytest.param(ALL_BP, 100, True, False, id="never when killed"),
    ],
)
def test_callers_of_a_dead_legacy_spill_over_as_far_as_the_flag_allows(
    world: World, spill_bp: int, rollout_bp: int, killed: bool, spills: bool
) -> None:
    world.set(mode=Mode.CANARY, share_bp=100, spill_bp=spill_bp)
    world.allowed = Ceiling(version=1, name="1%", share_bp=rollout_bp)
    world.break_(Lane.CONTROL)
    if killed:
        world.environ[KILL_VARIABLE] = "1"

    route = world.route()

    assert (route.permit is not None) == spills
    assert (route.lane is Lane.CANDIDATE) == spills
    assert (route.because is Because.SPILL) == spills


def test_a_thousand_flips_give_every_request_one_version(world: World) -> None:
    shares = {"even": 10_000, "odd": 0}
    for turn in range(1_000):
        version = "even" if turn % 2 == 0 else "odd"
        flag = Flag(mode=Mode.CANARY, share_bp=shares[version])
        world.flags = FlagSet(version=version, salt="cutover-1", flags={SPEAK: flag})

        route = world.route()

        assert route.share_bp == shares[route.flag_version]
        assert (route.lane is Lane.CANDIDATE) == (route.flag_version == "even")


def test_a_route_is_chosen_in_few_steps(world: World) -> None:
    world.route()  # what is made once is made here

    assert calls_of(world.route) < 100
