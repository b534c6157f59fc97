from pathlib import Path

import pytest

from harness.security.reach import named_hosts, opening_modules, unpatterned


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "harness").mkdir()
    return tmp_path


def test_hosts_in_texts_are_told_with_their_files(root: Path) -> None:
    (root / "harness" / "a.py").write_text(
        'X = "https://api.example.com/v1"\nY = ["x.example.org:443", "169.254.169.254"]\n'
    )
    (root / "harness" / "b.py").write_text('X = "see api.example.com."\n')

    assert named_hosts(root) == {
        "api.example.com": ["harness/a.py", "harness/b.py"],
        "x.example.org": ["harness/a.py"],
        "169.254.169.254": ["harness/a.py"],
    }


def test_docstrings_comments_this_machine_and_names_of_modules_are_no_hosts(root: Path) -> None:
    (root / "harness" / "a.py").write_text(
        '"""See docs.example.com."""\n# or other.example.com\nX = "http://127.0.0.1:80 0.0.0.0 version 0.0.1.1"\n'
        'Y = "harness.providers.door"\n\n\ndef f():\n    """At example.com."""\n'
    )

    assert named_hosts(root) == {}


def test_a_pattern_for_hosts_is_told_with_stars(root: Path) -> None:
    (root / "harness" / "a.py").write_text('X = r"result-[a-z0-9-]+\\.oss-([a-z0-9-]+)\\.example\\.com"\n')

    assert list(named_hosts(root)) == ["result-*.oss-*.example.com"]
    assert unpatterned(r"[^.]+\.(x)\.com") == "*.(x).com"


@pytest.mark.parametrize(
    ("source", "opens"),
    [
        pytest.param("d = Door(origin=u)", True, id="a door"),
        pytest.param("d = door.Door(origin=u)", True, id="a door by its module"),
        pytest.param('run([python, "-m", "pip", "download"])', True, id="pip"),
        pytest.param('c = (python, "-m", "uv", "sync")', True, id="uv"),
        pytest.param('hub = library("huggingface_hub")', True, id="a hub"),
        pytest.param('run([python, "-m", "pytest"])', False, id="another program"),
        pytest.param('PITCHES = {"pip": 1}', False, id="the word alone"),
        pytest.param("from door import Door\nx: Door", False, id="a type"),
    ],
)
def test_modules_that_open_a_way_out_are_told(root: Path, source: str, opens: bool) -> None:
    (root / "harness" / "a.py").write_text(source)

    assert opening_modules(root) == ({"harness/a.py"} if opens else set())
