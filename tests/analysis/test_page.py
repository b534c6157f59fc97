import re
from pathlib import Path

import pytest

from analysis.judge import judge
from analysis.page import page
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from tests.browsing import a_browser
from tests.frames import mostly, some_evidence, some_pairs

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")
SILENCE = "data:audio/ogg;base64,T2dnUw=="


def viewed(**candidate: object) -> View:
    return view_of(judge(some_evidence(some_pairs(control={"cost_microusd": 4_500}, candidate=candidate)), DEMO))


FLAKY = {"outcome": mostly("ok", 400, overloaded=60)}


def test_a_page_tells_the_verdict_gates_reasons_and_worst_pairs() -> None:
    view = viewed(**FLAKY)

    text = page(view, {})

    assert "<title>NO-GO: may we cut over?</title>" in text
    for finding in view["operations"][0]["findings"]:
        assert f'<td class="text">{finding["gate"]}</td>' in text
    assert text.count("<tr>") == 2 + len(view["operations"][0]["findings"]) + 10
    assert "error_rate: overloaded (control ok)" in text


def test_nothing_in_a_page_points_anywhere_else() -> None:
    text = page(viewed(**FLAKY), {})

    assert re.findall(r"href=|src=|url\(|@import|<script|<link|<iframe", text) == []
    assert "default-src 'none'" in text
    assert "unsafe-inline" not in text


def test_words_of_strangers_stay_words() -> None:
    view = viewed(**FLAKY)
    hostile = "</td><script>alert(1)</script>\"'&"
    view["reason"] = view["operations"][0]["reason"] = hostile
    view["operations"][0]["findings"][0] |= {"reason": hostile, "segment": hostile}
    view["operations"][0]["worst_pairs"][0] |= {"capture_id": hostile, "reasons": [hostile]}

    text = page(view, {})

    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6


def test_audio_stands_beside_its_pair_and_its_absence_is_said() -> None:
    view = viewed(**FLAKY)
    pair = view["operations"][0]["worst_pairs"][0]

    text = page(view, {(pair["run_id"], pair["capture_id"], 0, "control"): SILENCE})

    assert text.count("<audio controls") == 1
    assert text.count("no audio") == 19


def test_a_verdict_without_operations_has_a_page() -> None:
    assert "no request was replayed" in page(view_of(judge(some_evidence(), DEMO)), {})


@pytest.mark.browser
def test_a_real_browser_shows_the_page_without_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "verdict.html").write_text(page(viewed(**FLAKY), {}), encoding="utf-8")
    complaints: list[str] = []
    with a_browser() as chromium:
        shown = chromium.new_page()
        shown.on("console", lambda message: complaints.append(message.text))
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.goto((tmp_path / "verdict.html").as_uri())

        heading = shown.get_by_role("heading", name="NO-GO May we cut over?")
        styled = heading.locator("span").evaluate("node => getComputedStyle(node).fontWeight")
        chart = shown.get_by_role("img").bounding_box()
        dot = shown.locator("svg circle").first.evaluate("node => getComputedStyle(node).fill")

    assert complaints == []
    assert styled == "700"
    assert chart is not None
    assert chart["width"] > 500
    assert dot not in ("none", "rgb(0, 0, 0)")


def test_the_textbooks_interval_stands_below_the_reason() -> None:
    html = page(viewed(), {})

    assert "At one look: difference of shares" in html
    assert "(Tango score, 95 %)" in html
