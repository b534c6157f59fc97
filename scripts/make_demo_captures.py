"""Write data/demo/captures.jsonl.zst: six days of production as they might have been, all of it invented.

    python -m scripts.make_demo_captures

The same files in data/demo give the same captures, byte for byte. The recordings they name come from
scripts/make_demo_references.py.
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import zstandard

from harness.capture import capture_to_json
from harness.errors import ErrorKind
from harness.exchanges import OK, Capture, Consent, Observed
from harness.speech import LANGUAGES, Operation, SpeechRequest, Voice, VoiceKind
from scripts.demo_cast import DEMO, Cast, Dice, Phrasebook

CAPTURES = DEMO / "captures.jsonl.zst"
SEED = "cutover demo 55"  # with it every voice of the cast gets its turn
USERS_PER_LANGUAGE = 15
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)

# Requests of each operation: 400, so 1,200 in all.
REQUESTS = {"en": 80, "zh": 68, "es": 44, "de": 40, "ja": 36, "fr": 36, "pt": 32, "ko": 24, "it": 20, "ru": 20}
LONGEST_SESSION = {Operation.GENERATE: 8, Operation.CLONE: 4, Operation.DESIGN: 5}
DAY_WEIGHTS = {0: 5, 1: 6, 2: 6, 3: 7, 4: 5, 5: 2}  # Monday to Saturday
# Two peaks, before and after lunch, and a long evening.
HOUR_WEIGHTS = dict(enumerate([1, 1, 0, 0, 0, 1, 2, 6, 14, 26, 30, 24, 12, 18, 26, 24, 18, 12, 10, 12, 14, 10, 5, 2]))
BATCHED = ("ivr", "news")  # sent by programs, one upon the other
VOICE_WEIGHTS = {VoiceKind.CLONE: 45, VoiceKind.PRESET: 34, VoiceKind.DESIGN: 21}
NO_LANGUAGE_SHARE = 0.04
FAILURES = {ErrorKind.OVERLOADED: 4, ErrorKind.TIMEOUT_TOTAL: 2, ErrorKind.CONN_RESET: 2, ErrorKind.INTERNAL: 1}
FAILURE_SHARE = 0.015
COLD_SHARE = 0.02

CONSENT = Consent(
    scope=("replay", "clone:qwen"),
    region="ap-southeast-1",
    expires_at=datetime(2028, 6, 30, tzinfo=UTC),
    evidence="demo: synthetic voice, no person",
)

# Characters that are spoken in a second, for the audio that production would have answered with.
CHARS_PER_S = {"zh": 4.6, "ja": 7.5, "ko": 7.0}
OTHER_CHARS_PER_S = 14.5


@dataclass(frozen=True, kw_only=True)
class Session:
    """One user at work for a while on one thing."""

    operation: Operation
    language: str
    user: int
    segment: str
    starts_at: datetime
    requests: int

    @property
    def user_key(self) -> str:
        """The user as the capture format wants them: a keyed hash."""
        name = f"{self.language}/{self.user}".encode()
        return f"hmac:{hmac.new(b'demo', name, 'sha256').hexdigest()[:32]}"

    @property
    def name(self) -> str:
        """The session's id."""
        start = f"{self.user_key}/{self.starts_at.isoformat()}".encode()
        return f"s-{hashlib.sha256(start).hexdigest()[:12]}"


