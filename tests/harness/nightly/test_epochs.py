from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.exchanges import Exchange, Lane
from harness.nightly.epochs import Epoch, gather
from harness.nightly.night import Night
from harness.store.runs import Run
from tests.replayed import a_replayed_run


def a_night(home: Path, number: int, *, rules: str = "rules-1", **how: object) -> tuple[Night, Run]:
    run = a_replayed_run(home, run_id=f"2026112{number}T120000Z-a", captures=4, **how)  # type: ignore[arg-type] # of a run
    return Night(folder=home / "nights" / f"2026-11-2{number}", run=run.id, rules_sha256=rules, status=3), run


def other_model(number: int, lane: Lane, exchange: Exchange) -> Exchange:
    return replace(exchange, model="newer") if lane is Lane.CANDIDATE else exchange


def test_nights_of_one_epoch_are_judged_together(tmp_path: Path) -> None:
    earlier = [a_night(tmp_path, 1), a_night(tmp_path, 2)]
    tonight, run = a_night(tmp_path, 3)

    gathered = gather(tonight, run, "rules-1", [*earlier, (tonight, run)])

    assert gathered.runs == [earlier[0][1].id, earlier[1][1].id, run.id]
    assert gathered.left_out == {}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({"rules": "rules-0"}, "the limits changed", id="limits"),
        pytest.param({"answer": other_model}, "another model as candidate generate (qwen/newer@", id="model"),
    ],
)
def test_a_change_leaves_out_all_nights_before_it(tmp_path: Path, changed: dict[str, object], why: str) -> None:
    earlier = [a_night(tmp_path, 1), a_night(tmp_path, 2, **changed), a_night(tmp_path, 3)]  # type: ignore[arg-type] # one
    tonight, run = a_night(tmp_path, 4)

    gathered = gather(tonight, run, "rules-1", earlier)

    assert gathered.runs == [earlier[2][1].id, run.id]
    assert list(gathered.left_out) == ["2026-11-22", "2026-11-21"]
    assert gathered.left_out["2026-11-22"].startswith(why)
    assert gathered.left_out["2026-11-21"] == "before a change"


def test_another_extractor_is_told_with_the_remedy() -> None:
    old, new = Epoch("r", {}, ["extractor-1"]), Epoch("r", {}, ["extractor-2"])

    assert "`cutover extract RUN` measures again" in str(new.difference(old))


def test_an_operation_that_was_not_replayed_before_sets_nobody_apart() -> None:
    old, new = Epoch("r", {"control clone": ["a"]}, []), Epoch("r", {"control generate": ["b"]}, ["x"])

    assert new.difference(old) is None


def test_a_run_that_is_not_sealed_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Epoch.of(Run(tmp_path / "runs" / "nowhere"), "rules-1")
