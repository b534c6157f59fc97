"""Importers against damaged files: no crash, every record accounted for, nothing out of a header."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzzed import Document, Trial, documents, mutated

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
