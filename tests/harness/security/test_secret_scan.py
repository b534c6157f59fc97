import gzip
from pathlib import Path

import pytest
import zstandard

from harness.config import PROJECT
from harness.errors import ConfigError, UsageError
from harness.security.checkout import history_lines, tracked_files
from harness.security.secret_scan import PLANTED, leaked_in_history, leaked_secrets, planted_keys, text_of
from tests.checkouts import a_checkout, commit

# Put together here, so that this file holds none of them.
KEY = "sk-" + "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
OTHER = "sk-" + "f" * 8 + "0" * 24
LIST = f'[[planted]]\nvalue = "{OTHER}"\nreason = "made up for a test"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_checkout(tmp_path, {PLANTED.as_posix(): LIST, "a.py": "x = 1\n"})


def places(found: tuple[object, ...]) -> list[str]:
    return [str(each).partition(": ")[0] for each in found]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f'call("{KEY}")', id="a DashScope key as a bare argument"),
        pytest.param(f"sk-{'ws-'}{KEY[3:]}", id="a key of a workspace"),
        pytest.param("Modal-Secret: as-" + "A1b2C3d4E5f6G7h8I9", id="a Modal secret"),
        pytest.param("LTA" + "I5tA1b2C3d4E5f6G7", id="an access key of OSS"),
        pytest.param("http://x.example/y?Expires=1&Signature=" + "aBcD%2FeFgH", id="a signed address"),
        pytest.param("'Authorization': 'Bea" + "rer abcdef0123456789'", id="a bearer header"),
        pytest.param("-----BEGIN RSA PRIV" + "ATE KEY-----", id="a private key"),
        pytest.param("AKI" + "AIOSFODNN7EXAMPLE", id="an AWS key"),
        pytest.param("postgres://admin:hunt" + "er2@db.example/x", id="a password in an address"),
    ],
)
def test_a_credential_in_a_file_is_found_where_it_stands(root: Path, line: str) -> None:
    (root / "b.py").write_text(f"# …\n\n{line}\n")

    (found,) = leaked_secrets(root)

    assert (found.path, found.line, found.rule) == ("b.py", 3, "S8-01")
    assert line not in str(found)


def test_a_planted_key_is_let_through_by_its_exact_value_alone(root: Path) -> None:
    (root / "b.py").write_text(f"'{OTHER}'\nBearer {OTHER}\n{OTHER}0\n{OTHER},{KEY}\n")

    assert places(leaked_secrets(root)) == ["b.py:3", "b.py:4"]


def test_packed_files_are_unpacked_first(root: Path) -> None:
    (root / "a.jsonl.zst").write_bytes(zstandard.compress(KEY.encode()))
    (root / "b.log.gz").write_bytes(gzip.compress(KEY.encode()))
    (root / "c.bin").write_bytes(b"\xff\x00" + KEY.encode() + b"\xfe")

    assert places(leaked_secrets(root)) == ["a.jsonl.zst:1", "b.log.gz:1", "c.bin:1"]


def test_ignored_files_may_hold_keys(root: Path) -> None:
    (root / ".gitignore").write_text("cutover.toml\n")
    (root / "cutover.toml").write_text(KEY)

    assert leaked_secrets(root) == ()


def test_a_key_that_was_taken_out_again_is_still_found_in_history(root: Path) -> None:
    commit(root, {"b.py": f"{KEY}\n{OTHER}\n"}, "put in")
    commit(root, {"b.py": ""}, f"take out {KEY}")

    assert leaked_secrets(root) == ()
    assert sorted(place.partition(":")[2] for place in places(leaked_in_history(root))) == ["b.py", "message"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("planted = [", "cannot be read"),
        ('[[planted]]\nvalue = "abc"', "planted.0.reason: Field required"),
        ('[[planted]]\nvalue = "abc"\nreason = "x"', "planted.0.reason"),
        ('[[folders]]\nname = "tests"', "planted: Field required|folders"),
    ],
)
def test_a_list_that_says_something_else_is_refused(root: Path, text: str, wrong: str) -> None:
    (root / PLANTED).write_text(text)

    with pytest.raises(ConfigError, match=wrong):
        leaked_secrets(root)


def test_a_missing_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bring it back from the repository"):
        planted_keys(tmp_path)


def test_this_repository_holds_no_key() -> None:
    assert [str(found) for found in leaked_secrets(PROJECT)] == []


def test_the_history_of_this_repository_holds_no_key() -> None:
    try:
        found = leaked_in_history(PROJECT)
    except UsageError as cut_off:
        pytest.skip(str(cut_off))

    assert [str(each) for each in found] == []


def test_every_planted_key_is_needed() -> None:
    try:
        ever = "".join(line.text for line in history_lines(PROJECT) if line.path != PLANTED.as_posix())
    except UsageError as cut_off:
        pytest.skip(str(cut_off))
    ever += "".join(text_of(PROJECT / name) for name in tracked_files(PROJECT) if name != PLANTED.as_posix())

    assert [value for value in planted_keys(PROJECT) if value not in ever] == []
