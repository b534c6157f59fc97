import json
from pathlib import Path

import duckdb
import pytest

from harness.capture import capture_to_json
from harness.capturing.keys import KeyRing
from harness.config import Settings
from harness.errors import ErrorKind, StoreError, UsageError
from harness.exchanges import Capture, Exchange, Lane
from harness.providers.pricing import PriceList
from harness.speech import Reference, VoiceKind
from harness.store.blobs import BlobStore
from harness.store.runs import Run
from replay.picking.costs import Costs
from replay.picking.cover import Limits
from replay.picking.filters import Filter
from replay.picking.picking import (
    answered_captures,
    failed_captures,
    pick_covering,
    pick_every,
    weights_path,
    write_weights,
)
from replay.sources import CaptureFile, read_captures
from tests.builders import a_capture, a_request, a_voice, an_exchange
from tests.replayed import a_replayed_run


def a_file(folder: Path, *captures: Capture) -> CaptureFile:
    path = folder / "captures.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{capture_to_json(capture)}\n" for capture in captures))
    return read_captures(path)


def speaking(id: str, text: str = "Hi.", language: str = "en") -> Capture:  # noqa: A002 - the field's own name
    return a_capture(id, request=a_request(text, language=language))


def ids(path: Path) -> list[str]:
    return [capture.id for capture in read_captures(path)]


def test_a_pick_writes_what_covers_with_its_weights(tmp_path: Path) -> None:
    source = a_file(tmp_path, speaking("a", "Hello."), speaking("b"), speaking("c", language="de"))
    out = tmp_path / "nightly.jsonl.zst"

    choice = pick_covering(source, Filter(), Limits())
    picked = pick_every(source, Filter(), Limits(), out, chosen=choice.chosen)
    write_weights(out, choice)

    assert ids(out) == ["b", "c"]
    assert picked == (2, 3, 6, 0, 0)
    assert json.loads(weights_path(out).read_text())["weights"] == {"b": 2.0, "c": 1.0}


def test_a_filter_decides_what_is_looked_at_at_all(tmp_path: Path) -> None:
    source = a_file(tmp_path, speaking("a"), speaking("b", language="de"))

    assert set(pick_covering(source, Filter(languages=("de",)), Limits()).chosen) == {"b"}


def test_every_capture_is_taken_up_to_the_limits(tmp_path: Path) -> None:
    source = a_file(tmp_path, *(speaking(str(number), "x" * 10) for number in range(9)))

    assert pick_every(source, Filter(), Limits(), tmp_path / "a.jsonl").captures == 9
    assert pick_every(source, Filter(), Limits(captures=4), tmp_path / "b.jsonl").captures == 4
    assert pick_every(source, Filter(), Limits(chars=35), tmp_path / "c.jsonl") == (3, 9, 30, 0, 0)


def test_recordings_come_along(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "from" / "audio")
    sha256 = store.put(b"RIFF", "wav")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript=None))
    (tmp_path / "from").mkdir(exist_ok=True)
    source = a_file(
        tmp_path / "from",
        a_capture("a", request=a_request(voice=voice)),
        a_capture("b", request=a_request(voice=voice)),
    )

    picked = pick_every(source, Filter(), Limits(), tmp_path / "to" / "out.jsonl")

    assert picked.voices == 1
    assert BlobStore(tmp_path / "to" / "audio").get(sha256, "wav") == b"RIFF"


def test_captures_that_failed_in_a_sealed_run_are_known(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "run.duckdb")) as database:
        database.execute("CREATE TABLE exchanges (capture_id VARCHAR, outcome VARCHAR)")
        database.execute("INSERT INTO exchanges VALUES ('a', 'ok'), ('b', 'ok'), ('b', 'overloaded'), ('c', 'tls')")

    assert failed_captures([Run(tmp_path)]) == {"b", "c"}


def test_what_both_providers_answered_is_known_and_what_failed_or_was_cut_short_is_not(tmp_path: Path) -> None:
    def answer(number: int, lane: Lane, exchange: Exchange) -> Exchange:
        failed = (number, lane) in ((0, Lane.REPEAT), (2, Lane.CANDIDATE))
        return an_exchange(failed=ErrorKind.TIMEOUT_READ) if failed else exchange

    run = a_replayed_run(tmp_path, captures=6, answer=answer, lost=1)  # the last lacks its candidate

    answered = answered_captures([run])

    assert [number for number in range(7) if f"{run.id}-{number}" in answered] == [1, 3, 4]


def test_a_run_that_is_not_sealed_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such database; `cutover runs seal RUN` builds it"):
        failed_captures([Run(tmp_path)])
    with pytest.raises(StoreError, match="no such database; `cutover runs seal RUN` builds it"):
        answered_captures([Run(tmp_path)])


def test_what_failed_is_picked_before_what_covers(tmp_path: Path) -> None:
    source = a_file(tmp_path, speaking("a"), speaking("long", "x" * 19))

    assert set(pick_covering(source, Filter(), Limits(captures=1), failed={"long"}).chosen) == {"long"}


def test_the_budget_of_plain_filters_counts_every_voice_once(tmp_path: Path) -> None:
    voice = a_voice(VoiceKind.DESIGN)
    source = a_file(tmp_path, *(a_capture(name, request=a_request("x" * 100, voice=voice)) for name in "abc"))
    costs = Costs(PriceList.load(Settings().prices), Settings().qwen)

    picked = pick_every(source, Filter(), Limits(microusd=203_000), tmp_path / "out.jsonl", costs=costs)

    assert (picked.captures, picked.of, picked.voices) == (2, 3, 1)
    assert picked.microusd == 200_000 + 2 * 1_150


def test_a_budget_needs_prices(tmp_path: Path) -> None:
    source = a_file(tmp_path, speaking("a"))
    costs = Costs(PriceList([], "none"), Settings().qwen)

    assert pick_covering(source, Filter(), Limits(), costs=costs).microusd == 0
    with pytest.raises(UsageError, match="--budget: no price is known for capture a at Qwen; use --budget-chars"):
        pick_covering(source, Filter(), Limits(microusd=1), costs=costs)


def test_a_recording_that_lies_open_is_encrypted_where_it_goes(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path / "keys")
    sha256 = BlobStore(tmp_path / "audio").put(b"RIFF1234WAVE", "wav")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript=None))
    path = a_file(tmp_path, a_capture("a", request=a_request(voice=voice))).path
    out = tmp_path / "to" / "out.jsonl"

    pick_every(read_captures(path, keys=keys), Filter(), Limits(), out)

    found = read_captures(out, keys=keys).references
    assert found.path(sha256, "wav").read_bytes().startswith(b"CUTOVER1")
    assert found.get(sha256, "wav") == b"RIFF1234WAVE"
