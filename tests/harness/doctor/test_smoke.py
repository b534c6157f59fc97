from pathlib import Path

from pydantic import SecretStr

from harness.clock import SystemClock
from harness.config import ModalSettings, QwenSettings
from harness.doctor.check import Mark
from harness.doctor.smoke import smoke
from harness.emulators.server import ModalOptions, QwenOptions, running_modal, running_qwen
from tests.canaries import MODAL_KEY, MODAL_SECRET, QWEN_KEY
from tests.harness.doctor.patients import some_settings


async def test_a_word_is_spoken_only_after_its_price_was_agreed_to(tmp_path: Path) -> None:
    prices: list[int | None] = []

    def announce(worst_microusd: int | None) -> bool:
        prices.append(worst_microusd)
        return len(prices) > 1

    async with running_qwen(QwenOptions(time_scale=0.001)) as qwen:
        settings = some_settings(
            tmp_path,
            qwen=QwenSettings(base_url=qwen.base_url, api_key=SecretStr(QWEN_KEY)),
            allow_hosts=frozenset(url.removeprefix("http://") for url in (qwen.base_url, qwen.audio_url or "")),
        )
        checks = [await smoke("qwen", settings, clock=SystemClock(), announce=announce) for _ in range(2)]

    assert prices == [200, 200]  # 18 characters, two of them Han, at $0.10 per 10 000
    assert [check.mark for check in checks] == [Mark.SKIPPED, Mark.OK]
    assert "$0.000200" in checks[1].words


async def test_a_provider_that_counts_other_than_we_do_is_pointed_out(tmp_path: Path) -> None:
    async with running_qwen(QwenOptions(time_scale=0.001, scenario="costly")) as qwen:
        settings = some_settings(
            tmp_path,
            qwen=QwenSettings(base_url=qwen.base_url, api_key=SecretStr(QWEN_KEY)),
            allow_hosts=frozenset(url.removeprefix("http://") for url in (qwen.base_url, qwen.audio_url or "")),
        )
        check = await smoke("qwen", settings, clock=SystemClock(), announce=lambda _: True)

    assert check.mark is Mark.WARNING
    assert "60 characters were billed where we count 20" in check.words


async def test_a_word_that_fails_is_bad(tmp_path: Path) -> None:
    clock = SystemClock()

    checks = [
        await smoke(name, some_settings(tmp_path), clock=clock, announce=lambda _: True) for name in ("qwen", "modal")
    ]

    assert [check.mark for check in checks] == [Mark.BAD, Mark.BAD]


async def test_a_word_at_the_deployment_is_spoken_by_a_voice_that_it_has(tmp_path: Path) -> None:
    async with running_modal(ModalOptions(key=MODAL_KEY, secret=MODAL_SECRET)) as modal:
        settings = some_settings(
            tmp_path,
            modal=ModalSettings(base_url=modal.base_url, key=SecretStr(MODAL_KEY), secret=SecretStr(MODAL_SECRET)),
            allow_hosts=frozenset({modal.base_url.removeprefix("http://")}),
        )
        check = await smoke("modal", settings, clock=SystemClock(), announce=lambda _: True)

    assert check.mark is Mark.OK
