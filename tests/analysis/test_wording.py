from analysis.judge import judge
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from analysis.wording import beside_lines, beside_words, flips, footnotes, needs, order_lines, worst_lines
from harness.config import PROJECT
from tests.frames import mostly, some_evidence, some_pairs

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")


def viewed(count: int = 400, **candidate: object) -> View:
    control = {"cost_microusd": 4_500}
    languages = ["ja" if index < count // 4 else "en" for index in range(count)]
    pairs = some_pairs(count, control=control, candidate=candidate, language=languages)
    return view_of(judge(some_evidence(pairs), DEMO))


def test_a_failed_gate_tells_the_limit_from_which_it_would_pass() -> None:
    view = viewed(outcome=mostly("ok", 400, overloaded=60))

    (line,) = [line for line in flips(view) if "error_rate" in line]

    high = view["operations"][0]["findings"][0]["high"]
    assert line.startswith(f"generate error_rate would pass from a limit of {high:.2f} % on, {high - 4.5:.2f} % above")
    assert line.endswith("; worst in language=ja: +60.00 pp of 100 pairs")


def test_a_gate_that_only_waits_for_pairs_says_how_much_it_has_to_spare() -> None:
    assert any("keeps its limit with" in line for line in flips(viewed(200)))


def test_a_go_has_nothing_to_change_and_no_worst_pairs() -> None:
    view = viewed(outcome=mostly("ok", 400, overloaded=1))

    assert view["decision"] == "go"
    assert [*flips(view), *needs(view), *worst_lines(view, 10)] == []


def test_the_worst_pairs_are_named_with_their_reasons_as_many_as_asked_for() -> None:
    lines = list(worst_lines(viewed(outcome=mostly("ok", 400, overloaded=60)), 3))

    assert len(lines) == 3
    assert all("error_rate: overloaded (control ok)" in line for line in lines)


def test_footnotes_end_with_the_run() -> None:
    assert list(footnotes(viewed()))[-1] == "run: run-1"


def test_the_order_is_a_numbered_line_for_each_operation_with_its_step() -> None:
    (line,) = order_lines(viewed())

    assert line.startswith("1. generate: start: shadow to 1 %")
    assert "go on 400 pairs; 100 % of the captures replayed" in line


def test_the_textbooks_interval_names_its_method_and_level() -> None:
    finding = viewed(outcome=mostly("ok", 400, overloaded=4))["operations"][0]["findings"][0]

    assert finding["gate"] == "error_rate"
    assert beside_words(finding) == (
        "difference of shares +0.04 to +2.54 pp (Tango score, 95 %); candidate's share 0.27 to 2.54 % "
        "(Clopper-Pearson, 95 %)"
    )


def test_limits_that_changed_after_the_result_are_said() -> None:
    view = viewed() | {"earlier_limits": ["abcdef0123456789"]}

    assert any(
        line.startswith("new epoch: these runs were judged by other limits before (abcdef012345)")
        for line in footnotes(view)
    )


def test_every_gate_that_was_measured_has_a_line_at_one_look_or_only_those_that_did_not_pass() -> None:
    view = viewed(outcome=mostly("ok", 400, overloaded=60))
    measured = [finding for finding in view["operations"][0]["findings"] if finding["beside"]]

    every, open_or_failed = (list(beside_lines(view, passed=passed)) for passed in (True, False))

    assert len(every) == len(measured) > len(open_or_failed)
    assert [line for line in open_or_failed if line.startswith("generate error_rate: difference of shares")]
    assert not any("latency_p95" in line for line in open_or_failed)
    assert any("generate latency_p95: ratio of p95" in line and "order statistics, 95 %" in line for line in every)


def test_pairs_of_voices_that_were_enrolled_anew_are_told() -> None:
    view = viewed()
    assert not any("anew" in line for line in footnotes(view))

    view["operations"][0]["sample"]["enrolled_anew"] = 12

    assert any(line.startswith("voices generate: 12 pairs left out, spoken by voices that") for line in footnotes(view))
