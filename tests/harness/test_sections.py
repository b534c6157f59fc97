from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

import harness.sections as sections
from harness.sections import PROJECT, FlagSettings, ModalSettings, OwnQuotaSettings, QwenDelivery, QwenSettings

SECTIONS = [getattr(sections, name) for name in sections.__all__ if name.endswith("Settings")]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_a_section_is_usable_without_a_word_and_never_changes(section: type[BaseModel]) -> None:
    made = section()

    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, next(iter(section.model_fields)), None)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_a_section_refuses_a_name_it_does_not_know(section: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        section(misspelt=1)


def test_realtime_brings_its_own_models_unless_others_are_named() -> None:
    realtime = QwenSettings(delivery=QwenDelivery.REALTIME, clone_model="mine")

    assert realtime.generate_model == "qwen3-tts-flash-realtime"
    assert realtime.clone_model == "mine"


def test_one_figure_of_our_own_quota_leaves_the_others() -> None:
    modal = ModalSettings.model_validate({"quota": {"share": 0.5}})

    assert modal.quota == OwnQuotaSettings(share=0.5)
    assert modal.quota.per_minute == OwnQuotaSettings().per_minute


def test_files_that_come_with_the_project_exist() -> None:
    assert FlagSettings().file.is_file()
    assert isinstance(PROJECT, Path)
    assert (PROJECT / "pyproject.toml").is_file()


@pytest.mark.parametrize("section", [QwenSettings, ModalSettings])
@pytest.mark.parametrize("share", [-0.1, 1.1, "nan"])
def test_the_share_of_retries_is_a_share(section: type[BaseModel], share: object) -> None:
    with pytest.raises(ValidationError, match="retry_share"):
        section.model_validate({"retry_share": share})