class Traffic:
    """Everything that happened in the six days."""

    def __init__(self, seed: str = SEED) -> None:
        self._dice = Dice(seed)
        self._cast = Cast.load()
        self._books = {language: Phrasebook(language) for language in LANGUAGES}

    def captures(self) -> list[Capture]:
        """All captures by their time, numbered."""
        drawn = [capture for session in self._sessions() for capture in self._in_session(session)]
        drawn.sort(key=lambda capture: (capture.captured_at, capture.session))
        return [replace(capture, id=f"demo-{number:04d}") for number, capture in enumerate(drawn, 1)]

    def _sessions(self) -> Iterator[Session]:
        left = {(operation, language): count for operation in Operation for language, count in REQUESTS.items()}
        while any(left.values()):
            operation, language = self._dice.weighted(left)
            requests = min(left[operation, language], self._dice.whole(1, LONGEST_SESSION[operation]))
            left[operation, language] -= requests
            yield Session(
                operation=operation,
                language=language,
                user=self._dice.early(range(USERS_PER_LANGUAGE)),
                segment=self._dice.pick(list(self._books[language].lines)),
                starts_at=self._moment(),
                requests=requests,
            )

    def _moment(self) -> datetime:
        day, hour = self._dice.weighted(DAY_WEIGHTS), self._dice.weighted(HOUR_WEIGHTS)
        return MONDAY + timedelta(days=day, hours=hour, milliseconds=self._dice.whole(0, 3_599_999))

    def _in_session(self, session: Session) -> Iterator[Capture]:
        batched = session.operation is Operation.GENERATE and session.segment in BATCHED
        voice = self._voice(session)
        captured_at = session.starts_at
        for _ in range(session.requests):
            request = self._request(session, voice)
            yield Capture(
                id="numbered later",
                captured_at=captured_at,
                request=request,
                user_key=session.user_key,
                session=session.name,
                segment=session.segment,
                consent=CONSENT if request.voice.kind is VoiceKind.CLONE else None,
                observed=self._observed(request, session.language),
            )
            pause_ms = self._dice.whole(150, 1_500) if batched else self._dice.whole(4_000, 45_000)
            captured_at += timedelta(milliseconds=pause_ms)
            if session.operation is not Operation.GENERATE and self._dice.chance(0.5):
                voice = self._voice(session)  # the next attempt at one, or another recording

    def _voice(self, session: Session) -> Voice:
        """A user mostly keeps to one voice of each kind."""
        cast, language = self._cast, session.language
        if session.operation is Operation.DESIGN:
            in_chinese = language == "zh" or (language == "ja" and self._dice.chance(0.2))
            wanted = [voice for voice in cast.designs if (voice.description or "").isascii() is not in_chinese]
            return self._dice.pick(wanted)
        kind = VoiceKind.CLONE if session.operation is Operation.CLONE else self._dice.weighted(VOICE_WEIGHTS)
        by_language = {
            VoiceKind.CLONE: cast.clones,
            VoiceKind.DESIGN: cast.kept_designs,
            VoiceKind.PRESET: cast.presets,
        }[kind]
        voices = by_language[language]
        own = voices[(session.user + list(LANGUAGES).index(language)) % len(voices)]
        return own if self._dice.chance(0.6) else self._dice.pick(voices)

    def _request(self, session: Session, voice: Voice) -> SpeechRequest:
        text = self._text(session)
        return SpeechRequest(
            operation=session.operation,
            text=text,
            language=None if text and self._dice.chance(NO_LANGUAGE_SHARE) else session.language,
            voice=voice,
        )

    def _text(self, session: Session) -> str:
        dice, book = self._dice, self._books[session.language]
        if session.operation is Operation.GENERATE:
            return self._generate_text(session.segment, book)
        if session.operation is Operation.DESIGN:
            return book.short(dice) if dice.chance(0.08) else book.preview(dice, 2 if dice.chance(0.2) else 1)
        return book.preview(dice, 1) if dice.chance(0.4) else ""  # most clones are tried with the usual probe

    def _generate_text(self, segment: str, book: Phrasebook) -> str:
        dice = self._dice
        length = dice.weighted({"short": 22, "medium": 57, "long": 18, "story": 3})
        if length == "short":
            return book.short(dice)
        if length == "medium":
            return book.passage(dice, segment, 20)
        if length == "long":
            return book.passage(dice, segment, dice.whole(80, 130))
        return book.passage(dice, "audiobook", 320)

    def _observed(self, request: SpeechRequest, language: str) -> Observed:
        """What the legacy path answered: 5 s and 1.6 times the audio's length (providers.md B2, 0.6B on an A10G)."""
        dice = self._dice
        if dice.chance(FAILURE_SHARE):
            failed_after_s = round(dice.uniform(0.2, 60), 3)
            return _observed(dice.weighted(FAILURES), first_byte_s=None, total_s=failed_after_s, audio_s=None)
        if not request.text:  # a clone without a sample only stores its recording
            stored_s = dice.about(0.35, 0.3)
            return _observed(OK, first_byte_s=stored_s, total_s=stored_s + 0.002, audio_s=None)
        audio_s = dice.about(len(request.text) / CHARS_PER_S.get(language, OTHER_CHARS_PER_S) + 0.3, 0.08)
        cold_s = dice.uniform(29, 45) if dice.chance(COLD_SHARE) else 0
        first_byte_s = dice.about(5.3 + 1.6 * audio_s, 0.1) + cold_s
        return _observed(OK, first_byte_s=first_byte_s, total_s=first_byte_s + 0.01 * audio_s, audio_s=audio_s)


def _observed(status: str, *, first_byte_s: float | None, total_s: float, audio_s: float | None) -> Observed:
    return Observed(
        provider="modal",
        status=str(status),
        first_byte_s=None if first_byte_s is None else round(first_byte_s, 3),
        total_s=round(total_s, 3),
        audio_s=None if audio_s is None else round(audio_s, 2),
    )


def demo_jsonl() -> bytes:
    """The capture file before it is compressed."""
    return b"".join(capture_to_json(capture).encode() + b"\n" for capture in Traffic().captures())


def main() -> None:
    """Write the file and say what is in it."""
    data = demo_jsonl()
    CAPTURES.write_bytes(zstandard.ZstdCompressor(level=19, write_checksum=True).compress(data))
    print(f"{CAPTURES}: {data.count(10)} captures, {CAPTURES.stat().st_size} bytes")


if __name__ == "__main__":
    main()
