import json
from datetime import timedelta
from pathlib import Path

import pytest

from harness.capture import capture_to_json
from harness.exchanges import Observed
from replay.sources import read_captures
from tests.builders import NOON, a_capture, a_request
from tests.replayed import a_replayed_run
from tests.typed import type_capture


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """Twelve captures an hour apart in three languages, the later the longer."""
    path = tmp_path / "captures.jsonl"
    some = [
        a_capture(
            f"c{number:02}",
            request=a_request("x" * (number + 1), language=("en", "de", "fr")[number % 3]),
            captured_at=NOON + timedelta(hours=number),
        )
        for number in range(12)
    ]
    path.write_text("".join(f"{capture_to_json(capture)}\n" for capture in some))
    return path


def picked(home: Path, captures: Path, *words: str) -> list[str]:
    out = home / "out.jsonl"
    typed = type_capture(home, "pick", captures, "--out", out, "--replace", *words)
    assert typed.status == 0, typed.err
    return [capture.id for capture in read_captures(out)]


def test_a_pick_covers_every_kind_for_the_least_characters(tmp_path: Path, captures: Path) -> None:
    typed = type_capture(tmp_path, "pick", captures, "--out", tmp_path / "out.jsonl")

    assert "3 of 12 captures, 6 billed characters, 0 voices to make, $0.0001 at Qwen" in typed.out
    assert "covers 3 of 3 strata with 100.0% of the traffic" in typed.out
    assert typed.err == f"Next: cutover replay {tmp_path / 'out.jsonl'}\n"
    assert json.loads((tmp_path / "out.jsonl.weights.json").read_text())["weights"] == {"c00": 4, "c01": 4, "c02": 4}


def test_limits_and_filling(tmp_path: Path, captures: Path) -> None:
    assert picked(tmp_path, captures, "--limit", "2") == ["c00", "c01"]
    assert len(picked(tmp_path, captures, "--limit", "9", "--fill")) == 9
    assert picked(tmp_path, captures, "--budget-chars", "4") == ["c00", "c01"]


def test_what_was_answered_in_a_run_is_left_out_until_nothing_is_left(tmp_path: Path) -> None:
    few, all_ = a_replayed_run(tmp_path, captures=4), a_replayed_run(tmp_path, run_id="20261124T120000Z-b", captures=4)
    captures = tmp_path / "captures.jsonl"
    ids = [f"{run.id}-{number}" for run in (few, all_) for number in range(4)]
    captures.write_text("".join(f"{capture_to_json(a_capture(name))}\n" for name in ids))

    assert picked(tmp_path, captures, "--every", "--except", few.id) == ids[4:]
    typed = type_capture(
        tmp_path, "pick", captures, "--out", tmp_path / "none.jsonl", "--except", few.id, "--except", all_.id
    )
    assert "0 of 0 captures" in typed.out
    assert typed.err == "Nothing is left: what passes was answered in those runs; without --except it is taken.\n"


def test_plain_filters_take_every_capture_that_passes(tmp_path: Path, captures: Path) -> None:
    assert picked(tmp_path, captures, "--every", "--language", "de", "--max-chars", "6") == ["c01", "c04"]
    assert picked(
        tmp_path, captures, "--every", "--since", "2026-11-23T20:00Z", "--until", "2026-11-23T22:00+00:00"
    ) == [
        "c08",
        "c09",
    ]
    assert picked(tmp_path, captures, "--every", "--until", "2026-11-23") == []


def test_a_sample_is_the_same_for_the_same_seed(tmp_path: Path, captures: Path) -> None:
    first = picked(tmp_path, captures, "--every", "--sample", "0.5", "--seed", "7")

    assert 0 < len(first) < 12
    assert picked(tmp_path, captures, "--every", "--sample", "0.5", "--seed", "7") == first


def test_json_tells_the_same_to_machines(tmp_path: Path, captures: Path) -> None:
    facts = type_capture(tmp_path, "pick", captures, "--out", tmp_path / "out.jsonl", "--json").json

    assert (facts["captures"], facts["strata_covered"], facts["traffic_covered"]) == (3, 3, 1.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--every", "--fill"), "it goes with neither --failures-of nor --fill"),
        (("--fill",), "give --limit, --budget or --budget-chars"),
        (("--since", "yesterday"), "--since yesterday: is no time; write 2026-11-22"),
        (("--until", "2026-11-22T10:15"), "--until 2026-11-22T10:15: names no time zone"),
        (("--failures-of", "latest"), "no run yet"),
        (("--except", "latest"), "no run yet"),
    ],
)
def test_a_wrong_use_is_one_sentence(tmp_path: Path, captures: Path, words: tuple[str, ...], message: str) -> None:
    typed = type_capture(tmp_path, "pick", captures, "--out", tmp_path / "out.jsonl", *words)

    assert typed.status == 2
    assert message in typed.err


def test_a_budget_in_dollars_takes_what_it_can_pay(tmp_path: Path, captures: Path) -> None:
    assert picked(tmp_path, captures, "--budget", "0.00003") == ["c00", "c01"]  # $0.10 for 10,000 characters
    facts = type_capture(
        tmp_path, "pick", captures, "--out", tmp_path / "b.jsonl", "--every", "--budget", "0.0001", "--json"
    ).json
    assert (facts["captures"], facts["microusd"]) == (4, 100)


def test_a_budget_for_both_needs_what_production_waited_and_takes_fewer(tmp_path: Path) -> None:
    observed = Observed(provider="modal", status="ok", first_byte_s=None, total_s=4.0, audio_s=None)
    timed, untimed = tmp_path / "timed.jsonl", tmp_path / "untimed.jsonl"
    timed.write_text("".join(f"{capture_to_json(a_capture(f'c{n}', observed=observed))}\n" for n in range(9)))
    untimed.write_text(capture_to_json(a_capture()) + "\n")

    alone = picked(tmp_path, timed, "--every", "--budget", "0.01")
    both = picked(tmp_path, timed, "--every", "--budget", "0.01", "--with-legacy")
    refused = type_capture(
        tmp_path, "pick", untimed, "--out", tmp_path / "o.jsonl", "--budget", "1", "--every", "--with-legacy"
    )

    assert len(alone) == 9 > len(both) > 0
    assert refused.status == 2
    assert "no price is known for capture c1 at both providers" in refused.err
