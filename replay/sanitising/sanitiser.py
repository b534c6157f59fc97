"""Makes a capture of a stranger's speech call, closed by default: what is not asked for stays behind.

People become pseudonyms, personal data in words surrogates, and reference audio is kept only with consent.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from harness.capture import CAPTURE_SCHEMA, InvalidCapture, capture_from_json
from harness.clock import Clock
from harness.exchanges import Capture
from harness.providers.delivery import extension_of
from harness.speech import VoiceKind
from replay.consent import consent_problem
from replay.importers.records import Recording, SpeechCall, Unusable
from replay.sanitising.consents import ConsentRegister
from replay.sanitising.identities import MARK, Pseudonyms
from replay.sanitising.neutral import neutral_description, neutral_text
from replay.sanitising.presets import is_preset
from replay.sanitising.references import EncryptedBlobStore
from replay.sanitising.surrogates import Masker

__all__ = ["MAX_TEXT_CHARS", "Policy", "Sanitised", "Sanitiser", "SanitisingReport"]

MAX_TEXT_CHARS: Final = 100_000  # of one field; the longest text known to be sent is 10,000 (providers.md B4)
_ID_DIGITS: Final = 24
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)  # as the format writes
_OBSERVED: Final = ("provider", "status", "first_byte_s", "total_s", "audio_s")


class Policy(StrEnum):
    """What becomes of the words in a capture."""

    MASK = "mask"  # personal data become surrogates
    DROP = "drop"  # all words become neutral sentences of the same length
    RAW = "raw"  # they stay; needs a stated reason


@dataclass(slots=True)
class SanitisingReport:
    """What was changed and kept, in numbers."""

    masked: Counter[str] = field(default_factory=Counter)  # kind of personal data → finds
    masked_fields: Counter[str] = field(default_factory=Counter)  # field → captures with a find in it
    pseudonyms: Counter[str] = field(default_factory=Counter)  # user, voice, session → captures
    unknown_presets: Counter[str] = field(default_factory=Counter)  # pseudonym of a preset's name → captures
    stored: set[str] = field(default_factory=set)  # recordings that were written anew
    known: set[str] = field(default_factory=set)  # … that were there already
    without_consent: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)  # consented to, and not in the source


class Sanitised(NamedTuple):
    """A capture, and the line that it is in a file of captures."""

    capture: Capture
    line: str


class Sanitiser:
    """Turns speech calls into captures, one policy for all."""

    def __init__(
        self,
        *,
        pseudonyms: Pseudonyms,
        references: EncryptedBlobStore,
        clock: Clock,
        policy: Policy = Policy.MASK,
        consents: ConsentRegister | None = None,
        presets: Iterable[str] = (),
    ) -> None:
        """Work with these keys and stores.

        Args:
            pseudonyms: Names for identities.
            references: Where recordings go.
            clock: Decides which consents have expired.
            policy: What becomes of words.
            consents: What is known of consents beside the records.
            presets: Names of voices that are no person's, beyond those known here.
        """
        self.report = SanitisingReport()
        self._pseudonyms = pseudonyms
        self._references = references
        self._clock = clock
        self._policy = policy
        self._consents = consents or ConsentRegister()
        self._presets = frozenset(presets)
        self._masker = Masker(pseudonyms)

    def clean(self, call: SpeechCall) -> Sanitised:
        """The capture, its recording stored where that is allowed.

        Raises:
            Unusable: The call is no valid capture; says why.
        """
        line = self._line(call)
        try:
            capture = capture_from_json(line)
        except InvalidCapture as error:
            raise Unusable(str(error)) from None
        if call.recording is not None:
            self._keep(call.recording, capture)
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
            capture_id = self._pseudonyms.digest("capture", f"{call.key}\0{line}")[:_ID_DIGITS]
            line = line.replace('"id":""', f'"id":"{capture_id}"', 1)
        return line

    def _fields(self, call: SpeechCall) -> dict[str, Any]:
        recording = call.recording
        consent = self._consents.find(call.voice_id, recording.sha256 if recording else None) or call.consent
        return {
            "schema": CAPTURE_SCHEMA,
            "id": call.id or "",
            "captured_at": _in_utc(call.captured_at),
            "operation": call.operation,
            "text": self._words("text", call.text, call),
            "language": call.language,
            "voice": {
                "kind": call.voice_kind,
                "id": self._voice(call),
                "reference": self._reference(call, recording) if recording else None,
                "description": self._words("description", call.description, call),
            },
            "instructions": self._words("instructions", call.instructions, call),
            "response_format": call.response_format,
            "sample_rate_hz": call.sample_rate_hz,
            "stream": call.stream,
            "user_key": self._pseudonym("user", call.user),
            "session": self._pseudonym("session", call.session),
            "segment": self._words("segment", call.segment, call),
            "consent": self._consent(consent, call),
            "observed": {name: call.observed.get(name) for name in _OBSERVED} if call.observed else None,
        }

    def _words(self, name: str, text: str | None, call: SpeechCall) -> str | None:
        """What may stay of the words in one field."""
        if not text:
            return text
        if len(text) > MAX_TEXT_CHARS:
            raise Unusable(f"{name} has {len(text)} characters, more than {MAX_TEXT_CHARS}")
        if self._policy is Policy.RAW:
            return text
        if self._policy is Policy.DROP and name in ("text", "description", "instructions"):
            return neutral_text(text, call.language) if name == "text" else neutral_description(text)
        masked = self._masker.mask(text, call.language)
        if masked.counts:
            self.report.masked += masked.counts
            self.report.masked_fields[name] += 1
        return masked.text

    def _reference(self, call: SpeechCall, recording: Recording) -> dict[str, str | None]:
        """A transcript that is dropped would be a wrong one, so it is left out."""
        dropped = self._policy is Policy.DROP
        transcript = None if dropped else self._words("transcript", call.transcript, call)
        return {"sha256": recording.sha256, "transcript": transcript}

    def _pseudonym(self, kind: str, value: str | None) -> str | None:
        if not value:
            return None
        pseudonym = self._pseudonyms.of(kind, value)
        if pseudonym != value:
            self.report.pseudonyms[kind] += 1
        return pseudonym

    def _voice(self, call: SpeechCall) -> str | None:
        """A voice that ships with a provider keeps its name; any other is named after somebody."""
        if call.voice_kind != VoiceKind.PRESET:
            return self._pseudonym("voice", call.voice_id)
        if is_preset(call.voice_id, self._presets) or call.voice_id.startswith(MARK):
            return call.voice_id
        pseudonym = self._pseudonym("voice", call.voice_id)
        self.report.unknown_presets[str(pseudonym)] += 1
        return pseudonym

    def _consent(self, consent: Mapping[str, object] | None, call: SpeechCall) -> dict[str, object] | None:
        if consent is None:
            return None
        evidence, expires_at = consent.get("evidence"), consent.get("expires_at")
        return {
            "scope": consent.get("scope"),
            "region": consent.get("region"),
            "expires_at": _in_utc(expires_at) if isinstance(expires_at, str) else expires_at,
            "evidence": self._words("evidence", evidence, call) if isinstance(evidence, str) else evidence,
        }

    def _keep(self, recording: Recording, capture: Capture) -> None:
        """Store the recording of a voice, encrypted; a person's only with consent to a replay."""
        report, sha256 = self.report, recording.sha256
        if sha256 in report.stored or sha256 in report.known:
            return
        if consent_problem(capture, provider="modal", region=None, now=self._clock.now()):
            report.without_consent.add(sha256)
            return
        report.without_consent.discard(sha256)
        if self._references.find(sha256) is not None:
            report.known.add(sha256)
            return
        audio = recording.read()
        extension = extension_of(audio) if audio else None
        if audio is None or extension is None:
            report.missing.add(sha256)
            return
        self._references.put(audio, extension)
        report.missing.discard(sha256)
        report.stored.add(sha256)


def _in_utc(moment: str) -> str:
    """The moment as the capture format writes it; anything else as it is, for the format to refuse."""
    try:
        parsed = datetime.fromisoformat(moment)
        if parsed.tzinfo is None or "T" not in moment:
            return moment
        parsed = parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return moment
    timespec = "milliseconds" if parsed.microsecond % 1000 == 0 else "microseconds"
    return parsed.isoformat(timespec=timespec)[:-6] + "Z"
