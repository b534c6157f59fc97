"""Whisper on CTranslate2, on this machine: the transcriber that needs no network.

Weights are a folder as faster-whisper reads it, found by `weights`. Greedy, without a prompt and without conditioning
on what was heard before, so that one sound gives one transcript and a loop is heard as a loop.
"""

import os
from pathlib import Path
from typing import Any, Final

from analysis.audio import FloatArray
from analysis.models.optional import library
from analysis.models.transcribers import Transcript

__all__ = ["RATE_HZ", "Whisper"]

RATE_HZ: Final = 16_000


class Whisper:
    """One model, loaded once a process."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            UsageError: `faster_whisper` is not installed.
        """
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a folder that lacks a file must not send it to the network
        faster_whisper = library("faster_whisper", extra="intelligibility")
        self._model: Any = faster_whisper.WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
        )

    def transcribe(self, y: FloatArray, language: str | None) -> Transcript:
        """The words in mono samples at `RATE_HZ`; a language it does not know is guessed instead."""
        known = language if language in self._model.supported_languages else None
        segments, info = self._model.transcribe(
            y, language=known, beam_size=1, temperature=0.0, condition_on_previous_text=False, without_timestamps=True
        )
        text = "".join(segment.text for segment in segments).strip()
        return Transcript(text=text, language=known or info.language)
