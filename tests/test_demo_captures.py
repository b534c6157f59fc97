"""What data/demo promises to the demo, and that its captures can be made again from what is committed."""

import functools
import hashlib
import json
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from harness.capture import capture_to_json
from harness.emulators.audio import Recording, decode_recording
from harness.emulators.timbres import timbre_of_description, timbre_of_recording
from harness.exchanges import OK, Capture
from harness.speech import LANGUAGES, Operation, VoiceKind
from harness.store.blobs import BlobStore
from replay.sources import read_captures
from scripts import demo_cast, make_demo_captures

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
FILE = DEMO / "captures.jsonl.zst"
AUDIO = BlobStore(DEMO / "audio")


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> list[Capture]:
    file = read_captures(FILE, quarantine=tmp_path_factory.mktemp("quarantine"))
    captures = list(file)
    assert file.counts == (len(captures), 0, 0)
    return captures


def test_the_file_comes_out_byte_for_byte_from_the_committed_texts_voices_and_recordings() -> None:
    assert make_demo_captures.demo_jsonl() == zstandard.ZstdDecompressor().decompress(FILE.read_bytes())


def test_another_seed_gives_other_captures() -> None:
    one, other = make_demo_captures.Traffic("one"), make_demo_captures.Traffic("other")

    assert [capture_to_json(capture) for capture in one.captures()] != [
        capture_to_json(capture) for capture in other.captures()
    ]


def test_there_are_enough_requests_of_every_operation_and_language(captures: list[Capture]) -> None:
    operations = Counter(capture.request.operation for capture in captures)
    languages = Counter(capture.request.language for capture in captures)

    assert len(captures) >= 1200
    assert min(operations[operation] for operation in Operation) >= 400
    assert set(languages) == {*LANGUAGES, None}
    assert min(languages[language] for language in LANGUAGES) >= 40
    assert 5 <= languages[None] <= 60


def test_there_are_at_least_forty_voices_of_all_kinds_and_few_of_them_dominate(captures: list[Capture]) -> None:
    voices = Counter((capture.request.voice.kind, capture.request.voice.id) for capture in captures)
    kinds = Counter(kind for kind, _ in voices)

    assert len(voices) >= 40
    assert min(kinds[kind] for kind in VoiceKind) >= 8
    assert max(voices.values()) < 0.1 * len(captures)
    assert sum(count > 1 for count in voices.values()) > 0.9 * len(voices)


def test_users_and_sessions_come_back(captures: list[Capture]) -> None:
    users = Counter(capture.user_key for capture in captures)
    sessions = Counter(capture.session for capture in captures)

    assert len(users) >= 50
    assert max(users.values()) >= 5 * len(captures) / len(users)
    assert 2 <= len(captures) / len(sessions) <= 8
    assert {capture.segment for capture in captures} == set(demo_cast.Phrasebook("en").lines)


def test_texts_are_short_on_average_and_of_every_length(captures: list[Capture]) -> None:
    lengths = [len(capture.request.spoken_text) for capture in captures]

    assert 45 <= sum(lengths) / len(lengths) <= 55
    assert sum(length < 20 for length in lengths) >= 150
    assert sum(20 <= length < 80 for length in lengths) >= 600
    assert sum(80 <= length <= 220 for length in lengths) >= 60
    assert 5 <= sum(300 <= length <= 500 for length in lengths) <= 30
    assert max(lengths) <= 500


def test_texts_vary_in_every_operation(captures: list[Capture]) -> None:
    for operation, least in ((Operation.GENERATE, 300), (Operation.DESIGN, 200), (Operation.CLONE, 100)):
        texts = {capture.request.spoken_text for capture in captures if capture.request.operation is operation}
        assert len(texts) >= least


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_sentences_of_its_own_for_every_use(language: str) -> None:
    book = demo_cast.Phrasebook(language)
    lines = [line for lines in book.lines.values() for line in lines]

    assert len(set(lines)) == len(lines) >= 25
    assert len(set(book.previews)) == len(book.previews) >= 25
    assert not {*lines, *book.previews} & {*book.clone_references, *book.design_references}


def test_no_slot_is_left_open(captures: list[Capture]) -> None:
    assert not [capture.id for capture in captures if set("{}") & set(capture.request.text)]


