from pathlib import Path

import pytest

from harness.store.database import open_db
from harness.store.runs import audio_store
from tests.dashboard.a_run import HOSTILE_TEXT, a_run
from tests.dashboard.conftest import Visit, choose_row, words


def _changed(home: Path, sql: str, **changes: object) -> Path:
    run = a_run(home, **{"captures": 3, "failures": 0.0, **changes})
    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        database.execute(sql)
    return home


def test_a_pair_can_be_listened_to_and_looked_at(visit: Visit) -> None:
    app = visit("pairs", pair="generate-0001/0")

    assert not app.exception
    assert len(app.get("audio")) == 2
    assert len(app.get("image")) == 1
    assert "Sentence 1 of the generate captures" in words(app)


def test_the_list_is_sorted_by_how_much_pairs_differ(visit: Visit) -> None:
    listed = visit("pairs").dataframe[0].value

    assert listed["× noise"].dropna().is_monotonic_decreasing
    assert len(listed) == 108


def test_the_first_pair_is_shown_when_the_address_names_none(visit: Visit) -> None:
    app = visit("pairs")
    first = app.dataframe[0].value.iloc[0]["text"]

    assert first in [text.value for text in app.text]


def test_choosing_a_pair_shows_it_and_puts_it_into_the_address(visit: Visit) -> None:
    app = visit("pairs")
    wanted = app.dataframe[0].value.iloc[5]["text"]

    choose_row(app, 0, 5)

    assert wanted in [text.value for text in app.text]
    assert app.query_params["pair"] not in ("", [])


def test_pairs_can_be_narrowed_down_by_operation_and_language(visit: Visit) -> None:
    listed = visit("pairs", operation="clone", language="ja").dataframe[0].value

    assert (set(listed["operation"]), set(listed["lang"])) == ({"clone"}, {"ja"})


def test_how_the_sounds_differ_is_told_by_feature(visit: Visit) -> None:
    differences = visit("pairs", pair="generate-0001/0").dataframe[1].value

    assert differences["feature"].tolist()[:3] == ["Duration", "Loudness", "Pitch"]
    assert all(value.endswith("LUFS") for value in differences.iloc[1][["control", "candidate"]])


def test_a_failed_side_says_why_and_the_other_still_plays(visit: Visit, tmp_path: Path) -> None:
    home = _changed(
        tmp_path,
        "UPDATE exchanges SET outcome = 'overloaded', detail = 'it was full', audio_sha256 = NULL "
        "WHERE lane = 'candidate' AND capture_id = 'clone-0001'",
    )

    app = visit("pairs", home=home, pair="clone-0001/0")

    assert "overloaded: it was full" in words(app)
    assert len(app.get("audio")) == 1
    assert not app.get("image")


def test_audio_that_is_missing_from_the_store_is_named(visit: Visit, tmp_path: Path) -> None:
    a_run(tmp_path, captures=3, failures=0.0, sounding_pairs=0)

    app = visit("pairs", home=tmp_path, pair="clone-0001/0")

    assert not app.exception
    assert "the audio is missing from the store" in words(app)


@pytest.mark.parametrize("column", ["audio_sha256", "audio_extension"])
def test_a_database_cannot_name_a_file_outside_the_store(visit: Visit, tmp_path: Path, column: str) -> None:
    (tmp_path / "secret.wav").write_bytes(b"not for you")
    home = _changed(tmp_path, f"UPDATE exchanges SET {column} = '../../secret' WHERE capture_id = 'clone-0001'")

    app = visit("pairs", home=home, pair="clone-0001/0")

    assert not app.get("audio")
    assert "does not name a blob" in words(app)


def test_a_sound_that_does_not_decode_does_not_take_the_page_down(visit: Visit, tmp_path: Path) -> None:
    sha256 = audio_store(tmp_path).put(b"RIFF but nothing else", "wav")
    home = _changed(tmp_path, f"UPDATE exchanges SET audio_sha256 = '{sha256}' WHERE capture_id = 'clone-0001'")

    app = visit("pairs", home=home, pair="clone-0001/0")

    assert not app.exception
    assert "How they differ" in words(app)


def test_captured_text_is_never_markup(visit: Visit, tmp_path: Path) -> None:
    a_run(tmp_path, captures=3, text=HOSTILE_TEXT)

    app = visit("pairs", home=tmp_path)

    assert HOSTILE_TEXT in [text.value for text in app.text]
    assert not any("evil" in str(markdown.value) for markdown in (*app.markdown, *app.caption, *app.title))


def test_a_run_without_features_says_how_to_measure_them(visit: Visit, tmp_path: Path) -> None:
    run = a_run(tmp_path, captures=2, features=False)

    assert f"cutover extract {run.id}" in words(visit("pairs", home=tmp_path))


def test_a_filter_that_nothing_meets_says_so(visit: Visit, tmp_path: Path) -> None:
    home = _changed(tmp_path, "DELETE FROM exchanges WHERE operation = 'design'")

    assert "No capture was answered in both lanes here." in words(visit("pairs", home=home, operation="design"))
