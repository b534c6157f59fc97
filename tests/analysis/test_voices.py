from analysis.gates import PerVoice
from analysis.voices import judge_voices
from harness.judgement import Finding, Outcome
from tests.frames import a_scene, some_pairs

GATE = PerVoice(kind="per_voice", fail_share=0.2, min_requests=5)


def judged(pairs: object = None, *, family: int = 30) -> Finding:
    return judge_voices("broken_voices", GATE, a_scene(pairs, family=family)).finding  # type: ignore[arg-type] # a frame


def by_voice(usual: str, **voices: str) -> list[str]:
    """One value for each of 400 pairs, by voice: the voices are voice-0 to voice-39 in turn, ten pairs each."""
    return [voices.get(f"voice_{index % 40}", usual) for index in range(400)]


def test_whole_voices_raise_no_veto() -> None:
    finding = judged()

    assert finding.outcome is Outcome.PASS
    assert finding.counts == {"voices": 40, "broken": 0, "pairs": 400}


def test_two_dead_voices_among_forty_are_named() -> None:
    finding = judged(
        some_pairs(candidate={"outcome": by_voice("ok", voice_3="overloaded", voice_17="voice_not_found")})
    )

    assert finding.outcome is Outcome.FAIL
    assert (
        finding.reason == "broken_voices fails: shown broken: 2 of 40 voices with 5 or more requests: voice-17, voice-3"
    )
    assert finding.interval.estimate == 2.0


def test_a_voice_that_comes_out_silent_is_broken() -> None:
    finding = judged(some_pairs(candidate={"audio_outcome": by_voice("ok", voice_3="empty_audio")}))

    assert finding.outcome is Outcome.FAIL
    assert "voice-3" in finding.reason


def test_a_voice_that_control_breaks_too_is_not_held_against_the_candidate() -> None:
    dead = {"outcome": by_voice("ok", voice_3="overloaded")}

    assert judged(some_pairs(control=dead, candidate=dead)).outcome is Outcome.PASS


def test_scattered_failures_break_no_voice() -> None:
    scattered = ["overloaded" if index % 9 == 0 else "ok" for index in range(400)]

    assert judged(some_pairs(candidate={"outcome": scattered})).outcome is Outcome.PASS


def test_audio_that_nobody_measured_breaks_no_voice() -> None:
    assert judged(some_pairs(candidate={"audio_outcome": None})).outcome is Outcome.PASS


def test_voices_with_few_requests_are_not_looked_at_and_do_not_hold_up_the_verdict() -> None:
    pairs = some_pairs(
        400, voice_id=[f"voice-{index // 4}" for index in range(400)], candidate={"outcome": "overloaded"}
    )

    finding = judged(pairs)

    assert finding.outcome is Outcome.PASS
    assert finding.counts["voices"] == 0


def test_each_further_voice_takes_more_proof() -> None:
    dead = {"outcome": ["overloaded"] * 6 + ["ok"] * 394}
    alone = some_pairs(400, voice_id=["voice-0"] * 6 + ["voice-1"] * 394, candidate=dead)
    among_many = some_pairs(400, voice_id=["voice-0"] * 6 + [f"voice-{1 + i // 5}" for i in range(394)], candidate=dead)

    assert judged(alone, family=1).outcome is Outcome.FAIL
    assert judged(among_many, family=30).outcome is Outcome.PASS


def test_many_broken_voices_are_counted_and_the_first_named() -> None:
    finding = judged(some_pairs(candidate={"outcome": "overloaded"}))

    assert finding.counts["broken"] == 40
    assert finding.reason.endswith("and 35 more")


def test_pairs_without_a_voice_are_left_aside() -> None:
    pairs = some_pairs(400, voice_id=None, candidate={"outcome": "overloaded"})

    assert judged(pairs).counts["voices"] == 0
