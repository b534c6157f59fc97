from pathlib import Path

import aiohttp
import pytest

from harness.emulators.server import ModalOptions, QwenOptions, running_modal, running_qwen
from harness.errors import ConfigError, UsageError
from tests.harness.emulators.callers import Caller


async def test_each_stand_in_has_its_own_address(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as qwen, running_modal() as modal:
        addresses = [qwen.base_url, qwen.audio_url, modal.base_url]

        assert len(set(addresses)) == 3
        assert modal.audio_url is None
        assert (await Caller(session, modal.base_url).get("/health")).status == 200


async def test_nothing_listens_when_it_is_over(session: aiohttp.ClientSession) -> None:
    async with running_qwen() as standin:
        pass

    for address in (standin.base_url, standin.audio_url):
        with pytest.raises(aiohttp.ClientConnectorError):
            await Caller(session, str(address)).get("/_standin/meter")


async def test_a_misspelt_scenario_does_not_start() -> None:
    with pytest.raises(UsageError, match="no scenario 'hungry'"):
        async with running_qwen(QwenOptions(scenario="hungry")):
            pass
    with pytest.raises(UsageError, match="no scenario 'hungry'"):
        async with running_modal(ModalOptions(scenario="hungry")):
            pass


async def test_a_port_in_use_names_its_option() -> None:
    async with running_modal() as first:
        port = int(first.base_url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"port {port} .* choose another with --port"):
            async with running_qwen(QwenOptions(port=port)):
                pass
        with pytest.raises(UsageError, match=f"port {port} .* choose another with --audio-port"):
            async with running_qwen(QwenOptions(audio_port=port)):
                pass


async def test_an_account_that_is_none_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "account.jsonl").write_text("hello\n")

    with pytest.raises(ConfigError, match="line 1 is no event"):
        async with running_modal(ModalOptions(account=tmp_path / "account.jsonl")):
            pass


async def test_the_bill_of_the_legacy_path_is_found_again(
    session: aiohttp.ClientSession, tmp_path: Path, wav: bytes
) -> None:
    options = ModalOptions(account=tmp_path / "account.jsonl")
    async with running_modal(options) as standin:
        answer = await Caller(session, standin.base_url).clone(recording=wav)
    async with running_modal(options) as standin:
        meter = standin.account.meter()

    assert meter["billed"] == {"A10G": {"gpu_s": float(answer.headers["X-Inference-Seconds"])}}
