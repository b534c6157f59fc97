"""What may be kept of a request, closed by default: the one sanitiser, of importers and of the gateway.

    sanitiser = Sanitiser(Policy.MASK, open_keys(settings), references=EncryptedBlobStore(folder, keys), clock=clock)
    kept = sanitiser.sanitise(capture, reference_audio)  # a Capture that may touch a disk, or LeftOut with its reason

People become pseudonyms, personal data in words surrogates, and reference audio is kept only with consent.
Writing down is for recorder.py; it also refuses credentials.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from harness.capturing.consent import consent_problem
from harness.capturing.identities import Pseudonyms, is_pseudonym
from harness.capturing.keys import IDENTITY_KEY, KeyRing
from harness.capturing.neutral import neutral_description, neutral_text
from harness.capturing.reasons import LeftOut, Unusable
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.surrogates import Masker
from harness.clock import Clock
from harness.exchanges import Capture, Consent
from harness.preset_voices import is_preset
from harness.providers.delivery import extension_of
from harness.speech import Reference, SpeechRequest, Voice, VoiceKind

__all__ = ["MAX_TEXT_CHARS", "Policy", "Sanitiser", "SanitisingReport"]

MAX_TEXT_CHARS: Final = 100_000  # of one field; the longest text known to be sent is 10,000 (providers.md B4)


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
    missing: set[str] = field(default_factory=set)  # consented to, and not at hand


class Sanitiser:
    """One policy for all requests, with the keys and the folder of recordings that go with it."""

    def __init__(
        self,
        policy: Policy,
        keys: KeyRing,
        *,
        references: EncryptedBlobStore,
        clock: Clock,
        presets: Iterable[str] = (),
    ) -> None:
        """Work with these keys and stores.

        Args:
            policy: What becomes of words.
            keys: Hold the one that pseudonyms are made with.
            references: Where recordings go.
            clock: Decides which consents have expired.
            presets: Names of voices that are no person's, beyond those known here.
        """
        self.report = SanitisingReport()
        self.policy = policy
        self.pseudonyms = Pseudonyms(keys.key(IDENTITY_KEY))
        self._references = references
        self._clock = clock
        self._presets = frozenset(presets)
        self._masker = Masker(self.pseudonyms)

    def sanitise(self, capture: Capture, reference: bytes | None = None) -> Capture | LeftOut:
        """The capture as it may be kept, or why it may not.

        A recording that is new here is written and synced at once, so a caller on an event loop asks from a thread.

        Args:
            capture: As it came in: names of people and voices in clear.
            reference: The recording that its voice was made from, where it is at hand.
        """
        try:
            cleaned = self.clean(capture)
        except LeftOut as reason:
            return reason
        self.keep(cleaned, lambda: reference)
        return cleaned

    def clean(self, capture: Capture) -> Capture:
        """The capture as it may be kept; touches no disk.

        Raises:
            Unusable: It may not be kept; says why.
        """
        request, language = capture.request, capture.request.language
        return Capture(
            id=capture.id,
            captured_at=capture.captured_at,
            request=SpeechRequest(
                operation=request.operation,
                text=self.words("text", request.text, language) or "",
                language=language,
                voice=self._voice(request.voice, language),
                instructions=self.words("instructions", request.instructions, language),
                response_format=request.response_format,
                sample_rate_hz=request.sample_rate_hz,
                stream=request.stream,
            ),
            user_key=self.pseudonym("user", capture.user_key),
            session=self.pseudonym("session", capture.session),
            segment=self.words("segment", capture.segment, language),
            consent=self._consent(capture.consent, language),
            observed=capture.observed,
        )

    def _voice(self, voice: Voice, language: str | None) -> Voice:
        reference = voice.reference
        return Voice(
            kind=voice.kind,
            id=self.voice_name(voice.kind, voice.id),
            reference=reference
            and Reference(sha256=reference.sha256, transcript=self.transcript(reference.transcript, language)),
            description=self.words("description", voice.description, language),
        )

    def _consent(self, consent: Consent | None, language: str | None) -> Consent | None:
        return consent and Consent(
            scope=consent.scope,
            region=consent.region,
            expires_at=consent.expires_at,
            evidence=self.words("evidence", consent.evidence, language),
        )

    def words(self, name: str, text: str | None, language: str | None) -> str | None:
        """What may stay of the words in the field `name`.

        Raises:
            Unusable: There are too many.
        """
        if not text:
            return text
        if len(text) > MAX_TEXT_CHARS:
            raise Unusable(f"{name} has {len(text)} characters, more than {MAX_TEXT_CHARS}")
        if self.policy is Policy.RAW:
            return text
        if self.policy is Policy.DROP and name in ("text", "description", "instructions"):
            return neutral_text(text, language) if name == "text" else neutral_description(text)
        masked = self._masker.mask(text, language)
        if masked.counts:
            self.report.masked += masked.counts
            self.report.masked_fields[name] += 1
        return masked.text

    def transcript(self, text: str | None, language: str | None) -> str | None:
        """What may stay of a recording's transcript. One that is dropped would be a wrong one, so it is left out."""
        return None if self.policy is Policy.DROP else self.words("transcript", text, language)

    def pseudonym(self, kind: str, value: str | None) -> str | None:
        """The name that stands for a "user", "session" or "voice"."""
        if not value:
            return None
        pseudonym = self.pseudonyms.of(kind, value)
        if pseudonym != value:
            self.report.pseudonyms[kind] += 1
        return pseudonym

    def voice_name(self, kind: str, name: str) -> str:
        """A voice that ships with a provider keeps its name; any other is named after somebody."""
        if kind == VoiceKind.PRESET and (is_preset(name, self._presets) or is_pseudonym(name)):
            return name
        pseudonym = self.pseudonym("voice", name) or ""
        if kind == VoiceKind.PRESET:
            self.report.unknown_presets[pseudonym] += 1
        return pseudonym

    def keep(self, capture: Capture, read: Callable[[], bytes | None]) -> None:
        """Store the recording that a capture speaks of, encrypted; a person's only with consent to a replay.

        Args:
            capture: Names the recording by its hash, and says what was consented to.
            read: Asked for the bytes only when they are needed; None when they are not at hand.
        """
        report, reference = self.report, capture.request.voice.reference
        if reference is None:
            return
        sha256 = reference.sha256
        if sha256 in report.stored or sha256 in report.known:
            return
        if consent_problem(capture, provider="modal", region=None, now=self._clock.now()):
            report.without_consent.add(sha256)
            return
        report.without_consent.discard(sha256)
        if self._references.find(sha256) is not None:
            report.known.add(sha256)
            return
        audio = read()
        extension = extension_of(audio) if audio else None
        if audio is None or extension is None or hashlib.sha256(audio).hexdigest() != sha256:
            report.missing.add(sha256)
            return
        self._references.put(audio, extension)
        report.missing.discard(sha256)
        report.stored.add(sha256)
