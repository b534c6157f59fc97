import json
from pathlib import Path
from typing import Any

import pytest

from replay.importers.mapped_calls import MappedRecords, endpoint_dialect
from replay.importers.mapping import load_mapping
from replay.importers.records import Skipped, Unusable
from replay.importers.voice_book import VoiceBook
from tests.traffic import NOON, a_reply, a_wav, an_exchange, b64

FIELDS = {"captured_at": '"ts"', "text": '"text"', "voice.id": '"voice"'}
RECORD = {"ts": NOON, "text": "Hello", "voice": "Vivian"}


def mapped(folder: Path, *, head: str = "", tail: str = "", **fields: str) -> MappedRecords:
    rules = FIELDS | {name.replace("__", "."): rule for name, rule in fields.items()}
    path = folder / "mapping.toml"
    path.write_text(head + "\n[fields]\n" + "\n".join(f'"{name}" = {rule}' for name, rule in rules.items()) + tail)
    return MappedRecords(load_mapping(path))


def call(records: MappedRecords, **changes: Any) -> Any:
    return records.call(RECORD | changes, key="1")


def test_a_record_becomes_a_call_by_its_mapping(tmp_path: Path) -> None:
    made = call(mapped(tmp_path))

    assert (made.key, made.captured_at, made.text, made.voice_id) == ("1", NOON, "Hello", "Vivian")
    assert (made.operation, made.voice_kind, made.language) == ("generate", "preset", None)


def test_an_id_of_the_record_tells_it_from_equal_ones(tmp_path: Path) -> None:
    assert call(mapped(tmp_path, id='"req.id"'), req={"id": 77}).key == "77"


def test_a_path_leads_into_json_that_stands_in_a_string(tmp_path: Path) -> None:
    records = mapped(tmp_path, text='"message.payload.items[1].text"')

    made = call(records, message=json.dumps({"payload": {"items": [{}, {"text": "Hi"}]}}))

    assert made.text == "Hi"


def test_words_are_mapped_and_others_fall_to_the_default(tmp_path: Path) -> None:
    records = mapped(tmp_path, operation='{ path = "kind", map = { speak = "generate" }, default = "design" }')

    assert [call(records, kind=word).operation for word in ("speak", "other")] == ["generate", "design"]
    assert call(records).operation == "design"


def test_a_word_that_nobody_mapped_is_unusable(tmp_path: Path) -> None:
    records = mapped(tmp_path, operation='{ path = "kind", map = { speak = "generate" } }')

    with pytest.raises(Unusable, match='"operation" has a word that the mapping file does not know'):
        call(records, kind="sing")


@pytest.mark.parametrize(
    ("unit", "number"), [("s", 1_763_899_200.25), ("ms", 1_763_899_200_250), ("ns", "1763899200250000000")]
)
def test_a_time_may_be_a_number_since_1970(tmp_path: Path, unit: str, number: object) -> None:
    records = mapped(tmp_path, captured_at=f'{{ path = "ts", unit = "{unit}" }}')

    assert call(records, ts=number).captured_at == "2025-11-23T12:00:00.250000+00:00"


def test_a_time_without_a_zone_gets_that_of_the_file(tmp_path: Path) -> None:
    records = mapped(tmp_path, head='zone = "Europe/Berlin"')

    assert call(records, ts="2025-11-23 13:00:00,250").captured_at == "2025-11-23T13:00:00.250000+01:00"


def test_numbers_are_scaled_and_words_become_what_they_mean(tmp_path: Path) -> None:
    records = mapped(
        tmp_path,
        stream='"flags.stream"',
        sample_rate_hz='"rate"',
        observed__provider='{ value = "modal" }',
        observed__status='{ path = "http", map = { 200 = "ok" }, default = "internal" }',
        observed__total_s='{ path = "ms", scale = 0.001 }',
    )

    made = call(records, flags={"stream": "Yes"}, rate="16000", http=200, ms="1500")

    assert (made.stream, made.sample_rate_hz) == (True, 16_000)
    assert made.observed == {
        "provider": "modal",
        "status": "ok",
        "first_byte_s": None,
        "total_s": 1.5,
        "audio_s": None,
    }


def test_reference_audio_and_consent_come_along(tmp_path: Path) -> None:
    records = mapped(tmp_path, voice__reference__audio='"ref"', consent__scope='"scope"', consent__evidence='"why"')

    made = call(records, ref=b64(a_wav()), voice=None, scope="replay, clone:qwen", why="contract 7")

    assert made.voice_kind == "clone"
    assert made.recording.read() == a_wav()
    assert made.consent == {
        "scope": ["replay", "clone:qwen"],
        "region": None,
        "expires_at": None,
        "evidence": "contract 7",
    }


def test_a_recording_may_be_known_by_its_hash_alone(tmp_path: Path) -> None:
    made = call(mapped(tmp_path, voice__reference__sha256='"sha"'), sha="a" * 64)

    assert (made.recording.sha256, made.recording.read()) == ("a" * 64, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ts": None}, '"captured_at" is missing'),
        ({"ts": 1763899200}, "a number needs its"),
        ({"ts": "2025-11-23T12:00:00"}, '"captured_at" names no time zone; set "zone"'),
        ({"voice": ""}, r'"voice\.id" is missing'),
        ({"text": ["a"]}, '"text" is not a text'),
        ({"rate": "fast"}, '"sample_rate_hz" is not a number'),
        ({"rate": "nan"}, '"sample_rate_hz" is not a usable number'),
        ({"rate": True}, '"sample_rate_hz" is not a number'),
    ],
)
def test_a_field_that_makes_no_sense_is_unusable(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        call(mapped(tmp_path, sample_rate_hz='"rate"'), **changes)


def test_a_time_far_out_of_range_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match='out of range; is its "unit" right'):
        call(mapped(tmp_path, captured_at='{ path = "ts", unit = "s" }'), ts=1_763_899_200_000_000)


def test_records_of_another_kind_are_skipped(tmp_path: Path) -> None:
    records = mapped(tmp_path, head='[where]\nevent = ["tts", "retry"]\nlevel = 7')

    assert call(records, event="retry", level=7).text == "Hello"
    for changes in ({}, {"event": "tts"}, {"event": "asr", "level": 7}):
        with pytest.raises(Skipped, match="another kind of record"):
            call(records, **changes)


def test_an_endpoint_takes_time_and_outcome_from_its_exchange(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(
        '[[endpoint]]\npath = "/v1/tts"\nprovider = "old"\nfields = { text = "text", voice.id = "voice" }\n'
    )
    mapping = load_mapping(path)
    read = endpoint_dialect(mapping.endpoints[0], mapping)

    made = read(an_exchange({"text": "Hi", "voice": "Vivian"}, reply=a_reply(a_wav())), VoiceBook())

    assert (made.captured_at, made.text) == (NOON, "Hi")
    assert made.observed is not None
    assert (made.observed["provider"], made.observed["audio_s"]) == ("old", 0.5)
