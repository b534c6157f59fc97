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


@pytest.mark.parametrize(("waited_s", "slow"), [(2.9, True), (3.1, False)])
def test_what_a_slow_reader_held_up_is_not_the_providers(waited_s: float, slow: bool) -> None:
    exchange = an_exchange()
    held_up = replace(
        exchange,
        timing=replace(exchange.timing, service_s=5.0),
        facts={"listener_bytes": 96_000, "listener_waited_s": waited_s},
    )

    assert Slowness(GatewaySettings(slow_s_generate=2.0)).of(held_up, Operation.GENERATE) is slow
