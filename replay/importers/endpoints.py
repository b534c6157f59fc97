"""The HTTP endpoints whose requests are taken: those known by themselves, and those of a mapping file."""

from replay.importers.exchanges import HttpExchange
from replay.importers.http_message import RequestLine
from replay.importers.jobs import is_about_a_job
from replay.importers.mapped_calls import endpoint_dialect
from replay.importers.mapping import FieldMapping
from replay.importers.records import LeftOut, Skipped, SpeechCall
from replay.importers.speech_calls import Dialect, dialect_of
from replay.importers.voice_book import VoiceBook

__all__ = ["Endpoints"]


class Endpoints:
    """Recognises speech and reads it, remembering the voices it was told of."""

    def __init__(self, mapping: FieldMapping | None = None) -> None:
        self._voices = VoiceBook()
        self._own: dict[tuple[str, str], Dialect] = {}
        if mapping is not None:
            self._own = {(one.method, one.path): endpoint_dialect(one, mapping) for one in mapping.endpoints}

    def is_speech(self, line: RequestLine) -> bool:
        """Whether a request is worth reading on: it asks for speech, or after a job that does."""
        return self._dialect(line) is not None or is_about_a_job(line)

    def call(self, exchange: HttpExchange) -> SpeechCall | LeftOut:
        """The speech call in an exchange, or why there is none."""
        read = self._dialect(RequestLine(exchange.method, exchange.host, exchange.path))
        try:
            return read(exchange, self._voices) if read else Skipped("not a speech endpoint")
        except LeftOut as reason:
            return reason

    def _dialect(self, line: RequestLine) -> Dialect | None:
        return self._own.get((line.method, line.path)) or dialect_of(line)
