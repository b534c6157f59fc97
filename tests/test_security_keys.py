"""S8-04: a settings file may hold keys only while nobody else can read it."""

from pathlib import Path

import pytest

from harness.config import Settings
from harness.errors import ConfigError

KEY = "canary-of-a-settings-file"
FILES = {
    "Qwen's key": f'[qwen]\napi_key = "{KEY}"\n',
    "Modal's secret": f'[modal]\nsecret = "{KEY}"\n',
    "the key that names people": f'[capture]\nidentity_key = "{KEY}"\n',
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cutover.toml"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_a_settings_file_that_others_can_read_holds_no_key(file: Path, text: str, mode: int) -> None:
    file.write_text(text)
    file.chmod(mode)

    with pytest.raises(ConfigError, match=r"cutover\.toml: .*chmod 600") as told:
        Settings.load()

    assert KEY not in str(told.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_settings_file_of_its_owner_alone_may_hold_one(file: Path, mode: int) -> None:
    file.write_text(FILES["Qwen's key"])
    file.chmod(mode)

    key = Settings.load().qwen.api_key

    assert key is not None
    assert key.get_secret_value() == KEY


def test_a_settings_file_without_any_key_is_everybodys(file: Path) -> None:
    file.write_text('[qwen]\nregion = "cn-beijing"\n')
    file.chmod(0o644)

    assert Settings.load().qwen.region == "cn-beijing"
