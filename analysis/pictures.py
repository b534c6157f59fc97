"""A pair of sounds as one picture: waveform, mel spectrogram and pitch of each, all on the same time axis.

Drawn on a dark card of its own, so it reads the same on a light page and a dark one. Both sounds share one scale of
amplitude, one of decibels and one of pitch: what looks louder is louder, what looks higher is higher.
"""

import io
from dataclasses import dataclass
from typing import Final, NamedTuple

import librosa
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from analysis.audio import FloatArray, decode
from analysis.pitch import find_pitch
from analysis.spectrum import HOP, N_MELS, RATE_HZ, Spectrum
from harness.errors import UndecodableAudio

__all__ = ["pair_picture"]

_WIDTH, _LEFT, _RIGHT = 1200, 70, 16  # pixels: the whole, and what stands beside the plots
_TITLE, _WAVE, _MEL, _PITCH, _GAP, _AXIS = 30, 90, 170, 70, 6, 44  # heights of the parts
_LANE: Final = _TITLE + _WAVE + _GAP + _MEL + _GAP + _PITCH
_PLOT: Final = _WIDTH - _LEFT - _RIGHT
_CARD, _GROUND, _GRID, _INK, _QUIET_INK = "#12161d", "#1a202a", "#333c4a", "#e6ebf2", "#a9b4c2"
_SOUND_INK: Final = ("#6cb4ff", "#ffb454")  # control, candidate: told apart by their titles too
_TITLES: Final = ("control", "candidate")
_RANGE_DB: Final = 80.0
_TICKS_HZ: Final = (500, 1_000, 2_000, 4_000)
_PITCH_TICKS_HZ: Final = (75, 100, 150, 200, 300, 400, 600)
_USUAL_PITCH_HZ: Final = (100.0, 200.0)  # shown where nothing is voiced, and never less than this octave's width
_STEPS_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
_MOST_TICKS: Final = 12
# Black over violet and orange to pale yellow: lightness rises evenly, so it reads without colour too.
_COLOURS: Final = (
    (0, 0, 4),
    (40, 17, 89),
    (114, 31, 129),
    (182, 55, 122),
    (241, 96, 93),
    (254, 176, 120),
    (252, 253, 191),
)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sound:
    """One side of the pair, or why there is none."""

    y: FloatArray  # mono at RATE_HZ; empty when it does not decode
    mel_db: FloatArray  # (N_MELS, frames)
    f0_hz: npt.NDArray[np.float64]  # (frames,), nan where unvoiced
    problem: str | None

    @property
    def duration_s(self) -> float:
        return len(self.y) / RATE_HZ


def pair_picture(control: bytes, candidate: bytes) -> bytes:
    """A PNG, 1200 pixels wide, of two audio files.

    A side that does not decode is drawn as a sentence that says why; nothing is raised for it. The time axis is as
    long as the longer side.
    """
    sounds = [_sound(data) for data in (control, candidate)]
    span_s = max([sound.duration_s for sound in sounds] + [1e-3])
    peak = max([float(np.abs(sound.y).max()) for sound in sounds if len(sound.y)] + [1e-3])
    top_db = max([float(sound.mel_db.max()) for sound in sounds if sound.mel_db.size] + [-_RANGE_DB])
    low_hz, high_hz = _pitch_range_hz(sounds)
    card = Image.new("RGB", (_WIDTH, 2 * _LANE + _AXIS), _CARD)
    pen = ImageDraw.Draw(card)
    for number, (title, sound) in enumerate(zip(_TITLES, sounds, strict=True)):
        top = number * _LANE
        pen.text((_LEFT, top + 6), _headline(title, sound), fill=_INK, font=_font(16))
        _draw_wave(pen, sound, top + _TITLE, peak=peak, span_s=span_s, ink=_SOUND_INK[number])
        _draw_mel(card, pen, sound, top + _TITLE + _WAVE + _GAP, top_db=top_db, span_s=span_s)
        strip = _Strip(top + _LANE - _PITCH, low_hz, high_hz)
        _draw_pitch(pen, sound, strip, span_s=span_s, ink=_SOUND_INK[number])
    _draw_seconds(pen, 2 * _LANE, span_s)
    png = io.BytesIO()
    card.save(png, "PNG")
    return png.getvalue()


def _sound(data: bytes) -> _Sound:
    try:
        y = decode(data).mono_at(RATE_HZ)
    except UndecodableAudio as error:
        nothing = np.empty(0, dtype=np.float32)
        return _Sound(y=nothing, mel_db=nothing.reshape(N_MELS, 0), f0_hz=np.empty(0), problem=str(error))
    spectrum = Spectrum(y)
    return _Sound(y=y, mel_db=spectrum.mel_db(), f0_hz=find_pitch(spectrum).f0_hz, problem=None)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _headline(title: str, sound: _Sound) -> str:
    return f"{title}: no sound to draw" if sound.problem else f"{title}, {sound.duration_s:.2f} s"


def _columns(sound: _Sound, span_s: float) -> int:
    """Pixels that the sound takes of the common time axis."""
    return max(1, round(_PLOT * sound.duration_s / span_s))


