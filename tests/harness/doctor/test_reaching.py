from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.clock import FakeClock, SystemClock
from harness.config import ModalSettings, QwenSettings, Settings
from harness.doctor.check import Check, Mark
from harness.doctor.reaching import check_live
from harness.emulators.server import ModalOptions, QwenOptions, running_modal, running_qwen
from tests.builders import NOON
from tests.canaries import MODAL_KEY, MODAL_SECRET, QWEN_KEY
from tests.harness.doctor.patients import by_name, some_settings
from tests.harness.providers.stubs import a_server, says


async def live(settings: Settings, *, wake: bool = False) -> dict[str, Check]:
    return by_name([check async for check in check_live(settings, clock=SystemClock(), wake=wake)])


async def test_both_providers_are_reached_free_of_charge(tmp_path: Path) -> None:
    async with (
        running_qwen(QwenOptions(time_scale=0.001)) as qwen,
        running_modal(ModalOptions(time_scale=0.001, key=MODAL_KEY, secret=MODAL_SECRET)) as modal,
    ):
        settings = some_settings(
            tmp_path,
            qwen=QwenSettings(base_url=qwen.base_url, api_key=SecretStr(QWEN_KEY)),
            modal=ModalSettings(base_url=modal.base_url, key=SecretStr(MODAL_KEY), secret=SecretStr(MODAL_SECRET)),
            allow_hosts=frozenset(url.removeprefix("http://") for url in (qwen.base_url, modal.base_url)),
        )
        found = await live(settings)
        woken = await live(settings, wake=True)

    assert {name: check.mark for name, check in found.items()} == {
        "qwen reached": Mark.OK,
        "qwen clock": Mark.OK,
        "modal reached": Mark.OK,
        "modal clock": Mark.OK,
    }
    assert "0 of 1000 voices" in found["qwen reached"].words
    assert woken["modal health"].mark is Mark.OK


async def test_providers_that_are_not_there_are_bad(tmp_path: Path) -> None:
    found = await live(some_settings(tmp_path))

    assert (found["qwen reached"].mark, found["modal reached"].mark) == (Mark.BAD, Mark.BAD)
    assert (found["qwen clock"].mark, found["modal clock"].mark) == (Mark.SKIPPED, Mark.SKIPPED)


async def test_settings_that_open_no_provider_are_bad_and_not_fatal(tmp_path: Path) -> None:
    found = await live(some_settings(tmp_path, qwen=QwenSettings(), modal=ModalSettings()))

    assert "CUTOVER_QWEN__API_KEY" in found["qwen reached"].words
    assert "CUTOVER_MODAL__BASE_URL" in found["modal reached"].words


async def test_a_deployment_that_is_open_to_all_is_asked_only_when_told(tmp_path: Path) -> None:
    async with a_server(says({"status": "healthy"})) as server:
        settings = some_settings(
            tmp_path, modal=ModalSettings(base_url=server.url), allow_hosts=frozenset({server.authority, "127.0.0.1:9"})
        )
        found = await live(settings)
        asked = len(server.seen)

    assert found["modal reached"].mark is Mark.SKIPPED
    assert asked == 0


async def test_a_deployment_that_answers_without_the_key_is_pointed_out(tmp_path: Path) -> None:
    async with a_server(says({"status": "healthy"}, date="Mon, 23 Nov 2026 00:00:00 GMT")) as server:
        modal = ModalSettings(base_url=server.url, key=SecretStr(MODAL_KEY), secret=SecretStr(MODAL_SECRET))
        allowed = frozenset({server.authority, "127.0.0.1:9"})
        found = await live(some_settings(tmp_path, modal=modal, allow_hosts=allowed))

    assert found["modal reached"].mark is Mark.WARNING
    assert "requires_proxy_auth" in found["modal reached"].words
    assert "modal-key" not in server.seen[0].headers


@pytest.mark.parametrize(
    ("server_time", "mark", "words"),
    [
        ("Mon, 23 Nov 2026 11:58:00 GMT", Mark.WARNING, "120 s ahead"),
        ("Mon, 23 Nov 2026 12:02:00 GMT", Mark.WARNING, "120 s behind"),
        ("Mon, 23 Nov 2026 12:00:02 GMT", Mark.OK, "2 s behind"),
        ("yesterday", Mark.SKIPPED, "no reply told the time"),
    ],
)
async def test_our_clock_is_compared_with_the_servers(tmp_path: Path, server_time: str, mark: Mark, words: str) -> None:
    clock = FakeClock(NOON)
    listed = {"output": {"voice_list": [], "total_count": 0}}
    async with a_server(says(listed, date=server_time)) as server:
        settings = some_settings(
            tmp_path,
            qwen=QwenSettings(base_url=server.url, api_key=SecretStr(QWEN_KEY)),
            allow_hosts=frozenset({server.authority, "127.0.0.1:9"}),
        )
        checks = by_name([check async for check in check_live(settings, clock=clock, wake=False)])

    assert checks["qwen clock"].mark is mark
    assert words in checks["qwen clock"].words
