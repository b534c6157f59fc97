from dataclasses import replace

import pytest

from harness.gateway.slowness import Slowness
from harness.sections import GatewaySettings
from harness.speech import Operation
from tests.builders import an_exchange


@pytest.mark.parametrize(
    ("service_s", "operation", "slow"),
    [
        (2.1, Operation.GENERATE, True),
        (2.0, Operation.GENERATE, False),
        (9.0, Operation.CLONE, False),
        (11.0, Operation.CLONE, True),
        (99.0, Operation.DESIGN, None),
    ],
)
def test_a_call_is_slow_beyond_its_operations_limit(service_s: float, operation: Operation, slow: bool | None) -> None:
    slowness = Slowness(GatewaySettings(slow_s_generate=2.0, slow_s_clone=10.0))
    exchange = an_exchange()

    assert slowness.of(replace(exchange, timing=replace(exchange.timing, service_s=service_s)), operation) is slow
