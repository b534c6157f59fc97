"""That strangers' bytes end in the outcome they must have, measured as a night's audio is: by workers, from a store."""

from typing import Any

import pytest

from analysis.workers import WorkerPool
from harness.errors import KINDS
from harness.exchanges import OK
from harness.store.blobs import BlobStore
from tests.analysis.sounds import a_file, an_utterance
from tests.hostile import CORPUS, Hostile

GOOD = a_file(an_utterance(2))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each file came to, by its name; all of them went through one pool."""
    store = BlobStore(tmp_path_factory.mktemp("audio"))
    names = {store.put(hostile.data, "wav"): hostile.what for hostile in CORPUS} | {store.put(GOOD, "wav"): "good"}
    pool = WorkerPool("analysis.measuring:measure_blob", processes=1, deadline_s=30.0)
    answers = list(pool.run([(str(store.root), sha256, "wav") for sha256 in names]))
    assert [answer for answer in answers if answer.given_up] == []  # nothing crashed or hung even a worker
    return {names[answer.item[1]]: answer.value for answer in answers}


def test_there_are_sixty_files_and_no_two_alike() -> None:
    assert len({hostile.data for hostile in CORPUS}) == len({hostile.what for hostile in CORPUS}) == len(CORPUS) >= 60


@pytest.mark.parametrize("hostile", CORPUS, ids=lambda hostile: hostile.what)
def test_a_hostile_file_ends_in_the_outcome_it_must_have(hostile: Hostile, rows: dict[str, dict[str, Any]]) -> None:
    row = rows[hostile.what]

    assert row["outcome"] == hostile.outcome
    assert row["outcome"] == OK or (row["outcome"] in KINDS and len(row["more"]["reason"]) > 10)


def test_speech_among_them_is_measured_as_if_they_were_not_there(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["good"]["outcome"] == OK
    assert rows["good"]["f0_median_hz"] == pytest.approx(120.0, rel=0.05)


@pytest.mark.parametrize(
    "what", ["WAV of 4 GB by its header", "WAV of no length by its header", "WAV longer than it says"]
)
def test_a_header_that_lies_does_not_change_what_is_heard(what: str, rows: dict[str, dict[str, Any]]) -> None:
    assert rows[what]["duration_s"] == pytest.approx(3 * 0.3 + 2 * 0.2)
