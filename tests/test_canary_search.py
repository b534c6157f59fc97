import base64
import gzip
from pathlib import Path

import pytest
import zstandard

from harness.gateway.caller_file import add_key
from tests import canaries
from tests.builders import NOON
from tests.canaries import MARK, QWEN_KEY
from tests.canary_search import ON_PURPOSE, main, search

KEYS = {name: value for name, value in vars(canaries).items() if name.isupper() and name in canaries.__all__}


def test_every_key_holds_the_mark_and_no_two_are_alike() -> None:
    assert len(KEYS) >= 10
    assert all(value.count(MARK) == 1 for value in KEYS.values())
    assert len(set(KEYS.values())) == len(KEYS)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda key: key.encode(), id="raw"),
        pytest.param(lambda key: key[:12].encode(), id="its beginning"),
        pytest.param(lambda key: key[::-1].encode(), id="reversed"),
        pytest.param(lambda key: key.encode().hex().encode(), id="hex"),
        pytest.param(lambda key: base64.b64encode(f"user:{key}".encode()), id="base64 from 2"),
        pytest.param(lambda key: base64.b64encode(f"users:{key}".encode()), id="base64 from 0"),
        pytest.param(lambda key: base64.urlsafe_b64encode(f"usersx:{key}".encode()), id="base64 from 1"),
        pytest.param(lambda key: key.replace("+", "%2B").encode(), id="url-quoted"),
    ],
)
@pytest.mark.parametrize("name", ["QWEN_KEY", "MODAL_SECRET", "ADMIN_TOKEN", "SIGNATURE"])
def test_a_key_is_found_however_it_is_written(tmp_path: Path, name: str, written: object) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_bytes(b"x" * 10 + written(KEYS[name]) + b"\n")  # type: ignore[operator] # a lambda

    assert [each.where for each in search(tmp_path)]


def test_a_key_is_found_in_packed_files_and_in_names(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(zstandard.compress(QWEN_KEY.encode() * 50))
    (tmp_path / "b.gz").write_bytes(gzip.compress(QWEN_KEY.encode() * 50))
    (tmp_path / f"c-{MARK}").touch()

    assert {"a.zst, unpacked", "b.gz, unpacked", f"the name c-{MARK}"} <= {each.where for each in search(tmp_path)}


def test_a_key_that_a_gateway_made_for_a_caller_is_found_by_its_form(tmp_path: Path) -> None:
    _, key = add_key(tmp_path / "callers.toml", "app", now=NOON)
    assert list(search(tmp_path)) == []  # the file holds its hash

    (tmp_path / "log").write_text(f'{{"key": "{key}"}}')

    assert [(each.where, each.form) for each in search(tmp_path)] == [("log", "a caller's key")]


def test_damaged_files_stop_nothing(tmp_path: Path) -> None:
    for name in ("a.zst", "b.gz", "c.duckdb"):
        (tmp_path / name).write_bytes(b"damaged " + QWEN_KEY.encode())

    assert sorted({each.where for each in search(tmp_path)}) == ["a.zst", "b.gz", "c.duckdb"]


def test_what_was_made_unreadable_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "log").write_text(QWEN_KEY)
    (tmp_path / "shut" / "log").chmod(0)
    (tmp_path / "shut").chmod(0)

    assert {each.where for each in search(tmp_path)} == {"shut/log"}


def test_the_place_is_told_and_the_key_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text(f"key {QWEN_KEY}")

    assert main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "log: a key of the tests at byte 7 (raw)" in said
    assert MARK not in said


def test_a_clean_folder_is_clean_and_an_empty_one_is_not_taken_for_it(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2
    assert main([]) == 2
    (tmp_path / "log").write_text("nothing here")
    assert main([str(tmp_path)]) == 0


def test_what_a_test_wrote_on_purpose_is_passed_over_and_its_neighbour_is_not(tmp_path: Path) -> None:
    for name in ("test_damaged_files_stop_nothin0", "test_a_damaged_file0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log").write_text(QWEN_KEY)

    assert {each.where for each in search(tmp_path)} == {"test_a_damaged_file0/log"}


@pytest.mark.parametrize("prefix", ON_PURPOSE)
def test_every_exception_is_for_a_test_that_there_is(prefix: str) -> None:
    file, _, reason = ON_PURPOSE[prefix].partition(": ")

    assert f"def {prefix}" in (Path(__file__).parent / file).read_text()
    assert reason
