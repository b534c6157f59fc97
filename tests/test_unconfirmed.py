"""docs/unconfirmed.md names settings that exist with the defaults in force, and checks that `cutover doctor` makes."""

import re
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, SecretStr

from harness.clock import SystemClock
from harness.config import PROJECT, ModalSettings, QwenSettings, Settings
from harness.doctor import check_live, check_settings, smoke
from harness.emulators.server import ModalOptions, QwenOptions, running_modal, running_qwen
from tests.canaries import MODAL_KEY, MODAL_SECRET, QWEN_KEY

PAGE = PROJECT / "docs" / "unconfirmed.md"
NOTHING = "–"


class Item(NamedTuple):
    number: str
    words: str
    held_by: str
    default: str


def items() -> list[Item]:
    rows = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [Item(*(cell.strip().strip("`") for cell in row)) for row in rows[2:]]


SETTINGS = [item for item in items() if item.held_by.startswith("CUTOVER_")]
CHECKS = sorted({item.held_by.removeprefix("doctor: ") for item in items() if item.held_by.startswith("doctor: ")})


def default_of(variable: str) -> Any:
    model: type[BaseModel] = Settings
    *sections, name = variable.removeprefix("CUTOVER_").lower().split("__")
    for section in sections:
        annotation = model.model_fields[section].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return model.model_fields[name].get_default(call_default_factory=True)


def test_every_row_is_held_by_a_setting_or_a_check() -> None:
    assert len(items()) == len(SETTINGS) + sum(item.held_by.startswith("doctor: ") for item in items())
    assert len(SETTINGS) > 20


def test_every_item_of_the_list_is_there() -> None:
    numbers = {item.number for item in items()}

    assert {f"F{number}" for number in range(1, 13)} <= numbers


@pytest.mark.parametrize("item", SETTINGS, ids=lambda item: f"{item.number} {item.held_by}")
def test_every_setting_exists_with_the_default_in_force(item: Item) -> None:
    default = default_of(item.held_by)

    if isinstance(default, Path):
        default = default.relative_to(PROJECT)
    assert ("" if item.default == NOTHING else item.default) == ("" if default is None else str(default))


async def test_every_check_is_made(tmp_path: Path) -> None:
    clock = SystemClock()
    async with (
        running_qwen(QwenOptions()) as qwen,
        running_modal(ModalOptions(key=MODAL_KEY, secret=MODAL_SECRET)) as modal,
    ):
        urls = (qwen.base_url, qwen.audio_url or "", modal.base_url)
        settings = Settings(
            home=tmp_path,
            qwen=QwenSettings(base_url=qwen.base_url, api_key=SecretStr(QWEN_KEY)),
            modal=ModalSettings(base_url=modal.base_url, key=SecretStr(MODAL_KEY), secret=SecretStr(MODAL_SECRET)),
            allow_hosts=frozenset(url.removeprefix("http://") for url in urls),
        )
        made = list(check_settings(settings, today=date(2026, 11, 23)))
        made += [check async for check in check_live(settings, clock=clock, wake=True)]
        made.append(await smoke("qwen", settings, clock=clock, announce=lambda _: True))

    names = {check.name for check in made}
    missing = [
        check for check in CHECKS if not any(re.fullmatch(re.escape(check).replace("…", ".+"), name) for name in names)
    ]
    assert missing == []
