from pathlib import Path

import pytest

from harness.config import Settings
from harness.errors import ConfigError
from tests.canaries import MODAL_KEY, QWEN_KEY

KEY = QWEN_KEY


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no settings of whoever runs the tests."""
    import os

    for variable in list(os.environ):
        if variable.startswith("CUTOVER_") or variable == "DASHSCOPE_API_KEY":
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cutover.toml").write_text("")
    return tmp_path


def test_without_any_setting_the_defaults_hold() -> None:
    settings = Settings.load()

    assert settings.qwen.base_url == "https://dashscope-intl.aliyuncs.com"
    assert settings.modal.base_url is None
    assert settings.allow_hosts == frozenset()


def test_a_nested_variable_sets_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_QWEN__QUOTA__PER_SECOND", "7")
    monkeypatch.setenv("CUTOVER_ALLOW_HOSTS", "127.0.0.1:8101, 127.0.0.1:8102")

    settings = Settings.load()

    assert settings.qwen.quota.per_second == 7.0
    assert settings.allow_hosts == {"127.0.0.1:8101", "127.0.0.1:8102"}


def test_setting_one_field_leaves_the_others_as_they_are_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    untouched = Settings.load()
    monkeypatch.setenv("CUTOVER_QWEN__QUOTA__PER_SECOND", "7")
    monkeypatch.setenv("CUTOVER_MODAL__QUOTA__PER_SECOND", "7")
    monkeypatch.setenv("CUTOVER_MODAL__REGION", "eu-west")

    settings = Settings.load()

    for section in ("qwen", "modal"):
        before, after = getattr(untouched, section), getattr(settings, section)
        assert after.quota == before.quota.model_copy(update={"per_second": 7.0})
    assert settings.modal == untouched.modal.model_copy(update={"region": "eu-west", "quota": settings.modal.quota})


def test_the_environment_outranks_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cutover.toml").write_text('[qwen]\nregion = "cn-beijing"\nworkspace = "ws"\n')
    monkeypatch.setenv("CUTOVER_QWEN__REGION", "ap-southeast-1")

    settings = Settings.load()

    assert (settings.qwen.region, settings.qwen.workspace) == ("ap-southeast-1", "ws")


def test_the_providers_own_variable_is_honoured_when_ours_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)

    key = Settings.load().qwen.api_key

    assert key is not None
    assert key.get_secret_value() == KEY


def test_our_variable_outranks_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", MODAL_KEY)
    monkeypatch.setenv("CUTOVER_QWEN__API_KEY", KEY)

    key = Settings.load().qwen.api_key

    assert key is not None
    assert key.get_secret_value() == KEY


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_QWEN__API_KEY", KEY)

    settings = Settings.load()

    assert KEY not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize(
    ("variable", "valid"),
    [
        ("CUTOVER_QWEN__API_KEI", "CUTOVER_QWEN__API_KEY"),
        ("CUTOVER_QWEM__API_KEY", "CUTOVER_QWEN__API_KEY"),
        ("CUTOVER_HOEM", "CUTOVER_HOME"),
    ],
)
def test_a_misspelt_variable_stops_the_start_and_names_the_valid_ones(
    variable: str, valid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, KEY)

    with pytest.raises(ConfigError, match=f"environment: {variable} is not a setting") as caught:
        Settings.load()

    assert valid in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_misspelt_key_in_the_file_is_named_with_the_valid_ones(folder: Path) -> None:
    (folder / "cutover.toml").write_text('[qwen]\nregoin = "x"\n')

    with pytest.raises(ConfigError, match=r"cutover\.toml: qwen\.regoin is not a setting; .*qwen\.region"):
        Settings.load()


def test_a_value_of_the_wrong_type_is_named_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_QWEN__MAX_ATTEMPTS", KEY)

    with pytest.raises(ConfigError, match="CUTOVER_QWEN__MAX_ATTEMPTS .*valid integer") as caught:
        Settings.load()

    assert KEY not in str(caught.value)


def test_a_file_that_is_no_toml_is_named(folder: Path) -> None:
    (folder / "cutover.toml").write_text("[qwen\n")

    with pytest.raises(ConfigError, match=r"cutover\.toml: not valid TOML"):
        Settings.load()


def test_realtime_brings_its_own_models_unless_others_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_QWEN__DELIVERY", "realtime")
    monkeypatch.setenv("CUTOVER_QWEN__CLONE_MODEL", "qwen3-tts-vc-realtime-2025-11-27")

    qwen = Settings.load().qwen

    assert (qwen.generate_model, qwen.design_model) == ("qwen3-tts-flash-realtime", "qwen3-tts-vd-realtime-2026-01-15")
    assert qwen.clone_model == "qwen3-tts-vc-realtime-2025-11-27"


def test_creating_voices_is_off_until_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Settings.load().qwen.allow_voice_creation

    monkeypatch.setenv("CUTOVER_QWEN__ALLOW_VOICE_CREATION", "1")

    assert Settings.load().qwen.allow_voice_creation
