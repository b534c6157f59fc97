"""espeak-ng inside this process: text in, 16-bit samples out, about a thousand times faster than real time.

Knows the library and nothing of providers. The library holds one global state, so there is one `Espeak` in a process
and its calls take turns; the GIL is free while it speaks.

The voices are ours (the folder `variants`): those of the wheel flutter, and the phase of that flutter is carried from
one text into the next, so the same words would never sound the same twice.
"""

import atexit
import ctypes
import functools
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.errors import ConfigError

__all__ = ["RATE_HZ", "Espeak", "espeak"]

RATE_HZ: Final = 22_050  # what every espeak-ng voice without MBROLA puts out

# From espeak-ng/speak_lib.h of 1.52.
_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2  # espeak_Synth returns when the last callback has returned
_INITIALIZE_DONT_EXIT: Final = 0x8000  # report a missing data folder instead of ending the process
_CHARS_UTF8: Final = 1
_PARAMETER_RATE, _PARAMETER_PITCH, _PARAMETER_RANGE = 1, 3, 4
_VARIANTS: Final = Path(__file__).parent / "variants"
_BUFFER_MS: Final = 500  # a callback each half second of speech: fewer crossings into Python

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The library, initialised; get it from `espeak()`."""

    def __init__(self) -> None:
        """Load the library that the `espeakng-loader` wheel carries.

        Raises:
            ConfigError: The wheel is not installed, or its library or data cannot be used here.
        """
        self._library = _load()
        self._lock = threading.Lock()
        self._voice = ""
        self._chunks: list[bytes] = []
        self._callback = _Callback(self._collect)  # kept: ctypes frees a callback nobody holds
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int | None) -> int:
        if count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    def speak(
        self, text: str, *, voice: str, words_per_minute: int, pitch: int, pitch_range: int
    ) -> npt.NDArray[np.int16]:
        """Speech at `RATE_HZ`, shape (n,); empty when nothing in `text` can be pronounced.

        Args:
            text: What to say.
            voice: Language of espeak-ng and one of our variants: `cmn+alto`.
            words_per_minute: 80 to 450; the library's own default is 175.
            pitch: 0 to 100, 50 being the variant's own; a step is 0.8 %.
            pitch_range: 0 (monotone) to 100.

        Raises:
            ConfigError: There is no such language or variant.
        """
        encoded = text.replace("\0", " ").encode()
        with self._lock:
            self._choose(voice)
            for parameter, value in (
                (_PARAMETER_RATE, words_per_minute),
                (_PARAMETER_PITCH, pitch),
                (_PARAMETER_RANGE, pitch_range),
            ):
                self._library.espeak_SetParameter(parameter, value, 0)
            self._chunks.clear()
            self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, _CHARS_UTF8, None, None)
            return np.frombuffer(b"".join(self._chunks), dtype=np.int16)

    def _choose(self, voice: str) -> None:
        # Loading a voice costs 0.1 to 1 ms, so the one already loaded is kept.
        if voice == self._voice:
            return
        self._voice = ""
        # A variant that is missing would be passed over without a word, and the language spoken in its plain voice.
        is_known = (_VARIANTS / voice.partition("+")[2]).is_file()
        if not is_known or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ConfigError(f"espeak-ng has no voice {voice!r}; reinstall espeakng-loader, its data is incomplete")
        self._voice = voice


@functools.cache
def espeak() -> Espeak:
    """The one instance of this process, loaded on first use.

    Raises:
        ConfigError: The wheel is not installed, or its library or data cannot be used here.
    """
    return Espeak()


def _load() -> ctypes.CDLL:
    try:
        import espeakng_loader
    except ImportError:
        raise ConfigError(
            "espeakng-loader is not installed: the stand-in providers speak through it; "
            "run `pip install 'voice-cutover[demo]'` or `make setup`"
        ) from None
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(_data_with_our_variants(Path(espeakng_loader.get_data_path()))).encode()
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"espeakng-loader: its library cannot be loaded: {error}") from None
    rate_hz = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data, _INITIALIZE_DONT_EXIT)
    if rate_hz != RATE_HZ:
        raise ConfigError(f"espeakng-loader: espeak-ng gave {rate_hz} Hz instead of {RATE_HZ}; reinstall the wheel")
    return library


def _data_with_our_variants(wheel: Path) -> Path:
    """The wheel's data with our variants in place of its own, as a folder of links that is gone at exit."""
    folder = Path(tempfile.mkdtemp(prefix="cutover-espeak-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for entry in wheel.iterdir():
        if entry.name != "voices":
            (folder / entry.name).symlink_to(entry)
    (folder / "voices").mkdir()
    (folder / "voices" / "!v").symlink_to(_VARIANTS)  # where espeak-ng looks for them
    return folder
