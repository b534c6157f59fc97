import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exchanges import Lane
from harness.flags.flagset import ALL_BP, Flag, Mode
from harness.routing.bucket import bucket_of
from harness.routing.route import Because, Ceiling, Inputs, assign, share_bp

ANNA = "voice-anna"  # bucket 2340 under this salt
SALT = "cutover-1"


def inputs(**changes: object) -> Inputs:
    base = {
        "killed": None,
        "flag": Flag(mode=Mode.QWEN),
        "flag_version": "f1",
        "flag_problem": None,
        "salt": SALT,
        "ceiling": Ceiling(version=3, name="100%", share_bp=ALL_BP, copies=True),
        "unit": ANNA,
        "request_id": "r1",
    }
    return Inputs(**{**base, **changes})  # type: ignore[arg-type]


def ceiling(share_bp: int, *, copies: bool = True, retired: bool = False) -> Ceiling:
    return Ceiling(version=3, name="test", share_bp=share_bp, copies=copies, retired=retired)


# Kill switch over flags over rollout: every combination, with what must come out of it.
TRUTH = [
    (killed, mode, flag_bp, rollout_bp)
    for killed, mode, flag_bp, rollout_bp in itertools.product(
        (None, "KILL"), Mode, (0, 1_000, 5_000), (0, 1_000, 5_000, ALL_BP)
    )
]


@pytest.mark.parametrize(("killed", "mode", "flag_bp", "rollout_bp"), TRUTH)
def test_the_order_of_power(killed: str | None, mode: Mode, flag_bp: int, rollout_bp: int) -> None:
    flag = Flag(mode=mode, share_bp=flag_bp, shadow_bp=ALL_BP)

    route = assign(inputs(killed=killed, flag=flag, ceiling=ceiling(rollout_bp)))

    wanted_bp = {Mode.CANARY: flag_bp, Mode.QWEN: ALL_BP}.get(mode, 0)
    allowed_bp = 0 if killed else min(wanted_bp, rollout_bp)
    assert route.share_bp == allowed_bp
    assert route.lane is (Lane.CANDIDATE if allowed_bp > 2_340 else Lane.CONTROL)
    assert (route.because is Because.KILLED) == (killed is not None)
    may_reach_qwen = Lane.CANDIDATE in (route.lane, route.fallback, route.copy_to)
    assert may_reach_qwen == (killed is None and mode is not Mode.LEGACY)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        pytest.param({"killed": "KILL", "flag_problem": "broken"}, Because.KILLED, id="killed above all"),
        pytest.param({"killed": "KILL", "ceiling": ceiling(ALL_BP, retired=True)}, Because.KILLED, id="even retired"),
        pytest.param({"flag_problem": "broken"}, Because.FLAGS_UNUSABLE, id="flags that cannot be read"),
        pytest.param({"flag": Flag()}, Because.MODE, id="mode legacy"),
        pytest.param({"flag": Flag(mode=Mode.SHADOW)}, Because.MODE, id="mode shadow"),
        pytest.param({"ceiling": ceiling(0)}, Because.NO_ROLLOUT, id="no rollout"),
        pytest.param({"unit": None}, Because.NO_UNIT, id="nobody to stick to"),
        pytest.param({"ceiling": ceiling(2_340)}, Because.OUTSIDE_SHARE, id="one bucket outside"),
        pytest.param({"ceiling": ceiling(2_341)}, Because.IN_SHARE, id="one bucket inside"),
        pytest.param({"ceiling": ceiling(ALL_BP, retired=True), "flag": Flag()}, Because.RETIRED, id="legacy is gone"),
    ],
)
def test_the_first_that_decides_is_named(changes: dict[str, object], because: Because) -> None:
    route = assign(inputs(**changes))

    assert route.because is because
    assert route.lane is (Lane.CANDIDATE if because in (Because.IN_SHARE, Because.RETIRED) else Lane.CONTROL)


def test_qwen_falls_back_to_legacy_and_never_the_other_way_round() -> None:
    assert assign(inputs()).fallback is Lane.CONTROL
    assert assign(inputs(ceiling=ceiling(1))).fallback is None


def test_once_legacy_is_retired_nothing_is_sent_there() -> None:
    route = assign(inputs(ceiling=ceiling(ALL_BP, retired=True), flag=Flag(mode=Mode.QWEN, shadow_bp=ALL_BP)))

    assert (route.lane, route.fallback, route.copy_to) == (Lane.CANDIDATE, None, None)


def test_the_copy_goes_to_whoever_does_not_answer() -> None:
    flag = Flag(mode=Mode.CANARY, share_bp=5_000, shadow_bp=ALL_BP)

    inside, outside = assign(inputs(flag=flag)), assign(inputs(flag=flag, ceiling=ceiling(100)))

    assert (inside.lane, inside.copy_to) == (Lane.CANDIDATE, Lane.CONTROL)
    assert (outside.lane, outside.copy_to) == (Lane.CONTROL, Lane.CANDIDATE)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"killed": "KILL"}, id="killed"),
        pytest.param({"flag_problem": "broken"}, id="flags unusable"),
        pytest.param({"ceiling": ceiling(5_000, copies=False)}, id="rolled back or unreadable"),
        pytest.param({"flag": Flag(mode=Mode.SHADOW, shadow_bp=0)}, id="a share of none"),
        pytest.param({"flag": Flag(mode=Mode.LEGACY, shadow_bp=ALL_BP)}, id="mode legacy"),
    ],
)
def test_nothing_is_copied(changes: dict[str, object]) -> None:
    base = {"flag": Flag(mode=Mode.CANARY, share_bp=5_000, shadow_bp=ALL_BP)}

    assert assign(inputs(**{**base, **changes})).copy_to is None


def test_a_shadow_copies_before_any_rollout_began() -> None:
    flag = Flag(mode=Mode.SHADOW, shadow_bp=ALL_BP)

    route = assign(inputs(flag=flag, ceiling=ceiling(0), unit=None))

    assert (route.lane, route.copy_to, route.bucket) == (Lane.CONTROL, Lane.CANDIDATE, None)


def test_a_route_names_the_versions_it_rests_on() -> None:
    route = assign(inputs())

    assert (route.flag_version, route.rollout_version, route.bucket) == ("f1", 3, 2_340)


@given(st.integers(0, ALL_BP), st.integers(0, ALL_BP), st.sampled_from(Mode), st.text(min_size=1))
def test_nobody_gets_qwen_beyond_flag_and_rollout(flag_bp: int, rollout_bp: int, mode: Mode, unit: str) -> None:
    flag = Flag(mode=mode, share_bp=flag_bp)

    route = assign(inputs(flag=flag, ceiling=ceiling(rollout_bp), unit=unit))

    if route.lane is Lane.CANDIDATE:
        assert bucket_of(SALT, unit) < min(flag.live_bp, rollout_bp)
    assert share_bp(None, flag, ceiling(rollout_bp)) == min(flag.live_bp, rollout_bp)
