import dataclasses

import pytest

from harness.gateway.answers import Answer


def test_an_answer_that_is_kept_cannot_change() -> None:
    answer = Answer(status=200, body=b"audio", content_type="audio/wav")

    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.status = 500  # type: ignore[misc]
