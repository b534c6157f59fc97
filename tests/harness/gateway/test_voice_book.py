import json
import multiprocessing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.clock import FakeClock, SystemClock
from harness.exchanges import Consent
from harness.gateway.refusals import Refused
from harness.gateway.voice_book import VoiceBook, new_voice_id
from harness.speech import VoiceKind
from tests.builders import a_voice

CONSENT = Consent(
    scope=("clone:qwen", "replay"), region="eu", expires_at=datetime(2027, 1, 1, tzinfo=UTC), evidence="contract 7"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway" / "voices.jsonl"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_voice_comes_back_with_all_that_either_provider_needs(path: Path, clock: FakeClock) -> None:
    clone, design = a_voice(VoiceKind.CLONE), a_voice(VoiceKind.DESIGN)
    book = VoiceBook(path, clock)

    for voice in (clone, design):
        book.add("hmac:a", voice, CONSENT if voice is clone else None)
    again = VoiceBook(path, clock)

    assert again.find("hmac:a", clone.id) == clone
    assert again.find("hmac:a", design.id) == design
    assert again.consent("hmac:a", clone.id) == CONSENT
    assert again.consent("hmac:a", design.id) is None
    assert again.list("hmac:a") == (clone, design)


def test_a_voice_without_a_name_gets_one_that_nobody_guesses(path: Path, clock: FakeClock) -> None:
    book = VoiceBook(path, clock)

    ids = {book.add("hmac:a", a_voice(VoiceKind.CLONE, id=""), CONSENT) for _ in range(3)} | {new_voice_id()}

    assert len(ids) == 4
    assert min(len(each) for each in ids) >= 24


def test_somebody_elses_voice_looks_exactly_like_none(path: Path, clock: FakeClock) -> None:
    book = VoiceBook(path, clock)
    voice_id = book.add("hmac:a", a_voice(VoiceKind.CLONE), None)

    said = []
    for ask in (book.find, book.consent, book.delete):
        for wanted in (voice_id, "voice-none"):
            with pytest.raises(Refused) as refused:
                ask("hmac:b", wanted)
            said.append((refused.value.status, refused.value.code, refused.value.message))

    assert len(set(said)) == 1
    assert said[0][0] == 404
    assert book.list("hmac:b") == ()
    assert book.find("hmac:a", voice_id).id == voice_id


def test_a_deleted_voice_is_gone_for_everybody_and_still_counts_as_made(path: Path, clock: FakeClock) -> None:
    book, other = VoiceBook(path, clock), VoiceBook(path, clock)
    voice_id = book.add("hmac:a", a_voice(VoiceKind.CLONE), None)
    assert other.find("hmac:a", voice_id)

    other.delete("hmac:a", voice_id)

    with pytest.raises(Refused):
        book.find("hmac:a", voice_id)
    assert book.made_since("hmac:a", clock.now() - timedelta(days=1)) == [clock.now()]
    assert book.made_since("hmac:a", clock.now()) == []
    assert list(book.everybodys()) == []


def test_half_a_line_left_by_a_crash_costs_no_other_voice(path: Path, clock: FakeClock) -> None:
    book = VoiceBook(path, clock)
    first = book.add("hmac:a", a_voice(VoiceKind.CLONE, id=""), None)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])

    second = book.add("hmac:a", a_voice(VoiceKind.DESIGN, id=""), None)

    assert [voice.id for voice in VoiceBook(path, clock).list("hmac:a")] == [first, second]
    assert [voice.id for voice in book.list("hmac:a")] == [first, second]


@pytest.mark.parametrize("line", ["[]", "7", "{}", '{"event":"added","caller":"hmac:a"}', "null", "{", '"x"'])
def test_a_line_that_is_no_voice_is_passed_over(path: Path, clock: FakeClock, line: str) -> None:
    book = VoiceBook(path, clock)
    book.add("hmac:a", a_voice(VoiceKind.CLONE), None)
    with path.open("a") as file:
        file.write(line + "\n")

    assert len(book.list("hmac:a")) == 1


def test_a_book_that_was_put_back_from_a_copy_is_read_anew(path: Path, clock: FakeClock) -> None:
    book = VoiceBook(path, clock)
    book.add("hmac:a", a_voice(VoiceKind.CLONE), None)
    copy = path.read_bytes()
    book.add("hmac:a", a_voice(VoiceKind.DESIGN), None)
    assert len(book.list("hmac:a")) == 2

    path.unlink()
    assert book.list("hmac:a") == ()
    path.write_bytes(copy)

    assert len(book.list("hmac:a")) == 1


def _add_many(path: Path, caller: str) -> None:
    book = VoiceBook(path, SystemClock())
    for _ in range(20):
        book.add(caller, a_voice(VoiceKind.CLONE, id=""), None)


def test_processes_that_write_at_once_lose_no_voice(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add_many, args=(path, f"hmac:{n}")) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)

    book = VoiceBook(path, SystemClock())
    assert [len(book.list(f"hmac:{n}")) for n in range(3)] == [20] * 3
    assert all(json.loads(line) for line in path.read_text().splitlines())
    assert path.stat().st_mode & 0o077 == 0
