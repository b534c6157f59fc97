import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.doctor_cli import doctor
from harness.emulators.server import ModalOptions, QwenOptions, Standin, running_modal, running_qwen
from tests.canaries import QWEN_KEY


@pytest.fixture
async def standins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Standin]]:
    async with (
        running_qwen(QwenOptions(time_scale=0.001)) as qwen,
        running_modal(ModalOptions(time_scale=0.001)) as modal,
    ):
        monkeypatch.chdir(tmp_path)
        urls = [qwen.base_url, qwen.audio_url or "", modal.base_url]
        for name, value in {
            "HOME": str(tmp_path),
            "ALLOW_HOSTS": ",".join(url.removeprefix("http://") for url in urls),
            "QWEN__BASE_URL": qwen.base_url,
            "QWEN__API_KEY": QWEN_KEY,
            "MODAL__BASE_URL": modal.base_url,
        }.items():
            monkeypatch.setenv(f"CUTOVER_{name}", value)
        yield {"qwen": qwen, "modal": modal}


async def run(*arguments: str) -> tuple[Result, Any]:
    result = await asyncio.to_thread(CliRunner().invoke, doctor, arguments, standalone_mode=False)
    return result, result.return_value


async def test_all_is_well_with_both_stand_ins_and_no_key_is_shown(standins: dict[str, Standin]) -> None:
    result, status = await run()

    assert status == 0
    assert "ok       qwen reached: " in result.stdout
    assert "skipped  modal reached: " in result.stdout
    assert QWEN_KEY not in result.output
    assert "0 of " in result.stderr


async def test_the_price_of_a_word_is_told_first_and_nothing_sent_without_yes(standins: dict[str, Standin]) -> None:
    result, status = await run("--smoke", "--json")
    agreed, _ = await run("--smoke", "--yes", "--json")

    assert status == 0
    assert "One word at qwen costs at most $0.000200." in result.stderr
    marks = [{row["name"]: row["mark"] for row in json.loads(each.stdout)["checks"]} for each in (result, agreed)]
    assert [found["qwen speech"] for found in marks] == ["skipped", "ok"]
    assert [found["modal speech"] for found in marks] == ["skipped", "ok"]


async def test_offline_asks_nobody(standins: dict[str, Standin]) -> None:
    result, status = await run("--offline", "--json")

    assert status == 0
    assert not any("reached" in row["name"] for row in json.loads(result.stdout)["checks"])


async def test_offline_and_a_call_exclude_each_other(standins: dict[str, Standin]) -> None:
    result, _ = await run("--offline", "--wake")

    assert "choose" in str(result.exception)


async def test_what_is_bad_shows_in_the_exit_status(
    standins: dict[str, Standin], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUTOVER_QWEN__API_KEY")
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)

    result, status = await run()

    assert status == 4
    assert "bad      qwen key: CUTOVER_QWEN__API_KEY is not set" in result.stdout
