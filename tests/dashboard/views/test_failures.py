from pathlib import Path

import pytest

from harness.store.database import open_db
from tests.dashboard.a_run import HOSTILE_TEXT, a_run
from tests.dashboard.conftest import Visit, choose_row, words


@pytest.fixture
def two_failed(tmp_path: Path) -> Path:
    """Of 12 legs a lane, the candidate's two of `clone` were shed."""
    run = a_run(tmp_path, captures=4, failures=0.0, text=HOSTILE_TEXT)
    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        database.execute(
            "UPDATE exchanges SET outcome = 'overloaded', provider_code = '503', detail = 'it was full' "
            "WHERE lane = 'candidate' AND capture_id IN ('clone-0001', 'clone-0002')"
        )
    return tmp_path


def test_each_lane_says_how_much_came_back_without_audio(visit: Visit, two_failed: Path) -> None:
    app = visit("failures", home=two_failed)

    assert [metric.value for metric in app.metric] == ["0.0 %", "16.7 %", "0.0 %"]
    assert app.metric[1].delta == "2 of 12 requests without audio"


def test_failures_are_explained_and_counted_by_the_providers_code(visit: Visit, two_failed: Path) -> None:
    meanings, codes = (table.value for table in visit("failures", home=two_failed).dataframe[:2])

    assert meanings.to_dict("records") == [
        {"outcome": "overloaded", "meaning": "the provider failed or shed load", "held against": "the provider"}
    ]
    assert codes[["lane", "outcome", "code", "requests"]].to_dict("records") == [
        {"lane": "Candidate (Qwen)", "outcome": "overloaded", "code": "503", "requests": 2}
    ]


def test_single_requests_can_be_reached(visit: Visit, two_failed: Path) -> None:
    requests = visit("failures", home=two_failed).dataframe[2].value

    assert requests["capture_id"].tolist() == ["clone-0001", "clone-0002"]


def test_a_lane_that_did_not_fail_has_no_requests_listed(visit: Visit, two_failed: Path) -> None:
    app = visit("failures", home=two_failed, lane="control")

    assert "No request failed this way." in words(app)


def test_an_operation_that_did_not_fail_says_so(visit: Visit, two_failed: Path) -> None:
    app = visit("failures", home=two_failed, operation="design")

    assert app.success[0].value == "Every request came back with audio."


def test_a_chosen_request_shows_what_a_support_ticket_needs_and_no_markup(visit: Visit, two_failed: Path) -> None:
    app = visit("failures", home=two_failed)
    choose_row(app, 2, 1)

    assert "capture: clone-0002" in app.code[0].value
    assert "code: 503" in app.code[0].value
    assert HOSTILE_TEXT in [text.value for text in app.text]
    assert not any("evil" in str(markdown.value) for markdown in (*app.markdown, *app.caption, *app.title))
