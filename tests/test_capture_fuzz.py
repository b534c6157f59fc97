"""Importers against damaged files: no crash, every record accounted for, nothing out of a header."""

import random
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replay.importers.formats import Format
from replay.importers.unpacking import MAX_RECORD_BYTES
from tests.fuzzed import (
    DEEP,
    HEADERS,
    NUL,
    SURROGATES,
    Document,
    Giant,
    Trial,
    as_utf_16,
    documents,
    giants,
    mutated,
)

INPUTS = 100  # in each of 50 examples: 5,000 in all


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.name)
def test_an_undamaged_document_is_good_whether_its_format_is_named_or_not(tmp_path: Path, document: Document) -> None:
    named, detected = Trial(tmp_path), Trial(tmp_path)

    named.read(document)
    detected.read(document, detect=True)

    assert named.outcomes == detected.outcomes
    assert named.outcomes["good"] >= 2
    assert named.outcomes["quarantined"] == named.outcomes["refused"] == 0


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
@example(seed=0)
def test_damaged_documents_never_crash_the_importers_and_every_record_is_counted(trial: Trial, seed: int) -> None:
    dice = random.Random(seed)
    intact = documents()

    for number in range(INPUTS):
        trial.read(mutated(dice, dice.choice(intact)), detect=number % 4 == 0)


@pytest.mark.parametrize("giant", giants(), ids=lambda giant: giant.name)
def test_what_is_too_large_costs_itself_and_neither_memory_nor_its_neighbour(tmp_path: Path, giant: Giant) -> None:
    trial = Trial(tmp_path)
    tracemalloc.start()
    try:
        trial.read_giant(giant)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 5 * MAX_RECORD_BYTES  # the longest record in hexadecimal, in pieces and joined
    assert trial.outcomes == (Counter(refused=1) if giant.refused else Counter(quarantined=1, good=1))


def _found(document: Document, poison: bytes) -> bool:
    """Whether the accident with this poison happens, and makes a difference."""
    dice = random.Random(1)
    return any(poison in mutated(dice, document).data for _ in range(20_000))


@pytest.mark.parametrize(
    ("kind", "poison"),
    [("NULs", NUL), *(("lone surrogates", one) for one in SURROGATES), *(("deep JSON", one) for one in DEEP)]
    + [("header injection", one) for one in HEADERS],
)
def test_every_accident_that_was_promised_happens(kind: str, poison: bytes) -> None:
    text = Document("t", Format.LOG, b"some words of a log without anything odd in them, " * 20)

    assert _found(text, poison), kind


def test_files_in_utf_16_are_refused_with_the_remedy(tmp_path: Path) -> None:
    for document in documents():
        trial = Trial(tmp_path)
        trial.read(document._replace(data=as_utf_16(document.data)), detect=True)

        assert trial.outcomes == {"refused": 1}, document.name


def test_giants_are_of_every_promised_kind() -> None:
    assert {giant.kind for giant in giants()} == {"100 MB line", "zip bomb"}
