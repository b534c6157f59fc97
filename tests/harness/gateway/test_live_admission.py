import pytest

from harness.errors import NotAdmitted
from harness.exchanges import Lane
from harness.gateway.live_admission import LiveAdmission
from harness.providers.base import PaidCall

CALL = PaidCall(provider="qwen", purpose="speak", attempt=1, worst_microusd=900)


async def test_the_kill_switch_is_asked_right_before_a_call_to_qwen() -> None:
    reasons: list[str | None] = [None, "KILL"]
    admission = LiveAdmission(Lane.CANDIDATE, kill_reason=lambda: reasons.pop(0))

    await admission.admit(CALL)
    with pytest.raises(NotAdmitted):
        await admission.admit(CALL)

    assert admission.calls == 1


async def test_legacy_is_not_stopped_by_it() -> None:
    admission = LiveAdmission(Lane.CONTROL, kill_reason=lambda: "KILL")

    await admission.admit(CALL)

    assert admission.calls == 1


def test_an_unsure_cost_counts_with_its_worst() -> None:
    admission = LiveAdmission(Lane.CANDIDATE, kill_reason=lambda: None)

    admission.settle(CALL, 100)
    admission.settle(CALL, None)

    assert admission.microusd == 1_000


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    admission = LiveAdmission(Lane.CANDIDATE, kill_reason=lambda: None)

    admission.settle(PaidCall(provider="qwen", purpose="speak", attempt=1, worst_microusd=None), None)
    admission.settle(CALL, 100)

    assert admission.microusd is None
