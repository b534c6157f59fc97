import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capture import MAX_LABEL_CHARS, InvalidCapture, capture_from_json, capture_to_json
from harness.errors import ErrorKind
from harness.exchanges import Capture, Consent, Observed
from harness.speech import LANGUAGES, Operation, Reference, SpeechRequest, Voice, VoiceKind
from tests.builders import NOON, a_capture, a_request, a_voice

LINE: dict[str, Any] = {
    "schema": 1,
    "id": "c1",
    "captured_at": "2026-11-22T10:15:30.123Z",
    "operation": "clone",
    "text": "",
    "language": "en",
    "voice": {
        "kind": "clone",
        "id": "en-harbour",
        "reference": {"sha256": "ab" * 32, "transcript": "Good morning."},
        "description": None,
    },
    "instructions": None,
    "response_format": "wav",
    "sample_rate_hz": 24000,
    "stream": False,
    "user_key": "hmac:1",
    "session": "s1",
    "segment": "support",
    "consent": {
        "scope": ["replay", "clone:qwen"],
        "region": "ap-southeast-1",
        "expires_at": "2028-01-01T00:00:00Z",
        "evidence": "form 12",
    },
    "observed": {"provider": "modal", "status": "ok", "first_byte_s": 0.8, "total_s": 4.1, "audio_s": 3.2},
}


def a_line(**changes: Any) -> str:
    """LINE with keys replaced; a double underscore reaches into a section, `...` takes the key away."""
    line = json.loads(json.dumps(LINE))
    for path, value in changes.items():
        *sections, key = path.split("__")
        target = line
        for section in sections:
            target = target[section]
        if value is ...:
            del target[key]
        else:
            target[key] = value
    return json.dumps(line)


def reason(line: str | bytes) -> str:
    with pytest.raises(InvalidCapture) as caught:
        capture_from_json(line)
    return str(caught.value)


def test_a_line_becomes_a_capture_field_by_field() -> None:
    assert capture_from_json(a_line()) == Capture(
        id="c1",
        captured_at=datetime(2026, 11, 22, 10, 15, 30, 123_000, tzinfo=UTC),
        request=SpeechRequest(
            operation=Operation.CLONE,
            text="",
            language="en",
            voice=Voice(
                kind=VoiceKind.CLONE,
                id="en-harbour",
                reference=Reference(sha256="ab" * 32, transcript="Good morning."),
            ),
        ),
        user_key="hmac:1",
        session="s1",
        segment="support",
        consent=Consent(
            scope=("replay", "clone:qwen"),
            region="ap-southeast-1",
            expires_at=datetime(2028, 1, 1, tzinfo=UTC),
            evidence="form 12",
        ),
        observed=Observed(provider="modal", status="ok", first_byte_s=0.8, total_s=4.1, audio_s=3.2),
    )


def test_writing_a_capture_gives_the_line_of_the_format_book_key_for_key() -> None:
    written = capture_to_json(capture_from_json(a_line()))

    assert list(json.loads(written)) == list(LINE)
    assert json.loads(written) == LINE | {"consent": LINE["consent"] | {"expires_at": "2028-01-01T00:00:00.000Z"}}
    assert "\n" not in written


labels = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
moments = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
seconds = st.none() | st.floats(min_value=0, allow_infinity=False, allow_nan=False)
references = st.builds(Reference, sha256=st.just("ab" * 32), transcript=st.none() | words)
voices = st.builds(
    Voice,
    kind=st.sampled_from(VoiceKind),
    id=labels,
    reference=st.none() | references,
    description=st.none() | words,
)
requests = st.builds(
    SpeechRequest,
    operation=st.just(Operation.GENERATE),
    text=words.filter(str.strip),
    language=st.none() | st.sampled_from(list(LANGUAGES)),
    voice=voices,
    instructions=st.none() | words,
    response_format=st.sampled_from(["wav", "pcm", "flac", "mp3", "opus"]),
    sample_rate_hz=st.integers(8_000, 192_000),
    stream=st.booleans(),
)
captures = st.builds(
    Capture,
    id=labels.filter(lambda label: "/" not in label),
    captured_at=moments,
    request=requests,
    user_key=st.none() | labels,
    session=st.none() | labels,
    segment=st.none() | labels,
    consent=st.none()
    | st.builds(
        Consent,
        scope=st.lists(labels, max_size=3).map(tuple),
        region=st.none() | labels,
        expires_at=st.none() | moments,
        evidence=st.none() | words,
    ),
    observed=st.none()
    | st.builds(
        Observed,
        provider=labels,
        status=st.sampled_from(["ok", *ErrorKind]).map(str),
        first_byte_s=seconds,
        total_s=seconds,
        audio_s=seconds,
    ),
)


@given(captures)
def test_whatever_is_written_is_read_back_equal(capture: Capture) -> None:
    line = capture_to_json(capture)

    assert capture_from_json(line) == capture
    assert capture_from_json(line.encode()) == capture
    assert capture_to_json(capture_from_json(line)) == line


