"""What a realtime session can be told to be (providers.md A4), and how its audio is made to match."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import soxr

from harness.emulators.account import Account
from harness.emulators.audio import RATE_HZ, encode
from harness.emulators.knobs import PLAIN, Knobs
from harness.emulators.qwen_catalogue import language_of, timbre_for
from harness.emulators.qwen_wire import Refusal
from harness.emulators.scenarios import Damage
from harness.emulators.studio import perform
from harness.emulators.timbres import Timbre
from harness.emulators.voices import Line, Rendition

__all__ = ["SessionConfig", "configured"]

_FORMATS: Final = ("pcm", "wav", "mp3", "opus")
_RATES: Final = (8_000, 16_000, 24_000, 48_000)
_MODES: Final = ("server_commit", "commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """A session's settings, at first the service's own."""

    model: str
    voice: str = ""
    timbre: Timbre | None = None  # None before a voice is named
    mode: str = "server_commit"
    language_type: str = "Auto"
    response_format: str = "pcm"
    sample_rate: int = RATE_HZ
    speech_rate: float = 1.0
    pitch_rate: float = 1.0
    volume: int = 50
    instructions: str | None = None

    def wire(self, session_id: str) -> dict[str, Any]:
        """As `session.created` and `session.updated` show it."""
        return {
            "object": "realtime.session",
            "mode": self.mode,
            "model": self.model,
            "voice": self.voice,
            "response_format": self.response_format,
            "sample_rate": self.sample_rate,
            "id": session_id,
        }

    def spoken(self, text: str, *, take: int, damage: Damage | None, knobs: Knobs = PLAIN) -> bytes:
        """`text` as audio of this session; needs a voice."""
        assert self.timbre is not None  # noqa: S101 - a response is only made once there is one
        # Read faster, a voice is higher and shorter: spoken slower by as much first, it is only higher. So is silence.
        pace = self.timbre.words_per_minute * self.speech_rate / self.pitch_rate
        line = Line(
            text=text,
            language=language_of(self.language_type),
            timbre=replace(self.timbre, words_per_minute=round(pace)),
            rendition=Rendition.HOSTED,
            take=take,
            knobs=replace(knobs, silence_s=knobs.silence_s * self.pitch_rate),
        )
        samples = perform(line, damage)
        if self.pitch_rate != 1.0:
            samples = soxr.resample(samples, RATE_HZ * self.pitch_rate, RATE_HZ)
        samples = np.clip(samples * np.float32(self.volume / 50), -1.0, 1.0)
        return encode(samples, extension=self.response_format, rate_hz=self.sample_rate)


def configured(before: SessionConfig, asked: Mapping[str, Any], account: Account) -> SessionConfig:
    """The session after `session.update`.

    Raises:
        Refusal: A value is not possible; says which.
    """
    config = replace(
        before,
        mode=_one_of(asked, "mode", _MODES, before.mode),
        response_format=_one_of(asked, "response_format", _FORMATS, before.response_format),
        sample_rate=_one_of(asked, "sample_rate", _RATES, before.sample_rate),
        speech_rate=_between(asked, "speech_rate", 0.5, 2.0, before.speech_rate),
        pitch_rate=_between(asked, "pitch_rate", 0.5, 2.0, before.pitch_rate),
        volume=round(_between(asked, "volume", 0, 100, before.volume)),
        language_type=asked.get("language_type") or before.language_type,
        instructions=asked.get("instructions") or before.instructions,
    )
    try:
        language_of(config.language_type)
    except (Refusal, AttributeError):
        raise _impossible("language_type", config.language_type) from None
    voice = asked.get("voice", config.voice)
    if not isinstance(voice, str) or not voice:
        raise _impossible("voice", voice)
    try:
        return replace(config, voice=voice, timbre=timbre_for(config.model, voice, account))
    except Refusal:  # worded otherwise than over HTTP (providers.md A4)
        raise Refusal(400, "invalid_value", f"The requested voice '{voice}' is not supported.") from None


def _one_of(asked: Mapping[str, Any], name: str, choices: tuple[Any, ...], default: Any) -> Any:
    value = asked.get(name, default)
    if value not in choices:
        raise _impossible(name, value)
    return value


def _between(asked: Mapping[str, Any], name: str, least: float, most: float, default: float) -> float:
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _impossible(name, value)
    return float(value)


def _impossible(name: str, value: object) -> Refusal:
    return Refusal(400, "invalid_value", f"Session update error: invalid value for '{name}': {value!r}.")
