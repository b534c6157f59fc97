from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from harness.config import PROJECT
from harness.errors import ConfigError
from harness.security.licences import LICENCES, core_closure, licence_of, licences, read_licence_rules
from harness.security.lock import read_lock

RULES = """
allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
[spellings]
"MIT License" = "MIT"
"Apache Software License" = "Apache-2.0"
"GPLv3" = "GPL-3.0-only"
[looked_up.silent]
licence = "MIT"
source = "its LICENSE file"
[only_in.loud]
licence = "GPL-3.0-only"
extra = "demo"
reason = "only stand-ins speak through it"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / LICENCES).parent.mkdir(parents=True)
    (tmp_path / LICENCES).write_text(RULES)
    return tmp_path


def a_package(folder: Path, name: str, *lines: str, needs: tuple[str, ...] = ()) -> Distribution:
    where = folder / f"{name}-1.dist-info"
    where.mkdir()
    requires = [f"Requires-Dist: {each}" for each in needs]
    (where / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1", *lines, *requires])
    )
    return PathDistribution(where)


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        pytest.param(("License-Expression: MIT",), "MIT", id="by PEP 639"),
        pytest.param(("Classifier: License :: OSI Approved :: MIT License",), "MIT", id="by classifier"),
        pytest.param(
            (
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: OSI Approved :: Apache Software License",
            ),
            "MIT AND Apache-2.0",
            id="by two classifiers, of which both must do",
        ),
        pytest.param(("License: GPLv3",), "GPL-3.0-only", id="by the old field"),
        pytest.param(("License: Some words of our own",), None, id="in words"),
        pytest.param(
            ("Classifier: License :: Other", "Classifier: License :: OSI Approved :: MIT License"),
            None,
            id="by a classifier beside one that nobody knows",
        ),
        pytest.param((), None, id="not at all"),
    ],
)
def test_a_licence_is_read_however_it_is_said(
    root: Path, tmp_path: Path, lines: tuple[str, ...], licence: str | None
) -> None:
    assert licence_of(a_package(tmp_path, "some", *lines), read_licence_rules(root)) == licence


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [
        ("MIT", True),
        ("MIT AND Apache-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND MIT", False),
    ],
)
def test_one_alternative_must_be_allowed_in_all_its_parts(
    root: Path, tmp_path: Path, expression: str, is_allowed: bool
) -> None:
    found = licences(root, [a_package(tmp_path, "some", f"License-Expression: {expression}")])

    assert [expression in str(each) for each in found] == [True] * (not is_allowed)


def test_a_package_that_says_nothing_is_told_until_a_person_looked_it_up(root: Path, tmp_path: Path) -> None:
    found = licences(root, [a_package(tmp_path, "silent"), a_package(tmp_path, "mute")])

    assert [each.message.partition(" does")[0] for each in found] == ["mute 1"]


def test_what_is_for_one_extra_alone_must_not_be_needed_by_the_core(root: Path, tmp_path: Path) -> None:
    ours = a_package(tmp_path, "voice-cutover", needs=("middle>=1", 'loud ; extra == "demo"'))
    loud = a_package(tmp_path, "loud", "License-Expression: GPL-3.0-only")
    harmless = a_package(tmp_path, "middle", "License-Expression: MIT")

    assert licences(root, [ours, loud, harmless]) == ()

    (tmp_path / "other").mkdir()
    harmful = a_package(tmp_path / "other", "middle", "License-Expression: MIT", needs=("loud",))
    (found,) = licences(root, [ours, loud, harmful])

    assert "loud 1 is for the extra 'demo' alone, and the core needs it" in found.message


def test_the_core_is_what_is_needed_without_extras_through_all_that_is_needed(tmp_path: Path) -> None:
    packages = {
        "voice-cutover": a_package(tmp_path, "voice-cutover", needs=("a[fast]", 'x ; extra == "dev"')),
        "a": a_package(
            tmp_path, "a", needs=("b", 'c ; extra == "fast"', 'd ; extra == "slow"', 'e ; python_version < "3"')
        ),
        **{name: a_package(tmp_path, name, needs=("a",)) for name in "bcdex"},
    }

    assert core_closure(packages) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("allowed = 3", "allowed: "), (RULES.replace("source", "sauce"), r"looked_up\.silent\."), ("[", "cannot be read")],
)
def test_rules_that_say_something_else_are_refused(root: Path, text: str, wrong: str) -> None:
    (root / LICENCES).write_text(text)

    with pytest.raises(ConfigError, match=wrong):
        licences(root, [])


def test_missing_rules_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bring it back from the repository"):
        read_licence_rules(tmp_path)


def test_everything_we_pin_stands_under_an_allowed_licence() -> None:
    pinned = {pin.name for pin in read_lock(PROJECT)}
    installed = [
        each for each in distributions() if canonicalize_name(each.metadata["Name"]) in {*pinned, "voice-cutover"}
    ]

    assert len(installed) > 100
    assert [str(found) for found in licences(PROJECT, installed)] == []