def test_optional_keys_may_be_left_out() -> None:
    line = {
        "schema": 1,
        "id": "c1",
        "captured_at": "2026-11-23T12:00:00Z",
        "operation": "generate",
        "text": "Good morning.",
        "voice": {"kind": "preset", "id": "Cherry"},
    }

    assert capture_from_json(json.dumps(line)) == a_capture(request=a_request(language=None), user_key=None)


@pytest.mark.parametrize("text", [None, ..., "", "Hear me."])
def test_a_clone_may_come_with_or_without_text(text: Any) -> None:
    expected = text if isinstance(text, str) else ""

    assert capture_from_json(a_line(text=text)).request.text == expected


@pytest.mark.parametrize(
    ("written", "hour"),
    [("2026-11-23T12:00:00+00:00", 12), ("2026-11-23T12:00:00+05:30", 6), ("2026-11-23T12:00:00-0800", 20)],
)
def test_times_of_any_zone_become_utc(written: str, hour: int) -> None:
    captured_at = capture_from_json(a_line(captured_at=written)).captured_at

    assert captured_at.hour == hour
    assert captured_at.utcoffset() == timedelta(0)


def test_a_time_of_another_zone_is_written_as_utc() -> None:
    india = timezone(timedelta(hours=5, minutes=30))

    written = capture_to_json(a_capture(captured_at=NOON.astimezone(india)))

    assert json.loads(written)["captured_at"] == "2026-11-23T12:00:00.000Z"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("2026-11-23T12:00:00", id="no zone"),
        pytest.param("2026-11-23", id="a day"),
        pytest.param("1763870400", id="digits"),
        pytest.param(1763870400, id="a number"),
        pytest.param("2026-13-01T00:00:00Z", id="month 13"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before the first year once in UTC"),
        pytest.param("noon", id="words"),
        pytest.param(None, id="null"),
    ],
)
def test_a_time_that_is_no_moment_is_refused_with_an_example(written: object) -> None:
    assert reason(a_line(captured_at=written)).startswith("captured_at must be a time in ISO 8601 with its zone")
    if written is not None:
        assert reason(a_line(consent__expires_at=written)).startswith("consent.expires_at must be a time")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"langauge": "en"},
            '"langauge" is not a key; valid ones are schema, id, captured_at, operation, text, language, voice, '
            "instructions, response_format, sample_rate_hz, stream, user_key, session, segment, consent, observed",
            id="misspelt key",
        ),
        pytest.param(
            {"voice__reference__sha": "x"},
            '"voice.reference.sha" is not a key; valid ones are sha256, transcript',
            id="misspelt key in a section",
        ),
        pytest.param({"operation": ..., "operaton": "x"}, '"operaton" is not a key', id="the misspelling, not the gap"),
        pytest.param({"\x1b[31m": 1}, r'"\x1b[31m" is not a key', id="a key that would colour a terminal"),
        pytest.param({"schema": 2, "new": 1}, "schema must be 1, the version this program reads", id="version"),
        pytest.param({"schema": True}, "schema should be a valid integer", id="true is no version"),
        pytest.param({"schema": ...}, "schema is missing", id="no version"),
        pytest.param({"id": ...}, "id is missing", id="missing key"),
        pytest.param({"voice__id": ...}, "voice.id is missing", id="missing key in a section"),
        pytest.param({"id": ""}, "id must be 1 to 200 printable characters", id="empty id"),
        pytest.param({"id": "x" * (MAX_LABEL_CHARS + 1)}, "id must be 1 to 200", id="long id"),
        pytest.param({"id": "a\nb"}, "id must be 1 to 200 printable", id="line end in an id"),
        pytest.param({"id": "a/b"}, 'id must not hold "/"', id="slash in an id"),
        pytest.param({"id": 7}, "id should be a valid string", id="number as id"),
        pytest.param({"session": ""}, "session must be 1 to 200", id="empty session"),
        pytest.param({"operation": "sing"}, "operation should be 'generate', 'clone' or 'design'", id="operation"),
        pytest.param({"language": "EN"}, "language must be one of zh, en, de,", id="upper-case language"),
        pytest.param({"language": "auto"}, "or null to let the provider guess", id="auto is null"),
        pytest.param({"voice__kind": "robot"}, "voice.kind should be 'preset', 'clone' or 'design'", id="kind"),
        pytest.param({"voice__kind": "preset"}, "a clone needs a voice of kind clone", id="kind against operation"),
        pytest.param({"voice__reference": None}, "a clone needs voice.reference", id="clone without reference"),
        pytest.param(
            {"voice__reference__sha256": "AB" * 32}, "voice.reference.sha256 must be 64", id="upper-case hash"
        ),
        pytest.param({"voice__reference__sha256": "ab"}, "voice.reference.sha256 must be 64", id="short hash"),
        pytest.param({"response_format": "aiff"}, "response_format should be 'wav', 'pcm'", id="format"),
        pytest.param({"sample_rate_hz": 0}, "sample_rate_hz should be greater than", id="no rate"),
        pytest.param({"sample_rate_hz": 24000.0}, "sample_rate_hz should be a valid integer", id="fractional rate"),
        pytest.param({"stream": "no"}, "stream should be a valid boolean", id="word for a boolean"),
        pytest.param({"text": "a\x00b"}, "text must not hold a NUL character", id="NUL in text"),
        pytest.param({"text": ["a"]}, "text should be a valid string", id="list as text"),
        pytest.param({"voice": "anna"}, "voice should be", id="string as voice"),
        pytest.param({"consent__scope": "replay"}, "consent.scope should be", id="scope is a list"),
        pytest.param({"consent__scope": [""]}, "consent.scope.0 must be 1 to 200", id="empty scope"),
        pytest.param({"observed__status": "fine"}, "observed.status must be ok or one of", id="status"),
        pytest.param({"observed__total_s": -1}, "observed.total_s should be greater", id="negative time"),
        pytest.param({"observed__total_s": math.nan}, "observed.total_s should be a finite", id="NaN"),
        pytest.param({"observed__total_s": math.inf}, "observed.total_s should be a finite", id="infinity"),
    ],
)
def test_a_bad_line_is_refused_with_the_key_and_what_is_valid(changes: dict[str, Any], message: str) -> None:
    assert message in reason(a_line(**changes))


