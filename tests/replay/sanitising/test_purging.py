import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.capture import capture_to_json
from harness.exchanges import Capture
from harness.speech import Reference, VoiceKind
from harness.store.blobs import BlobStore
from harness.store.journal import Journal
from harness.store.rows import capture_row
from replay.sanitising.purging import Criteria, Purge, carry_out, plan_purge, runs_that_hold, write_proof
from replay.sources import CaptureFile, read_captures
from tests.builders import NOON, a_capture, a_request, a_voice

OLD = Criteria(captured_before=NOON)


def aged(id: str, days: int, *, sha256: str | None = None, **changes: Any) -> Capture:  # noqa: A002 - the field's own name
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript=None)) if sha256 else a_voice()
    capture = a_capture(id, request=a_request(voice=voice), captured_at=NOON - timedelta(days=days))
    return replace(capture, **changes)


def a_file(folder: Path, *captures: Capture | str, name: str = "captures.jsonl") -> CaptureFile:
    path = folder / name
    path.write_text("".join(f"{one if isinstance(one, str) else capture_to_json(one)}\n" for one in captures))
    return read_captures(path)


def ids(source: CaptureFile) -> list[str]:
    return [capture.id for capture in read_captures(source.path)]


@pytest.mark.parametrize(
    ("criteria", "gone"),
    [
        pytest.param(OLD, {"a", "b"}, id="by age"),
        pytest.param(Criteria(user_key="hmac:1"), {"b", "c"}, id="by person"),
        pytest.param(Criteria(voice_id="voice-anna"), {"c"}, id="by voice"),
        pytest.param(Criteria(captured_before=NOON, user_key="hmac:1"), {"b"}, id="all conditions together"),
    ],
)
def test_what_has_to_go_meets_all_criteria(tmp_path: Path, criteria: Criteria, gone: set[str]) -> None:
    captures = [aged("a", 2), aged("b", 1, user_key="hmac:1"), aged("c", 0, sha256="a" * 64, user_key="hmac:1")]
    source = a_file(tmp_path, *captures)

    plan = plan_purge(source, criteria)
    carry_out(source, criteria, plan)

    assert (plan.captures, plan.kept) == (len(gone), 3 - len(gone))
    assert set(ids(source)) == {"a", "b", "c"} - gone


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    source = a_file(tmp_path, aged("a", 1), aged("b", 0))
    before = source.path.read_bytes()

    plan_purge(source, OLD)

    assert source.path.read_bytes() == before


def test_recordings_go_when_nobody_needs_them_any_more(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "audio")
    lonely, shared, elsewhere = (store.put(f"RIFF{number}".encode(), "wav") for number in range(3))
    source = a_file(
        tmp_path,
        aged("a", 1, sha256=lonely),
        aged("b", 1, sha256=shared),
        aged("c", 0, sha256=shared),
        aged("d", 1, sha256=elsewhere),
    )
    a_file(tmp_path, aged("x", 0, sha256=elsewhere), name="other.jsonl")

    plan = plan_purge(source, OLD)
    carry_out(source, OLD, plan)

    assert plan.recordings == (lonely,)
    assert [store.find(sha256) is None for sha256 in (lonely, shared, elsewhere)] == [True, False, False]


def test_recordings_stay_when_a_file_beside_cannot_be_asked(tmp_path: Path) -> None:
    source = a_file(tmp_path, aged("a", 1, sha256="a" * 64))
    (tmp_path / "other.jsonl").write_bytes("{}".encode("utf-16"))

    plan = plan_purge(source, OLD)

    assert (plan.recordings, plan.unreadable) == ((), ("other.jsonl",))


def test_bad_lines_go_as_well_since_nobody_can_tell_whom_they_are_about(tmp_path: Path) -> None:
    source = a_file(tmp_path, aged("a", 1), "anna@example.com", aged("b", 0))

    plan = plan_purge(source, OLD)
    carry_out(source, OLD, plan)

    assert plan.bad_lines == 1
    assert b"anna" not in source.path.read_bytes()
    assert not source.quarantine.exists()


def test_the_proof_says_what_was_done_and_not_whom_it_was_about(tmp_path: Path) -> None:
    source = a_file(tmp_path, aged("a", 0))
    purge = Purge(captures=3, kept=1, bad_lines=0, recordings=("b" * 64,), unreadable=())

    for _ in range(2):
        write_proof(tmp_path / "home" / "purges.jsonl", source.path, Criteria(user_key="hmac:1"), purge, at=NOON)

    records = [json.loads(line) for line in (tmp_path / "home" / "purges.jsonl").read_text().splitlines()]
    assert len(records) == 2
    assert records[0]["criteria"] == {"captured_before": None, "user_key": "hmac:1", "voice_id": None}
    assert (records[0]["captures"], records[0]["recordings"]) == (3, 1)
    assert len(records[0]["sha256_after"]) == 64


def a_run(home: Path, name: str, *captures: Capture) -> Path:
    folder = home / "runs" / name
    with Journal(folder / "journal.jsonl") as journal:
        journal.append({"type": "plan", "plan": {}})
        for capture in captures:
            journal.append({"type": "planned", "capture": capture_row(capture), "legs": []})
    return folder


@pytest.mark.parametrize(
    ("criteria", "holding"),
    [
        pytest.param(OLD, ["r1"], id="by age"),
        pytest.param(Criteria(user_key="hmac:1"), ["r1", "r2"], id="by person"),
        pytest.param(Criteria(voice_id="voice-anna"), ["r3"], id="by voice"),
        pytest.param(Criteria(user_key="hmac:9"), [], id="of nobody"),
    ],
)
def test_runs_that_hold_words_of_what_goes_are_told(tmp_path: Path, criteria: Criteria, holding: list[str]) -> None:
    a_run(tmp_path, "r1", aged("a", 1, user_key="hmac:1"), aged("b", 0))
    a_run(tmp_path, "r2", aged("c", 0, user_key="hmac:1"))
    a_run(tmp_path, "r3", aged("d", 0, sha256="a" * 64))

    assert [folder.name for folder in runs_that_hold(tmp_path, criteria)] == holding


def test_a_run_that_cannot_be_read_is_taken_for_one_that_holds_some(tmp_path: Path) -> None:
    folder = a_run(tmp_path, "r1", aged("a", 0))
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"plan"', b'"plam"', 1))

    assert runs_that_hold(tmp_path, Criteria(user_key="hmac:9")) == [folder]
