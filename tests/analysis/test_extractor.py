import ast
from pathlib import Path

import pytest

from analysis import extractor
from analysis.extractor import MODULES, PAIR_MODULES, extractor_version, pair_extractor_version, version_of

HERE = Path(extractor.__file__).parent


def test_the_version_is_short_and_stays_the_same() -> None:
    assert extractor_version() == extractor_version()
    assert len(extractor_version()) == 12


def test_a_changed_source_or_library_makes_another_version() -> None:
    first = version_of([b"a", b"b"], ["numpy==1"])

    others = {version_of([b"a", b"c"], ["numpy==1"]), version_of([b"a", b"b"], ["numpy==2"]), version_of([b"ab"], [])}

    assert first not in others
    assert len(others) == 3


def test_features_and_pair_features_have_versions_of_their_own() -> None:
    assert extractor_version() != pair_extractor_version()


@pytest.mark.parametrize(("root", "modules"), [("features", MODULES), ("likeness", PAIR_MODULES)])
def test_every_module_that_a_number_comes_from_is_part_of_the_version(root: str, modules: tuple[str, ...]) -> None:
    reached, waiting = set(), [root]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        tree = ast.parse((HERE / f"{name}.py").read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        waiting += [
            module.removeprefix("analysis.")
            for module in imported
            if module.startswith("analysis.") and module.removeprefix("analysis.") not in reached
        ]

    assert reached == set(modules)
