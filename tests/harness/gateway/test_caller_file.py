import threading
import tomllib
from pathlib import Path

import pytest

from harness.config import LimitSettings
from harness.errors import ConfigError, UsageError
from harness.gateway.caller_file import KEY_PREFIX, add_key, hash_key, parse_callers, remove_key
from tests.builders import NOON

BASE = LimitSettings()


def test_the_key_itself_is_nowhere_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gateway" / "callers.toml"

    made, key = add_key(path, "app", now=NOON)

    content = path.read_bytes()
    assert key.startswith(KEY_PREFIX)
    assert len(key) > 40
    assert key.encode() not in content
    assert parse_callers(content, name="f", base=BASE).by_hash[hash_key(key)] == made
    assert path.stat().st_mode & 0o077 == 0


def test_what_people_wrote_around_a_key_stays_when_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "callers.toml"
    first, _ = add_key(path, "app", now=NOON)
    path.write_text(path.read_text() + "\n# the app may do little\n[limits.app]\nrequests_per_minute = 5\n")
    second, _ = add_key(path, "app", now=NOON)

    remove_key(path, first.id)

    book = parse_callers(path.read_bytes(), name="f", base=BASE)
    assert [key.id for key in book.keys] == [second.id]
    assert "# the app may do little\n[limits.app]" in path.read_text()
    assert book.limits["app"].requests_per_minute == 5
    assert book.limits["app"].chars_per_minute == BASE.chars_per_minute


def test_keys_made_at_the_same_moment_by_several_people_are_all_there(tmp_path: Path) -> None:
    path = tmp_path / "callers.toml"
    threads = [threading.Thread(target=add_key, args=(path, f"app{n}"), kwargs={"now": NOON}) for n in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {key.caller for key in parse_callers(path.read_bytes(), name="f", base=BASE).keys} == {
        f"app{n}" for n in range(8)
    }


def test_a_key_that_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "callers.toml"
    add_key(path, "app", now=NOON)
    before = path.read_bytes()

    with pytest.raises(UsageError, match="callers list"):
        remove_key(path, "k-none")

    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", 'a"b', "a b", "a\nb", "x" * 65, "ü"])
def test_a_name_that_could_break_the_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a caller"):
        add_key(tmp_path / "callers.toml", name, now=NOON)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"schema = 1", "half-written", id="cut off"),
        pytest.param(b"schema = 2\n", "schema", id="another version"),
        pytest.param(b"schema = 1\nkeys = 3\n", "keys", id="misspelt"),
        pytest.param(b"schema = 1\n[limits.app]\nrequests = 3\n", "requests_per_minute", id="unknown limit"),
        pytest.param(b"schema = 1\n[limits.app]\nrequests_per_minute = 0\n", "greater than 0", id="limit of nothing"),
        pytest.param(b"schema = 1\n[[key]]\ncaller = 'a'\nid = 'b'\nsha256 = 'x'\n", "sha256", id="no hash"),
        pytest.param(b"\xff\n", "TOML", id="no text"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_is_wrong(content: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_callers(content, name="callers.toml", base=BASE)


def test_a_broken_file_is_not_made_worse(tmp_path: Path) -> None:
    path = tmp_path / "callers.toml"
    path.write_text("schema = 1\n[[key\n")

    with pytest.raises(ConfigError, match="TOML"):
        add_key(path, "app", now=NOON)

    assert path.read_text() == "schema = 1\n[[key\n"
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(path.read_text())
