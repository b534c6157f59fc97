from datetime import date
from pathlib import Path

import pytest

from harness.config import ModalSettings, QwenSettings
from harness.doctor.check import Mark
from harness.doctor.prices import check_prices
from tests.harness.doctor.patients import TODAY, by_name, some_settings


@pytest.mark.parametrize(
    ("today", "model", "mark", "words"),
    [
        (date(2026, 6, 3), "qwen3-tts-vc-2026-01-22", Mark.OK, "$0.115 per 10000 characters"),
        (date(2026, 12, 31), "qwen3-tts-vc-2026-01-22", Mark.WARNING, "212 days ago"),
        (TODAY, "qwen3-tts-vc-2030-01-01", Mark.WARNING, "unknown in ap-southeast-1"),
    ],
    ids=["fresh", "old", "unknown"],
)
def test_prices_are_known_and_fresh_or_pointed_out(
    tmp_path: Path, today: date, model: str, mark: Mark, words: str
) -> None:
    settings = some_settings(tmp_path, qwen=QwenSettings(clone_model=model))
    check = by_name(check_prices(settings, today))[f"price of {model}"]

    assert check.mark is mark
    assert words in check.words


def test_a_price_file_that_cannot_be_read_is_one_bad_check(tmp_path: Path) -> None:
    found = by_name(check_prices(some_settings(tmp_path, prices=tmp_path / "none.toml"), TODAY))

    assert found["prices"].mark is Mark.BAD


@pytest.mark.parametrize(
    ("changes", "mark", "words"),
    [
        ({}, Mark.WARNING, "CUTOVER_MODAL__CPU_CORES and CUTOVER_MODAL__MEMORY_GIB not set, so the legacy path looks"),
        ({"cpu_cores": 4.0}, Mark.WARNING, "CUTOVER_MODAL__MEMORY_GIB not set"),
        ({"cpu_cores": 4.0, "memory_gib": 16.0}, Mark.OK, "4 cores and 16 GiB are billed"),
    ],
    ids=["neither", "cores only", "both"],
)
def test_what_the_bill_of_a_container_leaves_out_is_pointed_out(
    tmp_path: Path, changes: dict[str, float], mark: Mark, words: str
) -> None:
    modal = ModalSettings.model_validate(changes)

    check = by_name(check_prices(some_settings(tmp_path, modal=modal), TODAY))["container"]

    assert check.mark is mark
    assert words in check.words


def test_cores_and_memory_that_are_billed_have_prices_like_anything_else(tmp_path: Path) -> None:
    modal = ModalSettings(cpu_cores=4.0, memory_gib=16.0)
    found = by_name(check_prices(some_settings(tmp_path, modal=modal), TODAY))

    assert found["price of cpu"].words.startswith("$0.0000131 per 1 core_s")
    assert found["price of memory"].words.startswith("$0.00000222 per 1 gib_s")
    assert {found[name].mark for name in ("price of cpu", "price of memory")} == {Mark.OK}
