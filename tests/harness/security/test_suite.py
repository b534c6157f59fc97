import importlib.util
import os
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.security.outcome import GateBroken, Part, Status
from harness.security.suite import JUNIT, run_tests
from tests.harness.security.a_gate import a_checkout

TESTS = """
import os
import pytest

class TestInner:
    def test_in_a_class(self): assert True

def test_passes(): assert True
def test_fails(): assert "one" == "two", "they differ"
def test_skips(): pytest.skip("no browser here")
def test_breaks(missing_fixture): pass
@pytest.mark.parametrize("value", ["a", "b::c", "d[e]"])
def test_partly_skips(value):
    if value == "a": pytest.skip("not this one")
@pytest.mark.parametrize("value", [1, 2, 3])
def test_partly_fails(value): assert value != 2
@pytest.mark.parametrize("value", ["x", "y\\\\n<z>&"])
def test_odd_names(value): assert True
def test_environment(): assert not [name for name in os.environ if name.startswith(("CUTOVER_", "DASHSCOPE_"))]
def test_not_asked_for(): raise SystemExit("it must not run")
"""
NODES = ["passes", "fails", "skips", "breaks", "partly_skips", "partly_fails", "odd_names", "environment", "gone"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Part]:
    """One run over a good file, one that cannot be imported, and one that is not there."""
    root, folder = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("evidence")
    broken = {"tests/test_broken.py": "import nothing_of_that_name\ndef test_a(): pass\n"}
    a_checkout(root, **{"tests/test_good.py": TESTS}, **broken)
    wanted = [f"tests/test_good.py::test_{name}" for name in NODES] + ["tests/test_good.py::TestInner::test_in_a_class"]
    wanted += ["tests/test_broken.py::test_a", "tests/test_never.py::test_a"]
    os.environ["CUTOVER_QWEN__API_KEY"] = "canary"
    try:
        found = run_tests(root, wanted, folder=folder, workers="0")
    finally:
        del os.environ["CUTOVER_QWEN__API_KEY"]
    return {_name_of(node): part for node, part in found.items()}


def _name_of(node: str) -> str:
    file, _, test = node.partition("::")
    return test.rpartition("test_")[2] if "good" in file else Path(file).stem


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("passes", Status.PASS, ""),
        ("in_a_class", Status.PASS, ""),
        ("odd_names", Status.PASS, ""),
        ("fails", Status.FAIL, "tests/test_good.py: test_fails: AssertionError: they differ"),
        ("skips", Status.NOT_RUN, "no browser here"),
        ("breaks", Status.FAIL, "test_breaks: "),
        ("partly_skips", Status.NOT_RUN, r"(1 of 3): test_partly_skips[a]: "),
        ("partly_fails", Status.FAIL, "(1 of 3): test_partly_fails[2]: "),
        ("gone", Status.NOT_RUN, "test_gone was not collected"),
        ("test_broken", Status.NOT_RUN, "was not collected"),
        ("test_never", Status.NOT_RUN, "was not collected"),
    ],
)
def test_a_test_that_did_not_run_is_no_pass(parts: dict[str, Part], name: str, status: Status, told: str) -> None:
    assert parts[name].status is status
    assert told in parts[name].reason


def test_no_setting_and_no_real_key_reaches_a_test_of_the_gate(parts: dict[str, Part]) -> None:
    assert parts["environment"].status is Status.PASS


def test_a_part_rests_on_the_file_of_its_test_and_the_report(parts: dict[str, Part]) -> None:
    assert [each.path for each in parts["passes"].evidence] == ["tests/test_good.py", JUNIT]
    assert parts["gone"].evidence == ()


def test_files_that_are_not_there_start_nothing(tmp_path: Path) -> None:
    found = run_tests(tmp_path, ["tests/test_x.py::test_a"], folder=tmp_path, workers="0")

    assert found["tests/test_x.py::test_a"].status is Status.NOT_RUN
    assert list(tmp_path.iterdir()) == []


def test_a_pytest_that_cannot_run_at_all_breaks_the_gate(tmp_path: Path) -> None:
    root = a_checkout(tmp_path, **{"pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--no-such-option"\n'})

    with pytest.raises(GateBroken, match="pytest itself failed"):
        run_tests(root, ["tests/test_x.py::test_a"], folder=tmp_path, workers="0")


def test_without_the_dev_extra_one_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "xdist" else there(name))

    with pytest.raises(UsageError, match="xdist is not installed; .*make setup"):
        run_tests(a_checkout(tmp_path), ["tests/test_x.py::test_a"], folder=tmp_path, workers="0")
