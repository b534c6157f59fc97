"""Our own format as a source: recorded by the gateway, or imported before and now cleaned anew."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from harness.capture import InvalidCapture, capture_from_json
from harness.errors import StoreError
from harness.exchanges import Capture
from harness.providers.base import References
from replay.importers.records import LeftOut, Recording, Skipped, SpeechCall, Unusable
from replay.lines import Line, LineFile

__all__ = ["read_native"]


def read_native(lines: LineFile, references: References) -> Iterator[tuple[int, SpeechCall | LeftOut]]:
    """Every line with its number."""
    for line in lines:
        try:
            yield line.number, _call(_capture(line), references)
        except LeftOut as reason:
            yield line.number, reason


def _capture(line: Line) -> Capture:
    if not line.is_whole:
        raise Unusable(f"the line has {line.size_bytes} bytes, more than the {len(line.data)} that are read")
    data = line.data.strip()
    if not data:
        raise Skipped("a blank line")
    try:
        return capture_from_json(data)
    except InvalidCapture as error:
        raise Unusable(str(error)) from None


def _call(capture: Capture, references: References) -> SpeechCall:
    request, voice = capture.request, capture.request.voice
    reference = voice.reference
    return SpeechCall(
        key=capture.id,
        id=capture.id,
        captured_at=capture.captured_at.isoformat(),
        operation=request.operation,
        text=request.text,
        language=request.language,
        voice_kind=voice.kind,
        voice_id=voice.id,
        description=voice.description,
        recording=_stored(reference.sha256, references) if reference else None,
        transcript=reference.transcript if reference else None,
        instructions=request.instructions,
        response_format=request.response_format,
        sample_rate_hz=request.sample_rate_hz,
        stream=request.stream,
        user=capture.user_key,
        session=capture.session,
        segment=capture.segment,
        consent=_consent(capture),
        observed=asdict(capture.observed) if capture.observed else None,
    )


def _consent(capture: Capture) -> dict[str, object] | None:
    if capture.consent is None:
        return None
    expires_at = capture.consent.expires_at
    return asdict(capture.consent) | {"expires_at": expires_at.isoformat() if expires_at else None}


def _stored(sha256: str, references: References) -> Recording:
    """The recording beside the file; one that is missing or damaged there counts as not known."""

    def read() -> bytes | None:
        path: Path | None = references.find(sha256)
        try:
            return references.get(sha256, path.suffix.removeprefix(".")) if path else None
        except StoreError:
            return None

    return Recording(sha256, read)
