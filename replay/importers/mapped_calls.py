"""Speech calls out of records that only their application understands, by way of a mapping file."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from harness.speech import Operation
from replay.importers.call_parts import base_call, named_by, required
from replay.importers.exchanges import HttpExchange
from replay.importers.json_body import load_object
from replay.importers.languages import iso_code
from replay.importers.mapping import Endpoint, FieldMapping, Rule, Step, steps
from replay.importers.records import Recording, Skipped, SpeechCall, Unusable
from replay.importers.reference_audio import inline_recording
from replay.importers.speech_calls import Dialect
from replay.importers.voice_book import VoiceBook

__all__ = ["MappedRecords", "endpoint_dialect"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_A_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_TRUE: Final = frozenset({"true", "1", "yes", "on"})


class MappedRecords:
    """Reads records by one mapping."""

    def __init__(self, mapping: FieldMapping) -> None:
        self._zone = mapping.zone
        self._where = [(steps(path), _wanted(value)) for path, value in mapping.where.items()]
        self._rules = {name: (steps(rule.path) if rule.path else (), rule) for name, rule in mapping.fields.items()}

    def call(self, record: Mapping[str, Any], *, key: str) -> SpeechCall:
        """The speech call that the record tells of.

        Raises:
            Skipped: It does not match `where`.
            Unusable: A field is missing or of the wrong kind.
        """
        self.check(record)
        return self._call(record, key, self._moment(record))

    def call_in(self, exchange: HttpExchange, provider: str) -> SpeechCall:
        """The speech call in the JSON body of an exchange, which knows itself when it was and how it ended."""
        record = load_object(exchange.body)
        self.check(record)
        call = self._call(record, exchange.key, exchange.captured_at)
        known = base_call(exchange, provider, operation=call.operation, text=call.text, voice_kind="", voice_id="")
        fields = {name: getattr(call, name) for name in SpeechCall.__slots__}
        return SpeechCall(**fields | {"observed": call.observed or known.observed})

    def check(self, record: Mapping[str, Any]) -> None:
        """Raise Skipped when the record is not one of those that are mapped."""
        for path, wanted in self._where:
            found = _follow(record, path)
            if found is None or str(found) not in wanted:
                raise Skipped("another kind of record")

    def _call(self, record: Mapping[str, Any], key: str, captured_at: str) -> SpeechCall:
        recording = self._recording(record)
        description = self._text(record, "voice.description")
        kind = self._text(record, "voice.kind") or ("clone" if recording else "design" if description else "preset")
        operation = (self._text(record, "operation") or Operation.GENERATE).lower()
        voice_id = self._text(record, "voice.id")
        if voice_id is None and (recording or description):
            voice_id = named_by(recording, description)
        return SpeechCall(
            key=self._text(record, "id") or key,
            captured_at=captured_at,
            operation=operation,
            text=self._text(record, "text") or "",
            language=iso_code(self._text(record, "language")),
            voice_kind=kind.lower(),
            voice_id=required(voice_id, "voice.id"),
            description=description,
            recording=recording,
            transcript=self._text(record, "voice.reference.transcript"),
            instructions=self._text(record, "instructions"),
            response_format=(self._text(record, "response_format") or "wav").lower(),
            sample_rate_hz=round(self._number(record, "sample_rate_hz") or 24_000),
            stream=(self._text(record, "stream") or "").lower() in _TRUE,
            user=self._text(record, "user_key"),
            session=self._text(record, "session"),
            segment=self._text(record, "segment"),
            consent=self._consent(record),
            observed=self._observed(record),
        )

    def _value(self, record: Mapping[str, Any], name: str) -> Any:
        """The value by its rule, None where there is none."""
        if name not in self._rules:
            return None
        path, rule = self._rules[name]
        found = rule.value if rule.value is not None else _follow(record, path)
        if found is None or found == "":
            return rule.default
        if rule.map is not None:
            return _mapped(str(found), rule, name)
        if rule.scale is not None:
            return _as_number(found, name) * rule.scale
        return found

    def _text(self, record: Mapping[str, Any], name: str) -> str | None:
        value = self._value(record, name)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise Unusable(f'"{name}" is not a text')
        return value

    def _number(self, record: Mapping[str, Any], name: str) -> float | None:
        value = self._value(record, name)
        return None if value is None else _as_number(value, name)

    def _moment(self, record: Mapping[str, Any]) -> str:
        value = self._value(record, "captured_at")
        rule = self._rules["captured_at"][1] if "captured_at" in self._rules else None
        if value is None or rule is None:
            raise Unusable('"captured_at" is missing')
        if rule.unit:
            return _since_1970(_as_number(value, "captured_at"), rule.unit)
        try:
            # Python's own log format writes a blank and a comma where ISO 8601 has T and a point.
            moment = datetime.fromisoformat(str(value).strip().replace(" ", "T", 1).replace(",", "."))
        except ValueError:
            raise Unusable('"captured_at" is no time in ISO 8601; a number needs its "unit"') from None
        if moment.tzinfo is None:
            if self._zone is None:
                raise Unusable('"captured_at" names no time zone; set "zone" in the mapping file')
            moment = moment.replace(tzinfo=self._zone)
        return moment.isoformat()

    def _recording(self, record: Mapping[str, Any]) -> Recording | None:
        recording = inline_recording(self._text(record, "voice.reference.audio"))
        if recording is not None:
            return recording
        sha256 = self._text(record, "voice.reference.sha256")
        return Recording(sha256, lambda: None) if sha256 else None

    def _consent(self, record: Mapping[str, Any]) -> dict[str, object] | None:
        scope = self._value(record, "consent.scope")
        if isinstance(scope, str):
            scope = [part.strip() for part in scope.split(",") if part.strip()]
        if not isinstance(scope, list) or not scope:
            return None
        others = {name: self._text(record, f"consent.{name}") for name in ("region", "expires_at", "evidence")}
        return {"scope": scope, **others}

    def _observed(self, record: Mapping[str, Any]) -> dict[str, object] | None:
        provider, status = self._text(record, "observed.provider"), self._text(record, "observed.status")
        if provider is None or status is None:
            return None
        times = {name: self._number(record, f"observed.{name}") for name in ("first_byte_s", "total_s", "audio_s")}
        return {"provider": provider, "status": status, **times}


def _wanted(value: object) -> frozenset[str]:
    return frozenset(str(one) for one in value) if isinstance(value, list) else frozenset({str(value)})


def _follow(record: Any, path: tuple[Step, ...]) -> Any:
    """What stands at the path, None where it leads nowhere; JSON inside a string is read on the way."""
    found = record
    for step in path:
        if isinstance(found, str) and found[:1] == "{":
            found = load_object(found, what="JSON inside a field")
        if isinstance(step, int):
            found = found[step] if isinstance(found, list) and step < len(found) else None
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _mapped(word: str, rule: Rule, name: str) -> str:
    found = (rule.map or {}).get(word)
    if found is None:
        if rule.default is None:
            raise Unusable(f'"{name}" has a word that the mapping file does not know')
        return str(rule.default)
    return found


def _as_number(value: object, name: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise Unusable(f'"{name}" is not a number') from None
    if not abs(number) < 1e21:  # NaN and infinity included
        raise Unusable(f'"{name}" is not a usable number')
    return number


def _since_1970(number: float, unit: str) -> str:
    try:
        return (_EPOCH + timedelta(seconds=number / _A_SECOND[unit])).isoformat()
    except OverflowError:
        raise Unusable('"captured_at" is out of range; is its "unit" right?') from None


def endpoint_dialect(endpoint: Endpoint, mapping: FieldMapping) -> Dialect:
    """Who reads the bodies of an endpoint that the mapping file describes."""
    records = MappedRecords(mapping._replace(where=endpoint.where, fields=endpoint.fields))

    def read(exchange: HttpExchange, _: VoiceBook) -> SpeechCall:
        return records.call_in(exchange, endpoint.provider)

    return read
