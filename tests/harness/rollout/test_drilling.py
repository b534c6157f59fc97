from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import UsageError
from harness.flags.kill_switch import KillSwitch
from harness.rollout.drilling import Spoken, rehearse


class Gateway:
    """Answers by the switch, or as a broken one would."""

    def __init__(
        self,
        switch: KillSwitch,
        clock: FakeClock,
        *,
        heeds: bool = True,
        comes_back: bool = True,
        share: bool = True,
        legacy_status: int = 200,
    ) -> None:
        self._switch = switch
        self._clock = clock
        self._heeds = heeds
        self._comes_back = comes_back
        self._share = share
        self._legacy_status = legacy_status
        self._was_killed = False

    async def speak(self) -> Spoken:
        sent_s = self._clock.monotonic()
        await self._clock.sleep(0.05)
        killed = self._switch.reason() is not None
        self._was_killed |= killed
        stays_away = self._was_killed and not self._comes_back
        if self._share and not stays_away and not (killed and self._heeds):
            return Spoken(sent_s=sent_s, status=200, provider="qwen")
        return Spoken(sent_s=sent_s, status=self._legacy_status, provider="modal")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def switch(tmp_path: Path) -> KillSwitch:
    return KillSwitch(tmp_path / "KILL", environ={})


async def test_a_gateway_that_heeds_the_switch_passes_and_gets_qwen_back(switch: KillSwitch, clock: FakeClock) -> None:
    drill = await rehearse(Gateway(switch, clock), switch, clock=clock, who="anna")

    assert drill.passed, drill.detail
    assert "none by Qwen" in drill.detail
    assert switch.reason() is None
    assert clock.monotonic() < 60


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        pytest.param({"heeds": False}, "sent after the switch", id="goes on sending"),
        pytest.param({"legacy_status": 503}, "no speech after the switch", id="nobody answers"),
        pytest.param({"comes_back": False}, "did not answer again", id="does not come back"),
        pytest.param({"share": False}, "nothing was rehearsed", id="nobody was on Qwen"),
    ],
)
async def test_a_gateway_that_does_not_fails_with_the_reason_and_the_switch_is_lifted(
    switch: KillSwitch, clock: FakeClock, broken: dict[str, bool], said: str
) -> None:
    drill = await rehearse(Gateway(switch, clock, **broken), switch, clock=clock, who="anna")  # type: ignore[arg-type]

    assert not drill.passed
    assert said in drill.detail
    assert switch.reason() is None


async def test_a_switch_that_is_on_is_left_on(switch: KillSwitch, clock: FakeClock) -> None:
    switch.engage(who="ben", why="a real fire", at=clock.now())

    with pytest.raises(UsageError, match="already"):
        await rehearse(Gateway(switch, clock), switch, clock=clock, who="anna")

    assert switch.reason() is not None


async def test_a_gateway_that_crashes_the_drill_leaves_the_switch_off(switch: KillSwitch, clock: FakeClock) -> None:
    class Crashing(Gateway):
        async def speak(self) -> Spoken:
            if self._switch.reason() is not None:
                raise RuntimeError("a bug")
            return await super().speak()

    with pytest.raises(BaseExceptionGroup):
        await rehearse(Crashing(switch, clock), switch, clock=clock, who="anna")

    assert switch.reason() is None
