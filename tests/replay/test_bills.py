from dataclasses import replace
from datetime import timedelta

import pytest

from harness.config import ModalSettings, QwenSettings
from harness.exchanges import Capture, Observed
from harness.providers.pricing import PriceList
from replay.bills import modal_bill, qwen_bill
from tests.builders import NOON, a_capture, a_request
from tests.harness.providers.stubs import PRICES

OBSERVED = Observed(provider="modal", status="ok", first_byte_s=None, total_s=10.0, audio_s=None)
LIST = PriceList.load(PRICES)


def seen(at_s: float = 0.0, *, total_s: float | None = 10.0) -> Capture:
    return a_capture(captured_at=NOON + timedelta(seconds=at_s), observed=replace(OBSERVED, total_s=total_s))


def test_the_legacy_bill_comes_from_what_production_saw_or_is_unknown() -> None:
    settings = ModalSettings()

    assert modal_bill([seen(), seen(60.0)], settings, LIST).usd == pytest.approx(20 * 0.000306)
    assert modal_bill([seen(), a_capture()], settings, LIST).usd is None
    assert modal_bill([seen(), seen(total_s=None)], settings, LIST).fully_loaded_usd is None


def test_the_fully_loaded_bill_carries_the_gpu_that_waits() -> None:
    bill = modal_bill([seen(), seen(60.0), seen(10_000.0)], ModalSettings(), LIST)

    # 30 s of work; 50 s between the first two, and a window of 300 s after each of the two busy times.
    assert bill.usd == pytest.approx(30 * 0.000306)
    assert bill.fully_loaded_usd == pytest.approx((30 + 50 + 2 * 300) * 0.000306)
    assert bill.basis == "3 of 3 captures by observed seconds of A10G, 30 s busy and 650 s idle after 2 starts"


def test_a_shorter_window_and_a_dearer_region_are_settings() -> None:
    settings = ModalSettings(scaledown_window_s=10.0, price_factor=2.0)

    assert modal_bill([seen()], settings, LIST).fully_loaded_usd == pytest.approx(2 * 20 * 0.000306)


def test_the_cores_and_the_memory_of_a_container_are_on_the_bill_busy_or_idle() -> None:
    bill = modal_bill([seen()], ModalSettings(cpu_cores=4.0, memory_gib=16.0), LIST)

    each_s = 0.000306 + 4 * 0.0000131 + 16 * 0.00000222
    assert bill.usd == pytest.approx(10 * each_s, abs=1e-6)
    assert bill.fully_loaded_usd == pytest.approx(310 * each_s, abs=1e-6)
    assert "by observed seconds of A10G with 4 cores and 16 GiB, 10 s busy" in bill.basis


def test_a_gpu_without_a_price_has_an_unknown_bill() -> None:
    bill = modal_bill([seen()], ModalSettings(gpu="A100-40GB"), LIST)

    assert (bill.usd, bill.fully_loaded_usd) == (None, None)


def test_a_model_without_a_price_has_an_unknown_bill_and_nothing_runs_beside_the_candidate() -> None:
    plain, whispered = a_capture(), a_capture(request=a_request(instructions="whisper"))

    bill = qwen_bill([plain], QwenSettings(), LIST, migrated=())
    assert bill.usd == bill.fully_loaded_usd == pytest.approx(0.00013)
    assert qwen_bill([plain, whispered], QwenSettings(), LIST, migrated=()).usd is None
