import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.security.outcome import Status
from harness.security.record import newest_record, read_record, record_name, records_folder, write_record
from tests.harness.security.a_gate import NOON, a_record, an_outcome


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    record = a_record(an_outcome(), an_outcome(id="S8-02", status=Status.FAIL, reason="ü"), exit_status=1)

    digest = write_record(tmp_path / "gate.json", record)

    assert read_record(tmp_path / "gate.json") == (record, digest)
    assert stat.S_IMODE((tmp_path / "sub").parent.stat().st_mode)


def test_the_file_says_what_reviewers_look_for(tmp_path: Path) -> None:
    write_record(tmp_path / "gate.json", a_record())

    told = json.loads((tmp_path / "gate.json").read_text())

    assert told["schema"] == 1
    assert told["summary"] == {"pass": 1, "fail": 0, "not_run": 0, "waived": 0}
    assert {"commit", "dirty", "lock_sha256", "code_sha256"} <= set(told["provenance"])
    assert {"id", "title", "severity", "status", "asserted", "command", "duration_ms", "evidence", "maps"} <= set(
        told["checks"][0]
    )
    assert len(told["digest"]) == 64


def test_the_digest_is_of_the_content_and_not_of_its_layout(tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    digest = write_record(path, a_record())
    content = json.loads(path.read_text())

    path.write_text(json.dumps(dict(reversed(content.items()))))

    assert read_record(path).digest == digest


@pytest.mark.parametrize("change", ["status", "commit", "exit_status", "evidence", "digest", "gone"])
def test_a_record_that_was_changed_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "gate.json"
    write_record(path, a_record(an_outcome(status=Status.FAIL), exit_status=1))
    content = json.loads(path.read_text())
    if change == "status":
        content["checks"][0]["status"] = "pass"
    elif change == "evidence":
        content["checks"][0]["evidence"] = []
    elif change == "commit":
        content["provenance"]["commit"] = "0" * 40
    elif change == "exit_status":
        content["exit_status"] = 0
    elif change == "digest":
        content["digest"] = "0" * 64
    else:
        del content["digest"]
    path.write_text(json.dumps(content))

    with pytest.raises(StoreError, match="digest does not match"):
        read_record(path)


@pytest.mark.parametrize("content", [b"", b"no json", b"\xff\xfe", b"[]", b'{"schema": 2}', b"[" * 100_000])
def test_what_is_no_record_says_how_to_make_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gate.json").write_bytes(content)

    with pytest.raises(StoreError, match="gate.json: .*cutover gate run"):
        read_record(tmp_path / "gate.json")


def test_a_record_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none.json: .*cutover gate run"):
        read_record(tmp_path / "none.json")


def test_the_newest_record_is_the_one_of_the_latest_start(tmp_path: Path) -> None:
    assert newest_record(tmp_path) is None
    for hours in (2, 10, 1):
        write_record(records_folder(tmp_path) / record_name(NOON + timedelta(hours=hours)), a_record())

    newest = newest_record(tmp_path)

    assert newest is not None
    assert newest.name == "gate-20261123T220000Z.json"
    assert stat.S_IMODE(records_folder(tmp_path).stat().st_mode) == 0o700


def test_a_record_that_cannot_be_kept_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="was not kept"):
        write_record(tmp_path / "file" / "gate.json", a_record())


def test_only_a_run_of_every_check_is_whole() -> None:
    assert a_record().is_whole
    assert not a_record(catalogue_checks=34).is_whole
