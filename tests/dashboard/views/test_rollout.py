from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from harness.flags.kill_switch import KillSwitch
from harness.rollout.places import kill_file
from harness.speech import Operation
from tests.dashboard.a_rollout import a_state, some_traffic
from tests.dashboard.conftest import Visit, words

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flags.toml"
    path.write_text('schema = 1\nsalt = "t-1"\n' + "".join(f'[{each}]\nmode = "qwen"\n' for each in Operation))
    monkeypatch.setenv("CUTOVER_FLAGS__FILE", str(path))
    monkeypatch.delenv("CUTOVER_KILL", raising=False)


def tables(app: AppTest) -> list[list[dict[str, str]]]:
    return [table.value.to_dict("records") for table in app.dataframe]


def test_before_anything_began_the_page_says_what_fills_it(visit: Visit, tmp_path: Path) -> None:
    app = visit("rollout", home=tmp_path / "home")

    assert not app.exception
    assert "cutover rollout status" in words(app)


def test_stage_and_share_of_each_operation_come_first(visit: Visit, tmp_path: Path) -> None:
    a_state(tmp_path, NOW)

    app = visit("rollout", home=tmp_path)

    stages = {row["operation"]: row for row in tables(app)[0]}
    assert (stages["generate"]["stage"], stages["generate"]["gets Qwen"]) == ("5%", "5.0 %")
    assert stages["clone"]["stage"] == "not begun"
    assert "cutover serve" in words(app)  # there is no traffic yet


def test_health_of_both_providers_is_told_with_its_spend(visit: Visit, tmp_path: Path) -> None:
    a_state(tmp_path, NOW)
    some_traffic(tmp_path, NOW, minutes=10, failing=2)

    app = visit("rollout", home=tmp_path)

    health = {row["provider"]: row for row in tables(app)[1]}
    qwen, legacy = health["Candidate (Qwen)"], health["Control (legacy)"]
    assert (qwen["calls"], qwen["failed"], qwen["saved"], qwen["callers without speech"]) == (
        "100",
        "20.0 %",
        "20",
        "0",
    )
    assert (legacy["failed"], legacy["spend"]) == ("0.0 %", "$0.4000")
    assert not app.exception


def test_a_trip_stands_in_the_log_of_changes(visit: Visit, tmp_path: Path) -> None:
    a_state(tmp_path, NOW, tripped=True)
    some_traffic(tmp_path, NOW)

    app = visit("rollout", home=tmp_path)

    first, second = tables(app)[-1]
    assert first["who"] == "trigger errors"
    assert first["what"] == "generate: 5% → rolled back"
    assert second["what"] == "generate: not begun → 5%"
    assert tables(app)[0][0]["gets Qwen"] == "0.0 %"


def test_the_kill_switch_and_broken_flags_stand_above_all(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_state(tmp_path, NOW)
    KillSwitch(kill_file(tmp_path), environ={}).engage(who="anna", why="noise", at=NOW)
    monkeypatch.setenv("CUTOVER_FLAGS__FILE", str(tmp_path / "none.toml"))

    said = words(visit("rollout", home=tmp_path))

    assert "Qwen is cut off by the kill switch" in said
    assert "The flags cannot be used" in said


def test_another_operation_and_window_can_be_looked_at(visit: Visit, tmp_path: Path) -> None:
    a_state(tmp_path, NOW)
    some_traffic(tmp_path, NOW)

    clone = visit("rollout", home=tmp_path, operation="clone")
    day = visit("rollout", home=tmp_path, window="24 h")

    assert "No live request in this time" in words(clone)
    assert len(tables(day)) == 3


def test_words_of_people_are_never_markup(visit: Visit, tmp_path: Path) -> None:
    a_state(tmp_path, NOW)

    app = visit("rollout", home=tmp_path)

    assert not any("<b>go</b>" in str(element.value) for element in [*app.markdown, *app.caption])
    assert tables(app)[-1][0]["why"] == "a <b>go</b>"