def test_they_spread_over_days_with_peaks_and_quiet_nights(captures: list[Capture]) -> None:
    hours = Counter(capture.captured_at.hour for capture in captures)
    gaps_s = [(later.captured_at - earlier.captured_at).total_seconds() for earlier, later in pairwise(captures)]

    assert len({capture.captured_at.date() for capture in captures}) >= 4
    assert sum(hours[hour] for hour in (9, 10, 11, 14, 15, 16)) > 0.4 * len(captures)
    assert sum(hours[hour] for hour in range(5)) < 0.05 * len(captures)
    assert min(gaps_s) >= 0
    assert sum(gap_s < 2 for gap_s in gaps_s) >= 50


def test_ids_count_up_in_time(captures: list[Capture]) -> None:
    assert [capture.id for capture in captures] == [f"demo-{number:04d}" for number in range(1, len(captures) + 1)]


def test_production_mostly_answered(captures: list[Capture]) -> None:
    observed = [capture.observed for capture in captures if capture.observed]
    answered = [row.total_s for row in observed if row.status == OK and row.audio_s is not None and row.total_s]

    assert len(observed) == len(captures)
    assert {row.provider for row in observed} == {"modal"}
    assert 0.97 <= sum(row.status == OK for row in observed) / len(observed) < 1
    assert 8 <= sorted(answered)[len(answered) // 2] <= 14
    assert 0.005 <= sum(total_s > 30 for total_s in answered) / len(answered) <= 0.07


def test_whoever_uses_a_cloned_voice_has_its_owners_consent(captures: list[Capture]) -> None:
    for capture in captures:
        consent = capture.consent
        assert (consent is not None) == (capture.request.voice.kind is VoiceKind.CLONE)
        if consent is not None:
            assert {"replay", "clone:qwen"} <= set(consent.scope)
            assert consent.region == "ap-southeast-1"
            assert isinstance(consent.expires_at, datetime)
            assert consent.expires_at.year == 2028
            assert consent.evidence == "demo: synthetic voice, no person"


def test_voices_bring_what_both_providers_need_to_speak_with_them(captures: list[Capture]) -> None:
    for capture in captures:
        operation, voice = capture.request.operation, capture.request.voice
        has_reference = voice.reference is not None and bool(voice.reference.transcript)
        assert has_reference == (operation is not Operation.DESIGN and voice.kind is not VoiceKind.PRESET)
        assert (voice.description is not None) == (voice.kind is VoiceKind.DESIGN)


def test_every_recording_is_here_unchanged_small_and_used(captures: list[Capture]) -> None:
    references = {capture.request.voice.reference for capture in captures} - {None}
    files = sorted(path for path in AUDIO.root.rglob("*") if path.is_file())

    found = {path for reference in references if reference and (path := AUDIO.find(reference.sha256))}

    assert len(found) == len(references) >= 40
    assert found == set(files)
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.stem for path in files)
    assert max(path.stat().st_size for path in files) <= 25_000
    assert sum(path.stat().st_size for path in files) < 1_500_000


def test_recordings_meet_what_qwen_asks_of_a_reference() -> None:
    for recording in heard().values():
        assert recording.rate_hz >= 24_000
        assert recording.channels == 1
        assert 3.2 <= recording.duration_s <= 60


def test_a_kept_design_is_heard_as_the_voice_its_description_stands_for() -> None:
    for part in demo_cast.parts():
        if part.description is not None:
            assert timbre_of_recording(heard()[part.voice_id]) == timbre_of_description(part.description), part.voice_id


def test_cloned_voices_of_a_language_sound_different() -> None:
    timbres: dict[str, set[str]] = {language: set() for language in LANGUAGES}
    for part in demo_cast.parts():
        if part.description is None:
            timbres[part.language].add(timbre_of_recording(heard()[part.voice_id]).name)

    assert {len(names) for names in timbres.values()} == {4}


def test_transcripts_of_recordings_are_those_of_the_texts() -> None:
    recordings = json.loads(demo_cast.REFERENCES.read_text(encoding="utf-8"))

    assert {name: recording["transcript"] for name, recording in recordings.items()} == {
        part.voice_id: part.transcript for part in demo_cast.parts()
    }
    assert len({recording["sha256"] for recording in recordings.values()}) == len(recordings)


@functools.cache
def heard() -> dict[str, Recording]:
    """Every recording, decoded, by its voice."""
    recordings = json.loads(demo_cast.REFERENCES.read_text(encoding="utf-8"))
    return {name: decode_recording(AUDIO.get(row["sha256"], "mp3")) for name, row in recordings.items()}
