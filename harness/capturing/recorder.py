"""Writes captures down while they happen: sanitised, free of credentials, one file a day beside its recordings.

    recorder = CaptureRecorder(settings.home / "captures", settings.capture, open_keys(settings), clock=clock)
    if recorder.wants(capture.id):
        left_out = await asyncio.to_thread(recorder.record, capture, reference_audio)

Nothing of a request reaches the disk before it was sanitised; what becomes of its words, harness/capturing/sanitiser.py
decides. The files are read by everything that reads captures.
"""

import hashlib
import os
import threading
from pathlib import Path
from typing import Final

from harness.capture import InvalidCapture, capture_from_json, capture_to_json
from harness.capturing.keys import KeyRing
from harness.capturing.leaks import first_leak
from harness.capturing.reasons import LeftOut, Unusable
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import Clock
from harness.config import CaptureSettings
from harness.errors import CaptureError
from harness.exchanges import Capture

__all__ = ["CaptureRecorder"]

_BASIS_POINTS: Final = 10_000


class CaptureRecorder:
    """Appends to the capture file of the day; threads and processes may share a folder."""

    def __init__(self, folder: Path, settings: CaptureSettings, keys: KeyRing, *, clock: Clock) -> None:
        """Record into `folder`, made when the first capture comes."""
        self._folder = folder
        self._share_bp = settings.share_bp
        references = EncryptedBlobStore(folder / "audio", keys)
        self.sanitiser = Sanitiser(Policy(settings.policy), keys, references=references, clock=clock)
        self._lock = threading.Lock()

    def wants(self, capture_id: str) -> bool:
        """Whether this request is among the share that is recorded; the same answer for the same id everywhere."""
        draw = int.from_bytes(hashlib.sha256(f"capture/{capture_id}".encode()).digest()[:8])
        return draw % _BASIS_POINTS < self._share_bp

    def record(self, capture: Capture, reference: bytes | None = None) -> LeftOut | None:
        """Write a capture down; or say why it was not.

        Args:
            capture: As it came in, its id one that no other has.
            reference: The recording that its voice was made from, where it is at hand.

        Raises:
            CaptureError: The disk did not take it.
        """
        with self._lock:
            try:
                kept = self.sanitiser.clean(capture)
                line = _line(kept)  # checked before the recording is kept: blob first, record second, or neither
                self.sanitiser.keep(kept, lambda: reference)
                self._append(kept, line)
            except LeftOut as reason:
                return reason
        return None

    def _append(self, capture: Capture, line: bytes) -> None:
        """Add the line in one write, and a line end before it where a crash has left half a line."""
        path = self._folder / f"live-{capture.captured_at:%Y-%m-%d}.jsonl"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                end = os.fstat(descriptor).st_size
                torn = b"\n" if end and os.pread(descriptor, 1, end - 1) != b"\n" else b""
                if os.write(descriptor, torn + line) < len(torn + line):
                    raise CaptureError(f"{path}: the disk is full; make room, the capture was lost")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CaptureError(f"{path}: cannot be written: {error.strerror}; the capture was lost") from None


def _line(capture: Capture) -> bytes:
    """The line of a capture that every reader will take.

    Raises:
        Unusable: The format refuses it, or it holds a credential.
    """
    leak = first_leak(capture)
    if leak:
        raise Unusable(f"{leak.field} holds {leak.rule}")
    try:
        line = capture_to_json(capture).encode()
        capture_from_json(line, is_ours=True)
        return line + b"\n"
    except InvalidCapture as error:
        raise Unusable(str(error)) from None
    except ValueError:
        raise Unusable("a field holds what a capture cannot, such as half a character") from None
