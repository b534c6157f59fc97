from pathlib import Path

import polars as pl
import pytest

from dashboard import pair_queries
from dashboard.contrasts import CONTRASTS
from dashboard.pair_queries import ORDERS
from dashboard.queries import ALL, Sealed, sealed_runs
from harness.store.database import open_db
from tests.dashboard.a_run import a_run


def _altered(home: Path, *statements: str, **changes: object) -> Sealed:
    run = a_run(home, **{"captures": 8, "failures": 0.0, **changes})
    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        for statement in statements:
            database.execute(statement)
    return sealed_runs(home)[0]


def _louder(capture_id: str, lane: str, by_db: float) -> str:
    sound = f"SELECT audio_sha256 FROM exchanges WHERE capture_id = '{capture_id}' AND lane = '{lane}'"
    return f"UPDATE features SET loudness_lufs = loudness_lufs + {by_db} WHERE audio_sha256 = ({sound})"


def _listed(sealed: Sealed, order: str, **filters: str) -> list[str]:
    chosen = {"operation": ALL, "language": ALL, **filters}
    return pair_queries.pairs(sealed, order=order, **chosen)["capture_id"].to_list()


def test_the_most_different_pair_comes_first_and_says_in_what(tmp_path: Path) -> None:
    sealed = _altered(tmp_path, _louder("clone-0005", "candidate", 40.0))
    first = pair_queries.pairs(sealed, operation=ALL, language=ALL, order="most different").row(0, named=True)

    assert (first["capture_id"], first["most_different"]) == ("clone-0005", "Loudness")
    assert first["score"] > 5


def test_a_noisy_control_makes_the_same_difference_count_for_less(tmp_path: Path) -> None:
    calm = _altered(tmp_path / "calm", _louder("clone-0005", "candidate", 40.0))
    noise = [_louder(f"{operation}-0000", "repeat", 30.0) for operation in ("generate", "clone", "design")]
    noisy = _altered(tmp_path / "noisy", _louder("clone-0005", "candidate", 40.0), *noise)

    multiples = [
        pair_queries.contrasts(sealed, "clone-0005", 0).filter(label="Loudness")["multiple"][0]
        for sealed in (calm, noisy)
    ]

    assert multiples[1] < multiples[0] / 5


def test_the_slowest_candidate_can_come_first(tmp_path: Path) -> None:
    slow = "UPDATE exchanges SET service_s = 1000 WHERE capture_id = 'design-0003' AND lane = 'candidate'"

    assert _listed(_altered(tmp_path, slow), "slowest candidate")[0] == "design-0003"


def test_pairs_of_which_one_side_failed_can_come_first(tmp_path: Path) -> None:
    fails = "UPDATE exchanges SET outcome = 'overloaded', audio_sha256 = NULL WHERE capture_id = '{}' AND lane = '{}'"
    sealed = _altered(tmp_path, fails.format("design-0003", "control"), fails.format("clone-0001", "candidate"))

    assert _listed(sealed, "one side failed")[:2] == ["clone-0001", "design-0003"]


def test_a_random_order_is_the_same_for_everybody(sealed: Sealed) -> None:
    order = _listed(sealed, "random")

    assert order == _listed(sealed, "random")
    assert order != sorted(order)


@pytest.mark.parametrize("order", ORDERS)
def test_pairs_can_be_narrowed_down_in_every_order(sealed: Sealed, order: str) -> None:
    found = pair_queries.pairs(sealed, operation="clone", language="ja", order=order)

    assert set(found["operation"]) == {"clone"}
    assert set(found["language"]) == {"ja"}
    assert found["total"][0] == found.height == 9


def test_a_long_list_is_cut_and_says_how_many_there_are(sealed: Sealed) -> None:
    found = pair_queries.pairs(sealed, operation=ALL, language=ALL, order="random", most=5)

    assert (found.height, found["total"][0]) == (5, 108)


def test_a_pair_without_measured_sound_comes_last_when_sorted_by_difference(tmp_path: Path) -> None:
    sealed = _altered(tmp_path, "DELETE FROM features WHERE audio_sha256 IN "
                      "(SELECT audio_sha256 FROM exchanges WHERE capture_id = 'clone-0002')")  # fmt: skip

    assert _listed(sealed, "most different")[-1] == "clone-0002"


def test_a_pair_is_found_by_its_name_and_an_unknown_one_is_none(sealed: Sealed) -> None:
    pair = pair_queries.pair(sealed, "generate-0000", 0)

    assert pair is not None
    assert (pair["control_provider"], pair["candidate_provider"]) == ("modal", "qwen")
    assert pair_queries.pair(sealed, "nobody", 0) is None


def test_every_contrast_of_a_pair_has_both_values_and_a_multiple_of_noise(sealed: Sealed) -> None:
    frame = pair_queries.contrasts(sealed, "generate-0000", 0)

    assert frame["label"].to_list() == [contrast.label for contrast in CONTRASTS]
    assert frame["multiple"].null_count() == 0
    assert frame.filter(pl.col("label").str.starts_with("Timbre"))["control"].to_list() == [None]


def test_the_contrasts_of_an_unknown_pair_are_empty(sealed: Sealed) -> None:
    assert pair_queries.contrasts(sealed, "nobody", 0)["multiple"].null_count() == len(CONTRASTS)


def test_without_a_noise_lane_the_floors_are_the_scale(tmp_path: Path) -> None:
    sealed = _altered(tmp_path, "DELETE FROM exchanges WHERE lane = 'repeat'")

    noise = pair_queries.contrasts(sealed, "generate-0000", 0)["noise"].to_list()

    assert noise == [contrast.floor for contrast in CONTRASTS]