def _draw_wave(pen: ImageDraw.ImageDraw, sound: _Sound, top: int, *, peak: float, span_s: float, ink: str) -> None:
    """The lowest and highest sample of each pixel's stretch of time, as an upright line."""
    middle, reach = top + _WAVE // 2, _WAVE / 2 - 2
    pen.rectangle((_LEFT, top, _LEFT + _PLOT - 1, top + _WAVE - 1), fill=_GROUND)
    pen.text((_LEFT - 8, middle), "level", fill=_QUIET_INK, font=_font(13), anchor="rm")
    if sound.problem:
        pen.text((_LEFT + 10, middle), sound.problem[:150], fill=_INK, font=_font(14), anchor="lm")
        return
    pen.line((_LEFT, middle, _LEFT + _PLOT - 1, middle), fill=_GRID)
    columns = _columns(sound, span_s)
    starts = np.linspace(0, len(sound.y), columns, endpoint=False).astype(np.intp)
    highest, lowest = np.maximum.reduceat(sound.y, starts), np.minimum.reduceat(sound.y, starts)
    for column in range(columns):
        high, low = (middle - reach * float(edge[column]) / peak for edge in (highest, lowest))
        pen.line((_LEFT + column, high, _LEFT + column, low), fill=ink)


def _draw_mel(
    card: Image.Image, pen: ImageDraw.ImageDraw, sound: _Sound, top: int, *, top_db: float, span_s: float
) -> None:
    pen.rectangle((_LEFT, top, _LEFT + _PLOT - 1, top + _MEL - 1), fill=_GROUND)
    if not sound.problem:
        pixels = _coloured(np.clip((sound.mel_db[::-1] - top_db) / _RANGE_DB + 1.0, 0.0, 1.0))
        bitmap = Image.fromarray(pixels).resize((_columns(sound, span_s), _MEL), Image.Resampling.BILINEAR)
        card.paste(bitmap, (_LEFT, top))
    for hz in _TICKS_HZ:
        y = top + _MEL * (1.0 - _height(hz))
        pen.line((_LEFT - 5, y, _LEFT, y), fill=_QUIET_INK)
        pen.text((_LEFT - 8, y), f"{hz / 1000:g} kHz", fill=_QUIET_INK, font=_font(13), anchor="rm")


def _height(hz: float) -> float:
    """Where a frequency lies between the lowest and highest mel band, 0 to 1."""
    return float(librosa.hz_to_mel(hz) / librosa.hz_to_mel(RATE_HZ / 2))


class _Strip(NamedTuple):
    """Where the pitch is drawn: its upper edge, and the frequencies at its lower and upper edge."""

    top: int
    low_hz: float
    high_hz: float

    def y(self, hz: float) -> float:
        """Where a frequency lies; equal intervals are equally far apart."""
        share = np.log(hz / self.low_hz) / np.log(self.high_hz / self.low_hz)
        return float(self.top + (_PITCH - 1) * (1.0 - share))


def _pitch_range_hz(sounds: list[_Sound]) -> tuple[float, float]:
    """One range for both: from a semitone under the lowest pitch to one over the highest, an octave at least."""
    voiced = np.concatenate([sound.f0_hz[np.isfinite(sound.f0_hz)] for sound in sounds])
    if not len(voiced):
        return _USUAL_PITCH_HZ
    low_hz, high_hz = (float(edge) for edge in np.percentile(voiced, [1, 99]))  # a stray octave error shrinks nothing
    margin = max(2 ** (1 / 12), (2 * low_hz / high_hz) ** 0.5)
    return low_hz / margin, high_hz * margin


def _draw_pitch(pen: ImageDraw.ImageDraw, sound: _Sound, strip: _Strip, *, span_s: float, ink: str) -> None:
    """The pitch of each voiced frame, joined to the one before it."""
    pen.rectangle((_LEFT, strip.top, _LEFT + _PLOT - 1, strip.top + _PITCH - 1), fill=_GROUND)
    for hz in _PITCH_TICKS_HZ:
        if strip.low_hz < hz < strip.high_hz:
            pen.line((_LEFT, strip.y(hz), _LEFT + _PLOT - 1, strip.y(hz)), fill=_GRID)
            pen.text((_LEFT - 8, strip.y(hz)), f"{hz} Hz", fill=_QUIET_INK, font=_font(12), anchor="rm")
    before: tuple[float, float] | None = None
    for frame, hz in enumerate(sound.f0_hz):
        if not strip.low_hz <= hz <= strip.high_hz:  # unvoiced too: nan is in no range
            before = None
            continue
        here = (_LEFT + (_PLOT - 1) * min(1.0, frame * HOP / RATE_HZ / span_s), strip.y(float(hz)))
        pen.line((*(before or here), *here), fill=ink, width=2)
        before = here


def _coloured(shares: FloatArray) -> Pixels:
    """Colours of values in 0 to 1; shape (…, 3)."""
    stops = np.linspace(0.0, 1.0, len(_COLOURS))
    channels = [np.interp(shares, stops, [colour[channel] for colour in _COLOURS]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _draw_seconds(pen: ImageDraw.ImageDraw, top: int, span_s: float) -> None:
    step_s = next((step for step in _STEPS_S if span_s / step <= _MOST_TICKS), _STEPS_S[-1])
    for number in range(int(span_s / step_s) + 1):
        x = _LEFT + (_PLOT - 1) * number * step_s / span_s
        pen.line((x, top, x, top + 6), fill=_QUIET_INK)
        pen.text((x, top + 10), f"{number * step_s:g}", fill=_QUIET_INK, font=_font(13), anchor="ma")
    pen.text((_LEFT - 8, top + 10), "seconds", fill=_QUIET_INK, font=_font(13), anchor="ra")
