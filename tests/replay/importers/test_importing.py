import hashlib
import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import FakeClock
from harness.errors import CaptureError
from replay.importers.importing import ImportCounts, import_captures, quarantine_path
from replay.importers.records import Place, Read, Recording, Skipped, SpeechCall, Unusable
from replay.sanitising.call_sanitiser import CallSanitiser
from replay.sources import read_captures
from tests.traffic import a_call, a_wav

KEY = "sk-0123456789abcdef0123456789abcdef"


class Importer:
    def __init__(self, folder: Path) -> None:
        self.out = folder / "captures.jsonl.zst"
        keys = KeyRing(folder / "keys")
        self.references = EncryptedBlobStore(folder / "audio", keys)
        self.sanitiser = CallSanitiser(Sanitiser(Policy.MASK, keys, references=self.references, clock=FakeClock()))

    def run(self, *outcomes: SpeechCall | Skipped | Unusable, **options: Any) -> ImportCounts:
        records = (Read(Place("t.gor", number), outcome) for number, outcome in enumerate(outcomes, start=1))
        return import_captures(records, self.out, self.sanitiser, self.references, **options)

    @property
    def texts(self) -> list[str]:
        return [capture.request.text for capture in read_captures(self.out)]


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def test_every_record_is_counted_once_and_the_good_ones_are_written(importer: Importer) -> None:
    counts = importer.run(a_call("one"), Skipped("a reply"), Unusable("cut"), a_call("two"), a_call(captured_at="?"))

    assert (counts.good, counts.quarantined, counts.skipped, counts.read) == (2, 2, {"a reply": 1}, 5)
    assert importer.texts == ["one", "two"]
    assert [json.loads(line)["record"] for line in quarantine_path(importer.out).read_text().splitlines()] == [3, 5]
    assert stat.S_IMODE(importer.out.stat().st_mode) == 0o600


def test_what_was_quarantined_survives_a_reader_of_the_captures(importer: Importer) -> None:
    importer.run(a_call(), Unusable("cut"))

    list(read_captures(importer.out))

    assert quarantine_path(importer.out).exists()


def test_the_same_record_twice_is_one_capture(importer: Importer) -> None:
    counts = importer.run(a_call(), a_call(), a_call(key="k2"))

    assert (counts.good, counts.skipped) == (2, {"the same as an earlier record": 1})


def test_an_id_that_others_have_is_changed_and_told(importer: Importer) -> None:
    counts = importer.run(a_call("one", id="c1"), a_call("two", id="c1"))

    assert (counts.good, counts.renamed) == (2, 1)
    assert [capture.id for capture in read_captures(importer.out)] == ["c1", "c1-2"]


def test_a_credential_ends_the_import_and_leaves_nothing(importer: Importer, tmp_path: Path) -> None:
    expected = r"was not written: line 2 \(t\.gor record 3\): text holds a DashScope"
    with pytest.raises(CaptureError, match=expected) as caught:
        importer.run(a_call("one"), Skipped("x"), a_call(f"my key is {KEY}"), a_call(f"{KEY} again"))

    assert "and 1 more lines hold one" in str(caught.value)
    assert KEY not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_records_with_a_credential_can_be_kept_out_instead(importer: Importer) -> None:
    counts = importer.run(a_call("one"), a_call(f"my key is {KEY}"), quarantine_credentials=True)

    assert (counts.good, counts.quarantined) == (1, 1)
    assert importer.texts == ["one"]
    assert KEY not in quarantine_path(importer.out).read_text()


def test_a_failed_import_takes_its_recordings_away_and_leaves_older_ones(importer: Importer) -> None:
    consent = {"scope": ["replay"]}
    new, old = a_wav(0.2), a_wav(0.3)
    kept = importer.references.put(old, "wav")

    def speaking(audio: bytes, text: str) -> SpeechCall:
        sha256 = hashlib.sha256(audio).hexdigest()
        recording = Recording(sha256, lambda: audio)
        return a_call(text, voice_kind="clone", voice_id=sha256, recording=recording, consent=consent)

    with pytest.raises(CaptureError):
        importer.run(speaking(new, "one"), speaking(old, "two"), a_call(KEY))

    assert [path.stem for path in importer.references.root.rglob("*.wav")] == [kept]


def test_an_existing_file_is_not_replaced_unasked(importer: Importer) -> None:
    importer.run(a_call("one"))

    with pytest.raises(CaptureError, match="is there already; name another file, or give --replace"):
        importer.run(a_call("two"))
    importer.run(a_call("three"), replace_out=True)

    assert importer.texts == ["three"]


def test_a_source_that_breaks_off_leaves_nothing(importer: Importer, tmp_path: Path) -> None:
    def records() -> Iterator[Read]:
        yield Read(Place("t.gor", 1), a_call())
        raise CaptureError("t.gor: its compression ends too early")

    with pytest.raises(CaptureError, match="ends too early"):
        import_captures(records(), importer.out, importer.sanitiser, importer.references)

    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_capture_longer_than_a_line_may_be_is_quarantined(importer: Importer) -> None:
    words, recording = "語" * 99_000, Recording("a" * 64, lambda: None)  # 300 kB a field
    short = a_call(words, instructions=words, voice_kind="design", recording=recording)
    long = replace(short, description=words, transcript=words)

    counts = importer.run(short, long)

    assert (counts.good, counts.quarantined) == (1, 1)
    assert "more than the 1048576 of a line" in quarantine_path(importer.out).read_text()


def test_progress_is_told_after_each_record(importer: Importer) -> None:
    told: list[int] = []

    importer.run(a_call(), Skipped("x"), on_record=told.append)

    assert told == [1, 2]
