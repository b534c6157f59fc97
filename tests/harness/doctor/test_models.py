from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.config import QwenSettings
from harness.doctor.check import Mark
from harness.doctor.models import load_retirements
from harness.doctor.setup import check_settings
from harness.errors import ConfigError
from tests.harness.doctor.patients import TODAY, by_name, some_settings
from tests.harness.providers.stubs import CANARY


def test_a_model_that_cannot_speak_with_its_voices_is_bad(tmp_path: Path) -> None:
    qwen = QwenSettings(api_key=SecretStr(CANARY), clone_model="qwen3-tts-vd-2026-01-26")

    check = by_name(check_settings(some_settings(tmp_path, qwen=qwen), today=TODAY))["model for clone voices"]

    assert check.mark is Mark.BAD
    assert "CUTOVER_QWEN__CLONE_MODEL" in check.words


@pytest.mark.parametrize(
    ("today", "words"), [(date(2026, 9, 1), "ends on 2026-10-10"), (TODAY, "was to end on 2026-10-10")]
)
def test_a_model_whose_end_was_announced_is_pointed_out(tmp_path: Path, today: date, words: str) -> None:
    check = by_name(check_settings(some_settings(tmp_path), today=today))["model qwen-voice-design"]

    assert check.mark is Mark.WARNING
    assert words in check.words
    assert "CUTOVER_QWEN__VOICE_DESIGN_MODEL" in check.words


@pytest.mark.parametrize("content", ["[[retirement]]\nmodel = 1\n", "schema = 1\n", "oops", None])
def test_announcements_that_cannot_be_read_are_told_with_their_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "retirements.toml"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigError, match="retirements.toml"):
        load_retirements(path)
