import json
import re

from harness.telemetry.metrics import COUNTED
from scripts.make_telemetry_docs import ALERTS, FOLDER, PANELS, alerts, grafana

_NAME = re.compile(r"cutover_[a-z_]+")
_QUERIES = [query for panel in PANELS for query, _ in panel.queries]
_SPARE = ("_sum", "_count")  # a histogram is shown by its buckets


def test_the_files_are_what_their_script_writes() -> None:
    assert (FOLDER / "grafana.json").read_text() == grafana()
    assert (FOLDER / "alerts.yml").read_text() == alerts()


def test_every_name_that_is_asked_for_is_counted() -> None:
    asked = {name for query in [*_QUERIES, *(alert.query for alert in ALERTS)] for name in _NAME.findall(query)}

    assert asked - COUNTED == set()


def test_everything_that_is_counted_is_shown() -> None:
    shown = {name for query in _QUERIES for name in _NAME.findall(query)}

    assert {name for name in COUNTED - shown if not name.endswith(_SPARE)} == set()


def test_brackets_and_braces_of_every_query_match() -> None:
    for query in [*_QUERIES, *(alert.query for alert in ALERTS)]:
        for opening, closing in ("()", "[]", "{}"):
            assert query.count(opening) == query.count(closing), query


def test_panels_do_not_lie_upon_each_other() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in json.loads(grafana())["panels"]]

    assert len(set(places)) == len(places) == len(PANELS)


def test_every_alert_says_what_to_do() -> None:
    assert all(alert.summary and alert.runbook and alert.severity in ("page", "ticket") for alert in ALERTS)
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)