@pytest.mark.parametrize("text", [None, ..., "", " \n "])
def test_generate_and_design_need_text(text: Any) -> None:
    design = {"operation": "design", "voice__kind": "design", "voice__description": "A calm narrator."}

    assert reason(a_line(operation="generate", text=text)) == "a generate needs text"
    assert reason(a_line(**design, text=text)) == "a design needs text"


def test_a_design_needs_its_description() -> None:
    line = a_line(operation="design", text="Hello.", voice__kind="design", voice__description=" ")

    assert reason(line) == "a design needs voice.description"


def test_a_capture_without_consent_is_read_because_refusing_it_is_the_replays_business() -> None:
    assert capture_from_json(a_line(consent=None)).consent is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("", "no JSON: EOF while parsing a value", id="empty"),
        pytest.param("[]", "the line should be an object", id="a list"),
        pytest.param("null", "the line should be an object", id="null"),
        pytest.param(a_line()[:-5], "no JSON: EOF while parsing", id="torn"),
        pytest.param(a_line() + "x", "no JSON: trailing characters", id="more after the end"),
        pytest.param("[" * 100_000, "no JSON: recursion limit exceeded", id="a hundred thousand deep"),
        pytest.param('{"voice":' * 100_000, "no JSON: recursion limit exceeded", id="deep objects"),
        pytest.param(a_line(text="@").replace('"@"', "9" * 5000), "no JSON: number out of range", id="5000 digits"),
        pytest.param(
            a_line(observed__total_s="@").replace(chr(34) + "@" + chr(34), "1e999"),
            "observed.total_s should be a finite number",
            id="overflowing float",
        ),
        pytest.param(a_line(text="@").replace("@", "\\ud800"), "no JSON:", id="lone surrogate"),
        pytest.param(a_line(text="@").replace("@", "\\udc00a"), "no JSON:", id="lone low surrogate"),
        pytest.param(a_line(text="@").replace("@", "\ud800"), "the line should be", id="raw lone surrogate"),
        pytest.param(a_line(text="@").encode().replace(b"@", b"\xff"), "no JSON:", id="not UTF-8"),
        pytest.param(a_line(text="@").encode().replace(b"@", b"\x00"), "no JSON: control character", id="raw NUL"),
        pytest.param(a_line().encode("utf-16"), "no JSON:", id="UTF-16"),
        pytest.param('{"id": "other", ' + a_line()[1:], 'the key "id" stands twice', id="doubled key"),
        pytest.param(
            a_line().replace('"kind": "clone"', '"kind": "preset", "kind": "clone"'),
            'the key "kind" stands twice',
            id="doubled key in a section",
        ),
    ],
)
def test_a_line_that_is_no_sound_json_object_is_refused(line: str | bytes, message: str) -> None:
    assert reason(line).startswith(message)


def test_a_reason_never_tells_what_was_in_the_line() -> None:
    for changes in (
        {"text": ["my secret"]},
        {"language": "my secret"},
        {"id": "my secret\n"},
        {"captured_at": "my secret"},
        {"operation": "my secret"},
        {"voice__reference__sha256": "my secret"},
        {"observed__status": "my secret"},
    ):
        assert "secret" not in reason(a_line(**changes))


def test_nothing_that_json_cannot_hold_is_written() -> None:
    observed = Observed(provider="modal", status="ok", first_byte_s=math.nan, total_s=None, audio_s=None)

    with pytest.raises(ValueError, match="not JSON compliant"):
        capture_to_json(a_capture(observed=observed))


def test_every_kind_of_voice_of_the_builders_survives_the_round_trip() -> None:
    for kind in VoiceKind:
        capture = a_capture(request=a_request(voice=a_voice(kind)))

        assert capture_from_json(capture_to_json(capture)) == capture
