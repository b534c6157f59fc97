import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.outcomes import AudioTrouble, LiveOutcome, from_line, to_line
from harness.routing.breakers import BreakerChange
from harness.speech import Operation

OUTCOMES = st.builds(
    LiveOutcome,
    at_s=st.floats(0, 4e9),
    process=st.text(max_size=10),
    operation=st.sampled_from(Operation),
    lane=st.sampled_from([Lane.CONTROL, Lane.CANDIDATE]),
    kind=st.sampled_from([None, *ErrorKind]),
    slow=st.sampled_from([None, True, False]),
    caller_failed=st.sampled_from([None, True, False]),
    microusd=st.none() | st.integers(0, 10**9),
    chars=st.integers(0, 10**6),
    troubles=st.none() | st.lists(st.sampled_from(AudioTrouble)).map(tuple),
    change=st.sampled_from([None, *BreakerChange]),
)


@given(OUTCOMES)
def test_an_outcome_is_read_back_as_it_was_written(outcome: LiveOutcome) -> None:
    line = to_line(outcome)

    assert from_line(line) == outcome
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


LINE = to_line(LiveOutcome(at_s=1.0, process="p", operation=Operation.CLONE, lane=Lane.CONTROL))


@pytest.mark.parametrize("length", range(len(LINE) - 1))
def test_a_torn_line_is_no_outcome(length: int) -> None:
    with pytest.raises(ValueError, match="no outcome"):
        from_line(LINE[:length])


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        None,
        7,
        ["soon", "p", "clone", "control", None, None, None, None, 0, None, None],
        [float("nan"), "p", "clone", "control", None, None, None, None, 0, None, None],
        [1.0, "p", "dub", "control", None, None, None, None, 0, None, None],
        [1.0, "p", "clone", "control", "bored", None, None, None, 0, None, None],
        [1.0, "p", "clone", "control", None, None, None, None, 0, ["hiss"], None],
        [1.0, "p", "clone", "control", None, None, None, None, 0, None, "ajar"],
    ],
)
def test_json_that_is_no_outcome_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no outcome"):
        from_line(json.dumps(value).encode())
