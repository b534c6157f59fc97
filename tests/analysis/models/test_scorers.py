import ast
from pathlib import Path

import pytest

import analysis
from analysis.models.catalogue import WEIGHTS
from analysis.models.scorers import ADVISORY, SCORERS, Scorer, chosen_scorers, scorer_version
from harness.errors import UsageError

HERE = Path(next(iter(analysis.__path__)))


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=lambda scorer: scorer.name)
def test_every_row_says_what_it_needs_and_what_it_cannot_hear(scorer: Scorer) -> None:
    assert scorer.blind_spots
    assert scorer.licence
    assert scorer.languages
    assert 0 < scorer.realtime_factor < 1
    assert set(scorer.weights) <= WEIGHTS.keys()


def test_only_what_has_weak_evidence_is_advisory() -> None:
    assert {"background", "naturalness"} == ADVISORY


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param(["background,similarity"], ["similarity", "background"], id="in the order of the table"),
        pytest.param(["similarity", "similarity, "], ["similarity"], id="named twice, once chosen"),
        pytest.param([], [], id="none named"),
    ],
)
def test_models_are_chosen_by_name(words: list[str], names: list[str]) -> None:
    assert [scorer.name for scorer in chosen_scorers(words)] == names


def test_a_name_that_there_is_not_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="similarty: no such model; there are similarity, intelligibility"):
        chosen_scorers(["similarty"])


def test_other_weights_make_another_version() -> None:
    scorer = SCORERS["similarity"]

    assert scorer_version(scorer, ["a" * 64]) == scorer_version(scorer, ["a" * 64])
    assert scorer_version(scorer, ["a" * 64]) != scorer_version(scorer, ["b" * 64])


ROOTS = {
    "similarity": "models/speaker",
    "intelligibility": "models/whisper",
    "background": "models/dnsmos",
    "naturalness": "models/distillmos",
}
LEFT_OUT = {"models/optional", "models/transcribers", "models/checkpoint"}  # no number comes from them


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=lambda scorer: scorer.name)
def test_every_module_that_a_score_comes_from_is_part_of_its_version(scorer: Scorer) -> None:
    reached, waiting = set(), [ROOTS[scorer.name]]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        tree = ast.parse((HERE / f"{name}.py").read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        paths = {module.removeprefix("analysis.").replace(".", "/") for module in imported if "analysis." in module}
        waiting += paths - reached - LEFT_OUT

    assert reached <= set(scorer.modules)
    assert all((HERE / f"{module}.py").is_file() for module in scorer.modules)
