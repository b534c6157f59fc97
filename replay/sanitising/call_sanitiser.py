"""Makes a capture of a stranger's speech call: its fields in the terms of the format, sanitised, checked by it.

Which fields hold words and which identities is said here; what becomes of those, in harness/capturing/sanitiser.py.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from harness.capture import CAPTURE_SCHEMA, InvalidCapture, capture_from_json
from harness.capturing.reasons import Unusable
from harness.capturing.sanitiser import Sanitiser, SanitisingReport
from harness.exchanges import Capture
from replay.importers.records import Recording, SpeechCall
from replay.sanitising.consents import ConsentRegister

__all__ = ["CallSanitiser", "Sanitised"]

_ID_DIGITS: Final = 24
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)  # as the format writes
_UTC_MICROSECONDS: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00")
_OBSERVED: Final = ("provider", "status", "first_byte_s", "total_s", "audio_s")


class Sanitised(NamedTuple):
    """A capture, and the line that it is in a file of captures."""

    capture: Capture
    line: str


class CallSanitiser:
    """Turns speech calls into captures."""

    def __init__(self, sanitiser: Sanitiser, *, consents: ConsentRegister | None = None) -> None:
        """Sanitise with `sanitiser`; `consents` is what is known of consents beside the records."""
        self._sanitiser = sanitiser
        self._consents = consents or ConsentRegister()

    @property
    def report(self) -> SanitisingReport:
        """What was changed and kept so far."""
        return self._sanitiser.report

    def clean(self, call: SpeechCall) -> Sanitised:
        """The capture, its recording stored where that is allowed.

        Raises:
            Unusable: The call is no valid capture; says why.
        """
        line = self._line(call)
        try:
            capture = capture_from_json(line, is_ours=True)
        except InvalidCapture as error:
            raise Unusable(str(error)) from None
        if call.recording is not None:
            self._sanitiser.keep(capture, call.recording.read)
        return Sanitised(capture, line)

    def _line(self, call: SpeechCall) -> str:
        """The call in the capture format. Its id depends on all that is in it, and on the key of its source."""
        fields = self._fields(call)
        try:
            line = _ENCODER.encode(fields)
            line.encode()
        except (ValueError, RecursionError):
            raise Unusable("a field holds what a capture cannot, such as half a character") from None
        if call.id is None:
            capture_id = self._sanitiser.pseudonyms.digest("capture", f"{call.key}\0{line}")[:_ID_DIGITS]
            line = line.replace('"id":""', f'"id":"{capture_id}"', 1)
        return line

    def _fields(self, call: SpeechCall) -> dict[str, Any]:
        recording, keep, language = call.recording, self._sanitiser, call.language
        consent = self._consents.find(call.voice_id, recording.sha256 if recording else None) or call.consent
        return {
            "schema": CAPTURE_SCHEMA,
            "id": call.id or "",
            "captured_at": _in_utc(call.captured_at),
            "operation": call.operation,
            "text": keep.words("text", call.text, language),
            "language": language,
            "voice": {
                "kind": call.voice_kind,
                "id": keep.voice_name(call.voice_kind, call.voice_id),
                "reference": self._reference(call, recording) if recording else None,
                "description": keep.words("description", call.description, language),
            },
            "instructions": keep.words("instructions", call.instructions, language),
            "response_format": call.response_format,
            "sample_rate_hz": call.sample_rate_hz,
            "stream": call.stream,
            "user_key": keep.pseudonym("user", call.user),
            "session": keep.pseudonym("session", call.session),
            "segment": keep.words("segment", call.segment, language),
            "consent": self._consent(consent, language),
            "observed": {name: call.observed.get(name) for name in _OBSERVED} if call.observed else None,
        }

    def _reference(self, call: SpeechCall, recording: Recording) -> dict[str, str | None]:
        return {
            "sha256": recording.sha256,
            "transcript": self._sanitiser.transcript(call.transcript, call.language),
        }

    def _consent(self, consent: Mapping[str, object] | None, language: str | None) -> dict[str, object] | None:
        if consent is None:
            return None
        evidence, expires_at = consent.get("evidence"), consent.get("expires_at")
        if isinstance(evidence, str):
            evidence = self._sanitiser.words("evidence", evidence, language)
        return {
            "scope": consent.get("scope"),
            "region": consent.get("region"),
            "expires_at": _in_utc(expires_at) if isinstance(expires_at, str) else expires_at,
            "evidence": evidence,
        }


def _in_utc(moment: str) -> str:
    """The moment as the capture format writes it; anything else as it is, for the format to refuse."""
    if _UTC_MICROSECONDS.fullmatch(moment):  # as most importers give it; the format reads it once more anyway
        return f"{moment[:23]}{'' if moment[23:26] == '000' else moment[23:26]}Z"
    try:
        parsed = datetime.fromisoformat(moment)
        if parsed.tzinfo is None or "T" not in moment:
            return moment
        parsed = parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return moment
    timespec = "milliseconds" if parsed.microsecond % 1000 == 0 else "microseconds"
    return parsed.isoformat(timespec=timespec)[:-6] + "Z"
