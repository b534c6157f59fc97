import dataclasses

import pytest

from harness.gateway.answers import Answer, KeptAnswer


def test_an_answer_that_is_kept_cannot_change() -> None:
    answer = Answer(status=200, body=b"audio", content_type="audio/wav")

    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.status = 500  # type: ignore[misc]


def test_a_kept_answer_is_old_from_its_time_on() -> None:
    kept = KeptAnswer(fingerprint="f", at_s=50.0, answer=Answer(status=200, body=b"", content_type=""))

    assert [kept.is_old(now_s, 100.0) for now_s in (50.0, 149.9, 150.0)] == [False, False, True]
