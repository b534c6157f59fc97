"""The candidate's models as they are set, and the announced end of some. Sends nothing."""

import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.config import PROJECT, QwenSettings
from harness.doctor.check import Check, Mark
from harness.errors import ConfigError
from harness.preset_voices import EVERYWHERE
from harness.providers.qwen_terms import objection_to
from harness.speech import Operation, SpeechRequest, Voice, VoiceKind

__all__ = ["Retirement", "check_families", "check_retirements", "load_retirements", "models_in"]

RETIREMENTS: Final = PROJECT / "data" / "retirements.toml"


class Retirement(BaseModel):
    """The announced end of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    on: date
    source: str


def load_retirements(path: Path = RETIREMENTS) -> list[Retirement]:
    """Every announcement in the file.

    Raises:
        ConfigError: The file is missing or wrong.
    """
    try:
        tables = tomllib.loads(path.read_text())
        return [Retirement.model_validate(row) for row in tables["retirement"]]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, KeyError, ValidationError) as error:
        raise ConfigError(f"{path}: not a list of [[retirement]] with model, on and source: {error}") from None


def models_in(settings: QwenSettings) -> dict[str, str]:
    """Setting → model of the candidate."""
    return {
        "generate_model": settings.generate_model,
        "instruct_model": settings.instruct_model,
        "clone_model": settings.clone_model,
        "design_model": settings.design_model,
        "enrolment_model": settings.enrolment_model,
        "voice_design_model": settings.voice_design_model,
    }


def check_families(settings: QwenSettings) -> Iterator[Check]:
    """Models that cannot speak with the voices they would be given."""
    for kind in VoiceKind:
        for instructions in (None, "calm") if kind is VoiceKind.PRESET else (None,):
            voice = Voice(kind=kind, id=EVERYWHERE)
            request = SpeechRequest(
                operation=Operation.GENERATE, text="Hello.", language=None, voice=voice, instructions=instructions
            )
            objection = objection_to(request, settings)
            if objection and objection.code == "local.model":
                yield Check(f"model for {kind} voices", Mark.BAD, objection.detail)


def check_retirements(settings: QwenSettings, today: date) -> Iterator[Check]:
    """Models whose end was announced."""
    announced = {retirement.model: retirement for retirement in load_retirements()}
    for setting, model in models_in(settings).items():
        retirement = announced.get(model)
        if retirement:
            when = "was to end" if retirement.on <= today else "ends"
            words = f"{when} on {retirement.on} ({retirement.source}); CUTOVER_QWEN__{setting.upper()} names another"
            yield Check(f"model {model}", Mark.WARNING, words)
