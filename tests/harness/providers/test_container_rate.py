from pathlib import Path

import pytest

from harness.config import ModalSettings
from harness.providers.container_rate import ContainerRate
from harness.providers.pricing import PriceList
from tests.harness.providers.stubs import PRICES


def rate(prices: PriceList, **settings: object) -> ContainerRate:
    return ContainerRate(ModalSettings.model_validate(settings), prices)


def test_a_container_nobody_told_of_costs_what_its_gpu_does(prices: PriceList) -> None:
    assert rate(prices).microusd(87.6) == prices.microusd("modal", "us-east", "A10G", "gpu_s", 87.6) == 26_806


@pytest.mark.parametrize(
    ("settings", "microusd"),
    [
        pytest.param({"cpu_cores": 4}, 3_584, id="cores"),  # 10 s of $0.000306 and of 4 times $0.0000131
        pytest.param({"memory_gib": 16}, 3_416, id="memory"),  # 3 415.2: rounded up once, for all of it
        pytest.param({"cpu_cores": 4, "memory_gib": 16}, 3_940, id="both"),
        pytest.param({"cpu_cores": 4, "memory_gib": 16, "price_factor": 2.5}, 9_848, id="in a dearer region"),
        pytest.param({"cpu_cores": 0.125, "memory_gib": 0.125}, 3_080, id="the least that the platform reserves"),
    ],
)
def test_what_it_holds_beside_the_gpu_is_billed_too(
    prices: PriceList, settings: dict[str, object], microusd: int
) -> None:
    assert rate(prices, **settings).microusd(10.0) == microusd


@pytest.mark.parametrize("missing", ["cpu", "memory"])
def test_a_part_without_a_price_makes_the_whole_unknown_unless_it_is_left_out(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES.read_text().replace(f'item = "{missing}"', 'item = "something else"'))
    prices = PriceList.load(path)

    assert rate(prices, cpu_cores=4, memory_gib=16).microusd(10.0) is None
    assert rate(prices).microusd(10.0) == 3_060


def test_a_gpu_without_a_price_is_unknown(prices: PriceList) -> None:
    assert rate(prices, gpu="A100-40GB", cpu_cores=4).microusd(1.0) is None


@pytest.mark.parametrize(
    ("settings", "words", "facts"),
    [
        ({}, "A10G", {}),
        ({"cpu_cores": 4}, "A10G with 4 cores", {"cpu_cores": 4.0}),
        ({"memory_gib": 16}, "A10G with 16 GiB", {"memory_gib": 16.0}),
        (
            {"cpu_cores": 0.5, "memory_gib": 16},
            "A10G with 0.5 cores and 16 GiB",
            {"cpu_cores": 0.5, "memory_gib": 16.0},
        ),
    ],
)
def test_it_tells_what_is_billed(
    prices: PriceList, settings: dict[str, object], words: str, facts: dict[str, float]
) -> None:
    assert (rate(prices, **settings).words, rate(prices, **settings).facts()) == (words, facts)
