from collections.abc import Iterator

import pytest

from replay.importers.records import Unusable
from replay.importers.repetitions import Repetitions


@pytest.fixture
def repetitions() -> Iterator[Repetitions]:
    seen = Repetitions()
    yield seen
    seen.close()


def test_an_id_is_free_once(repetitions: Repetitions) -> None:
    assert repetitions.free_id("a", b"hello") == "a"
    assert repetitions.free_id("b", b"hello") == "b"


def test_the_same_again_is_a_repetition(repetitions: Repetitions) -> None:
    repetitions.free_id("a", b"hello")

    assert repetitions.free_id("a", b"hello") is None


def test_other_content_gets_an_id_of_its_own_and_repeats_under_that(repetitions: Repetitions) -> None:
    ids = [repetitions.free_id("a", content) for content in (b"1", b"2", b"3", b"2", b"1")]

    assert ids == ["a", "a-2", "a-3", None, None]


def test_an_id_that_is_none_is_unusable_in_the_end(repetitions: Repetitions) -> None:
    ids = [repetitions.free_id("a", str(number).encode()) for number in range(20)]

    assert ids[:2] == ["a", "a-2"]
    with pytest.raises(Unusable, match="the id stands on 20 records already"):
        repetitions.free_id("a", b"one more")
