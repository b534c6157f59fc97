import io

import polars as pl
from rich.console import Console

from analysis.judge import judge
from analysis.rendering import MARK, markdown, print_verdict
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from tests.frames import mostly, some_evidence, some_noise, some_pairs, times
from tests.reports import html_of

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml", name="data/demo/thresholds.toml")
FLAKY = {"outcome": mostly("ok", 400, overloaded=60), "cost_microusd": 1_000}


def viewed(*frames: pl.DataFrame) -> View:
    return view_of(judge(some_evidence(*frames), DEMO))


def fine(count: int = 400, operation: str = "generate") -> pl.DataFrame:
    return some_pairs(count, operation=operation, control={"cost_microusd": 4_500})


def printed(view: View) -> str:
    stream = io.StringIO()
    print_verdict(view, Console(file=stream, width=110, highlight=False))
    return stream.getvalue()


def test_the_verdict_comes_first_with_the_gate_that_decides() -> None:
    lines = printed(viewed(some_pairs(candidate=FLAKY, control={"cost_microusd": 4_500}))).splitlines()

    assert lines[0].startswith("NO-GO  generate: error_rate fails: ")


def test_each_operation_has_its_gates_and_the_reason_when_it_is_not_the_first() -> None:
    worse = {**FLAKY, "outcome": mostly("ok", 400, overloaded=70)}
    flaky = some_pairs(operation="clone", candidate=worse)

    text = printed(viewed(some_pairs(candidate=FLAKY, control={"cost_microusd": 4_500}), flaky))

    assert text.count("error_rate fails") == 2
    assert "generate  NO-GO  400 pairs, 40 voices, 1 day" in text
    assert "clone  NO-GO  400 pairs, 40 voices, 1 day" in text
    assert "advisory" in text


def test_what_is_still_needed_is_said_once_for_all_gates_that_wait_for_it() -> None:
    text = " ".join(printed(viewed(fine(20))).split())

    assert text.count("generate needs 280 more pairs") == 1
    assert "generate needs 280 more pairs ($1.54, 14 nights at the present price and pace) (error_rate, ref" in text


def test_nothing_is_needed_after_a_no_go() -> None:
    assert "still needed" not in printed(viewed(some_pairs(candidate=FLAKY)))


def test_counts_thresholds_note_and_what_was_not_judged_are_shown() -> None:
    text = printed(viewed(some_pairs(candidate=FLAKY, control={"cost_microusd": 4_500})))

    assert "candidate: 400 exchanges = ok 340, overloaded 60" in text
    assert "all lanes: 800 of 800 planned legs have an outcome" in text
    assert f"thresholds: data/demo/thresholds.toml ({DEMO.sha256[:12]})" in text
    assert f"note: {DEMO.note}" in " ".join(text.split())
    assert "not replayed, so not judged: clone, design" in text


def test_markdown_begins_with_the_verdict_and_has_a_row_for_each_gate() -> None:
    view = viewed(fine())

    lines = markdown(view).splitlines()

    assert lines[0] == "**GO** all 10 blocking gates passed on 400 pairs"
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 2 + len(view["operations"][0]["findings"])
    assert all(row.count("|") == 7 for row in rows)
    assert "| latency_p95 | pass |" in "\n".join(rows)


def test_markdown_leaves_no_mark_of_a_name_active() -> None:
    view = viewed(fine())
    view["reason"] = "voice <b>*anna*|`bob`"

    assert markdown(view).splitlines()[0] == r"**GO** voice \<b>\*anna\*\|\`bob\`"


def test_a_verdict_without_any_operation_is_printed_too() -> None:
    assert printed(viewed()).startswith("INCONCLUSIVE  no request was replayed")


def test_the_sensitivity_of_the_night_stands_beside_the_verdict() -> None:
    noise = some_noise(400, repeat={"service_s": times(400, seed=5)})

    tested = printed(view_of(judge(some_evidence(fine(), noise=noise), DEMO)))
    untested = printed(viewed(fine()))

    assert "self-test generate: 400 noise pairs, the repeat does not fail; planted defects are caught from" in tested
    assert "self-test generate: 0 noise pairs of 100, so the instrument was not tested" in untested


def test_markdown_ends_with_the_mark_by_which_its_comment_is_found_again() -> None:
    assert markdown(viewed(fine())).splitlines()[-1] == MARK


def test_markdown_that_is_too_long_loses_whole_sections_from_its_end_and_says_so() -> None:
    view = viewed(some_pairs(candidate=FLAKY))

    whole, cut = markdown(view), markdown(view, most_chars=2_000)

    assert len(cut) <= 2_000 < len(whole)
    assert cut.splitlines()[0] == whole.splitlines()[0]
    assert "left out for length; `cutover verdict --json` has all" in cut
    assert cut.count("### ") == whole.count("### ")


def test_a_reader_of_markdown_sees_a_table_and_no_mark_of_a_name() -> None:
    view = viewed(fine())
    view["reason"] = "voice <script>alert(1)</script> *anna*"

    html = html_of(markdown(view))

    assert html.startswith("<p><strong>GO</strong> voice &lt;script&gt;")
    assert html.count("<table>") == 1
    assert "<em>" not in html


def test_a_screen_has_the_textbooks_intervals_of_what_did_not_pass_and_a_file_those_of_all() -> None:
    view = viewed(some_pairs(candidate=FLAKY, control={"cost_microusd": 4_500}))

    screen, file = " ".join(printed(view).split()), markdown(view)

    assert "at one look, which never decides generate error_rate: difference of shares" in screen
    assert "(Tango score, 95 %)" in screen
    assert "latency_p95: ratio" not in screen
    assert "At one look, which never decides:" in file
    assert "- generate latency_p95: ratio of p95" in file
    assert "(BCa over voices, 95 %)" in file


def test_a_go_needs_no_second_opinion_on_a_screen() -> None:
    assert "at one look" not in printed(viewed(fine()))
