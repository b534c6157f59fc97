from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from analysis.gates import Gate, PairedBand, PairedBinary
from analysis.judge import judge
from analysis.proofs import Bar
from analysis.report import view_of
from analysis.segments import Segmented, judge_segments
from analysis.thresholds import Stats
from harness.judgement import Decision, Outcome
from tests.frames import a_scene, some_evidence, some_noise, some_pairs, thresholds_of

ERRORS: dict[str, Gate] = {"errors": PairedBinary(kind="paired_binary", margin_pp=1.0)}
BAND: dict[str, Gate] = {
    "length": PairedBand(kind="paired_band", feature="duration_s", low=0.8, high=1.25, margin_pp=2.0)
}


def japanese(count: int, *, of: int = 1000) -> list[str]:
    return ["ja"] * count + ["en"] * (of - count)


def with_failures(bad: int, **columns: object) -> pl.DataFrame:
    return some_pairs(1000, candidate={"outcome": ["overloaded"] * bad + ["ok"] * (1000 - bad)}, **columns)


def segmented(pairs: pl.DataFrame, **stats: object) -> Segmented:
    return judge_segments(a_scene(pairs, family=30), ERRORS, Stats(**stats))  # type: ignore[arg-type] # a builder


def test_a_language_that_is_shown_to_be_worse_vetoes() -> None:
    found = segmented(with_failures(25, language=japanese(60)))

    finding = found.vetoes[0].finding
    assert (finding.segment, finding.outcome, finding.blocking) == ("language=ja", Outcome.FAIL, True)
    assert finding.reason.startswith("errors fails in language=ja: at least +")
    assert finding.counts == {"pairs": 60, "candidate_only": 25, "control_only": 0}


def test_failures_that_are_spread_evenly_veto_nothing() -> None:
    spread = some_pairs(
        1000, candidate={"outcome": ["overloaded" if index % 100 == 0 else "ok" for index in range(1000)]}
    )

    assert segmented(spread).vetoes == []


def test_a_segment_with_fewer_pairs_than_asked_for_has_no_say() -> None:
    pairs = with_failures(25, language=japanese(29))

    assert [each.finding.segment for each in segmented(pairs, segments=("language",)).vetoes] == []
    assert len(segmented(pairs, segments=("language",), segment_min_pairs=29).vetoes) == 1


def test_texts_are_short_medium_or_long_and_an_unknown_language_is_auto() -> None:
    chars = [10] * 300 + [100] * 300 + [900] * 400
    languages = [None] * 300 + ["en"] * 700
    pairs = with_failures(200, text_chars=chars, language=languages)

    assert segmented(pairs, segments=("length",)).worst["errors"].name == "length=short"
    assert segmented(pairs, segments=("language",)).worst["errors"].name == "language=auto"


def test_looking_into_many_corners_of_a_candidate_at_its_limit_seldom_finds_anything() -> None:
    random = np.random.default_rng(4)
    vetoed = 0
    for _ in range(200):
        outcomes = ["overloaded" if bad else "ok" for bad in random.random(600) < 0.01]
        pairs = some_pairs(
            600, candidate={"outcome": outcomes}, voice_id=[f"voice-{index % 12}" for index in range(600)]
        )
        scene = replace(a_scene(pairs), bar=Bar(alpha=0.05, family=3))  # segments have all of alpha
        vetoed += bool(judge_segments(scene, ERRORS, Stats()).vetoes)

    assert vetoed <= 10  # 5 %


def test_a_band_is_compared_with_controls_own_noise_in_each_segment() -> None:
    noisy = [9.0] * 30 + [3.0] * 970
    pairs = some_pairs(1000, candidate={"duration_s": noisy}, language=japanese(60))
    noise = some_noise(1000, repeat={"duration_s": noisy})

    alone, beside = (judge_segments(a_scene(pairs, noise=each), BAND, Stats()) for each in (some_noise(0), noise))

    assert [each.finding.segment for each in alone.vetoes][:1] == ["language=ja"]
    assert beside.vetoes == []


def test_a_veto_makes_a_no_go_of_pairs_that_pass_together(tmp_path: Path) -> None:
    rules = thresholds_of(tmp_path, '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 6.0\n')
    none = thresholds_of(
        tmp_path,
        '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 6.0\n',
        stats="min_pairs = 1\nmin_voices = 1\nmin_days = 1\nsegments = []",
    )
    evidence = some_evidence(with_failures(25, language=japanese(60)))

    judgement = judge(evidence, rules)

    assert judge(evidence, none).overall.decision is Decision.GO
    assert judgement.overall.decision is Decision.NO_GO
    assert judgement.overall.reason.startswith("generate: errors fails in language=ja")
    pooled = view_of(judgement)["operations"][0]["findings"][1]
    assert (pooled["outcome"], pooled["flip"]["worst_segment"]["name"]) == ("pass", "language=ja")


def test_thousands_of_voices_are_each_judged_by_their_own_pairs() -> None:
    voices = [f"voice-{index % 2000}" for index in range(80_000)]
    outcomes = ["overloaded" if voice == "voice-1234" else "ok" for voice in voices]
    pairs = some_pairs(80_000, candidate={"outcome": outcomes}, voice_id=voices)

    found = segmented(pairs, segments=("voice",))

    assert [each.finding.segment for each in found.vetoes] == ["voice=voice-1234"]
    assert found.vetoes[0].finding.counts == {"pairs": 40, "candidate_only": 40, "control_only": 0}
    assert found.worst["errors"].name == "voice=voice-1234"
