"""A provider that stalls must look as slow as it was, however few captures we let out at once.

The case of replay.md: one stall of 3 s in a run of 10 s at 100 captures a second. A closed loop of 8 workers reports a
p99 of 36 ms; what a caller would have seen at the recorded moments is about 3 s.
"""

import os
from pathlib import Path

import pytest

from harness.exchanges import Exchange, Lane
from harness.providers.base import Admission, AudioSink, Deadline, PaidCall
from harness.speech import SpeechRequest
from harness.store.balance import HELD_BACK_SHARE, Balance
from harness.store.runs import Run
from harness.store.seal import seal
from replay.pacing import Constant
from replay.sealed import pairs_of
from replay.timeliness import Timeliness, timeliness
from tests.builders import a_capture, a_request, an_exchange
from tests.live_runs import live_run
from tests.scripted import ScriptedProvider
from tests.virtual_time import VirtualClock, run_in_virtual_time

SERVICE_S = 0.02
STALL_S = (4.0, 7.0)


class StallingProvider(ScriptedProvider):
    """Answers in 20 ms, except that nothing leaves it during the stall."""

    async def synthesize(
        self,
        request: SpeechRequest,
        *,
        admission: Admission,
        deadline: Deadline,
        sink: AudioSink | None = None,
    ) -> Exchange:
        call = PaidCall(provider=self.name, purpose="speak", attempt=1, worst_microusd=1)
        await admission.admit(call)
        began_s = self._clock.monotonic()
        await self._clock.sleep(SERVICE_S)
        begin_s, end_s = STALL_S
        if begin_s <= self._clock.monotonic() < end_s:
            await self._clock.sleep(end_s - self._clock.monotonic())
        admission.settle(call, 1)
        return an_exchange(provider=self.name, service_s=self._clock.monotonic() - began_s)


async def stalled_run(home: Path, *, concurrency: int) -> Balance:
    clock = VirtualClock()
    captures = [a_capture(f"c{number}", request=a_request(f"text {number}")) for number in range(1_000)]
    lanes = {
        lane: StallingProvider(name, clock=clock) for lane, name in ((Lane.CONTROL, "modal"), (Lane.CANDIDATE, "qwen"))
    }
    return await live_run(home, captures, lanes, clock=clock, concurrency=concurrency, pacing=Constant(100.0))


def measured(home: Path) -> Timeliness:
    run = Run(home / "runs" / "r")
    seal(run)
    return timeliness(pairs_of(run.database))


@pytest.mark.parametrize("concurrency", [8, 64, 1_000])
def test_a_stall_of_three_seconds_is_reported_as_three_seconds_at_any_concurrency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, concurrency: int
) -> None:
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)  # no crash is tested here, and time is virtual

    balance = run_in_virtual_time(stalled_run(tmp_path, concurrency=concurrency))

    found = measured(tmp_path)
    assert balance.outcomes() == {"control": {"ok": 1_000}, "candidate": {"ok": 1_000}}
    for lane in ("control", "candidate"):
        assert found.latencies[lane].from_due_p99_s == pytest.approx(3.0, abs=0.15)
    assert found.start_gap.together_share == 1.0


def test_what_a_small_cap_hides_from_the_service_time_is_called_slowed_by_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)

    balance = run_in_virtual_time(stalled_run(tmp_path, concurrency=8))

    service_p99_s, from_due_p99_s = measured(tmp_path).latencies["candidate"]
    assert service_p99_s is not None
    assert service_p99_s < 0.1 < (from_due_p99_s or 0.0)
    assert (balance.held_back_share or 0.0) > HELD_BACK_SHARE
    assert balance.pacing["max_s"] > 2.5
