from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from harness.clock import FakeClock, SystemClock
from harness.config import ModalSettings, QwenSettings, Settings
from harness.doctor import Check, Mark, check_live, check_settings, load_retirements, smoke
from harness.emulators.server import ModalOptions, QwenOptions, running_modal, running_qwen
from harness.errors import ConfigError
from tests.builders import NOON
from tests.harness.providers.stubs import CANARY, a_server, connections, says

TODAY = date(2026, 11, 23)
NOWHERE = "http://127.0.0.1:9"


def some_settings(home: Path, **changes: Any) -> Settings:
    base = {
        "home": home,
        "qwen": QwenSettings(base_url=NOWHERE, api_key=SecretStr(CANARY), max_attempts=1),
        "modal": ModalSettings(base_url=NOWHERE, key=SecretStr("wk-1"), secret=SecretStr("ws-1"), max_attempts=1),
        "allow_hosts": frozenset({"127.0.0.1:9"}),
    }
    return Settings(**(base | changes))


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


async def live(settings: Settings, *, wake: bool = False) -> dict[str, Check]:
    return by_name([check async for check in check_live(settings, clock=SystemClock(), wake=wake)])


def test_settings_are_looked_at_without_a_connection_and_without_showing_a_key(tmp_path: Path) -> None:
    with connections() as made:
        checks = list(check_settings(some_settings(tmp_path), today=TODAY))

    assert made == []
    assert CANARY not in repr(checks)
    found = by_name(checks)
    assert found["data folder"].mark is Mark.OK
    assert found["qwen key"].mark is Mark.OK
    assert found["stand-ins"].mark is Mark.WARNING
    assert not any(check.mark is Mark.BAD for check in checks)


@pytest.mark.parametrize(
    ("changes", "mark", "words"),
    [
        pytest.param({}, Mark.OK, "ap-southeast-1", id="as it is"),
        pytest.param(
            {"base_url": "https://dashscope.aliyuncs.com"}, Mark.BAD, "leads to cn-beijing", id="the address of another"
        ),
        pytest.param(
            {"base_url": "https://w1.cn-beijing.maas.aliyuncs.com", "region": "cn-beijing"},
            Mark.OK,
            "cn-beijing",
            id="a workspace",
        ),
        pytest.param({"region": "us-east-1"}, Mark.WARNING, "speech in us-east-1 is not documented", id="undocumented"),
        pytest.param({"base_url": NOWHERE}, Mark.OK, "ap-southeast-1", id="a stand-in"),
    ],
)
def test_address_and_region_belong_together(tmp_path: Path, changes: dict[str, str], mark: Mark, words: str) -> None:
    qwen = QwenSettings.model_validate({"api_key": CANARY, **changes})

    check = by_name(check_settings(some_settings(tmp_path, qwen=qwen), today=TODAY))["qwen region"]

    assert check.mark is mark
    assert words in check.words


def test_a_model_that_cannot_speak_with_its_voices_is_bad(tmp_path: Path) -> None:
    qwen = QwenSettings(api_key=SecretStr(CANARY), clone_model="qwen3-tts-vd-2026-01-26")

    check = by_name(check_settings(some_settings(tmp_path, qwen=qwen), today=TODAY))["model for clone voices"]

    assert check.mark is Mark.BAD
    assert "CUTOVER_QWEN__CLONE_MODEL" in check.words


def test_two_keys_can_be_told_apart(tmp_path: Path) -> None:
    words = {
        by_name(check_settings(some_settings(tmp_path, qwen=QwenSettings(api_key=SecretStr(key))), today=TODAY))[
            "qwen key"
        ].words
        for key in ("sk-a", "sk-a", "sk-b")
    }

    assert len(words) == 2


def test_a_missing_key_is_bad_for_qwen_and_a_choice_for_modal(tmp_path: Path) -> None:
    settings = some_settings(tmp_path, qwen=QwenSettings(), modal=ModalSettings(base_url=NOWHERE))
    found = by_name(check_settings(settings, today=TODAY))

    assert (found["qwen key"].mark, found["modal key"].mark) == (Mark.BAD, Mark.SKIPPED)
    assert "CUTOVER_QWEN__API_KEY" in found["qwen key"].words


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
    check = by_name(check_settings(settings, today=today))[f"price of {model}"]

    assert check.mark is mark
    assert words in check.words


def test_a_price_file_that_cannot_be_read_is_one_bad_check(tmp_path: Path) -> None:
    found = by_name(check_settings(some_settings(tmp_path, prices=tmp_path / "none.toml"), today=TODAY))

    assert found["prices"].mark is Mark.BAD


@pytest.mark.parametrize(
    ("today", "words"), [(date(2026, 9, 1), "ends on 2026-10-10"), (TODAY, "was to end on 2026-10-10")]
)
def test_a_model_whose_end_was_announced_is_pointed_out(tmp_path: Path, today: date, words: str) -> None:
    check = by_name(check_settings(some_settings(tmp_path), today=today))["model qwen-voice-design"]

    assert check.mark is Mark.WARNING
    assert words in check.words
    assert "CUTOVER_QWEN__VOICE_DESIGN_MODEL" in check.words


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = by_name(check_settings(some_settings(tmp_path / "file" / "home"), today=TODAY))

    assert found["data folder"].mark is Mark.BAD


@pytest.mark.parametrize("content", ["[[retirement]]\nmodel = 1\n", "schema = 1\n", "oops", None])
def test_announcements_that_cannot_be_read_are_told_with_their_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "retirements.toml"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigError, match="retirements.toml"):
        load_retirements(path)


async def test_both_providers_are_reached_free_of_charge(tmp_path: Path) -> None:
    async with (
        running_qwen(QwenOptions(time_scale=0.001)) as qwen,
        running_modal(ModalOptions(time_scale=0.001, key="wk-1", secret="ws-1")) as modal,
    ):
        settings = some_settings(
            tmp_path,
            qwen=QwenSettings(base_url=qwen.base_url, api_key=SecretStr("sk-stand-in")),
            modal=ModalSettings(base_url=modal.base_url, key=SecretStr("wk-1"), secret=SecretStr("ws-1")),
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
        modal = ModalSettings(base_url=server.url, key=SecretStr("wk-1"), secret=SecretStr("ws-1"))
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
            qwen=QwenSettings(base_url=server.url, api_key=SecretStr("sk-x")),
            allow_hosts=frozenset({server.authority, "127.0.0.1:9"}),
        )
        checks = by_name([check async for check in check_live(settings, clock=clock, wake=False)])

    assert checks["qwen clock"].mark is mark
    assert words in checks["qwen clock"].words


async def test_a_word_is_spoken_only_after_its_price_was_agreed_to(tmp_path: Path) -> None:
    prices: list[int | None] = []

    def announce(worst_microusd: int | None) -> bool:
        prices.append(worst_microusd)
        return len(prices) > 1

    async with running_qwen(QwenOptions(time_scale=0.001)) as qwen:
        settings = some_settings(
            tmp_path,
            qwen=QwenSettings(base_url=qwen.base_url, api_key=SecretStr("sk-stand-in")),
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
            qwen=QwenSettings(base_url=qwen.base_url, api_key=SecretStr("sk-stand-in")),
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
