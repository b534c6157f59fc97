"""The recordings that captured voices were made from, out of a file of captures.

A run does not hold them; the capture file does, with the recordings in the folder `audio` beside it.
"""

from pathlib import Path

import zstandard

from analysis.models.readings import Reference
from harness.capture import InvalidCapture, capture_from_json
from harness.errors import CaptureError
from harness.store.blobs import BlobStore

__all__ = ["references_of"]


def references_of(path: Path) -> dict[str, Reference]:
    """Recordings by capture id; a capture without one, or whose recording is not here, is left out.

    Args:
        path: Captures as JSON lines, compressed when the name ends in `.zst`. Bad lines are passed over: setting them
            aside is the business of the replay.

    Raises:
        CaptureError: The file cannot be read.
    """
    store = BlobStore(path.parent / "audio")
    found: dict[str, Reference] = {}
    for line in _lines(path):
        try:
            capture = capture_from_json(line)
        except InvalidCapture:
            continue
        recording = capture.request.voice.reference
        blob = store.find(recording.sha256) if recording else None
        if recording and blob:
            found[capture.id] = Reference(store.root, recording.sha256, blob.suffix.removeprefix("."))
    return found


def _lines(path: Path) -> list[bytes]:
    try:
        data = path.read_bytes()
        if path.suffix == ".zst":
            with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
                data = reader.read()
    except (OSError, zstandard.ZstdError) as error:
        raise CaptureError(f"{path}: cannot be read ({error})") from None
    return [line for line in data.splitlines() if line.strip()]
