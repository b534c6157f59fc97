from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.config import ModalSettings, QwenSettings
from harness.doctor.check import Mark
from harness.doctor.setup import check_settings
from tests.harness.doctor.patients import NOWHERE, TODAY, by_name, some_settings
from tests.harness.providers.stubs import CANARY, connections


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


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = by_name(check_settings(some_settings(tmp_path / "file" / "home"), today=TODAY))

    assert found["data folder"].mark is Mark.BAD
