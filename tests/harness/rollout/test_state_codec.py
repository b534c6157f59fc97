import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.rollout.stage import Rollouts, Stage, Standing
from harness.rollout.state_codec import dump_rollouts, load_rollouts, pack, unpack
from harness.speech import Operation
from tests.harness.rollout.a_rollout import NOON, a_rollout

STATE = Rollouts(
    version=7,
    of={
        Operation.GENERATE: a_rollout(Stage.C5, Standing.HELD, tripped_at=NOON, pending="errors", spent_epochs=("e0",)),
        Operation.CLONE: a_rollout(),
    },
)
CONTENT = pack(STATE)


def test_a_state_is_read_back_as_it_was() -> None:
    assert unpack(CONTENT, name="state.json") == STATE
    assert unpack(pack(Rollouts()), name="state.json") == Rollouts()


@pytest.mark.parametrize("bit", range(8))
def test_no_flipped_bit_ever_gives_another_state(bit: int) -> None:
    for place in range(len(CONTENT)):
        damaged = bytearray(CONTENT)
        damaged[place] ^= 1 << bit
        try:
            read = unpack(bytes(damaged), name="state.json")
        except StoreError:
            continue
        assert read == STATE  # only white space between the values may differ


@pytest.mark.parametrize("length", range(0, len(CONTENT) - 2, 7))
def test_a_file_that_was_cut_off_is_damaged(length: int) -> None:
    with pytest.raises(StoreError, match="state.json: is damaged"):
        unpack(CONTENT[:length], name="state.json")


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"schema": 1}'])
def test_what_is_no_state_is_refused(content: bytes) -> None:
    with pytest.raises(StoreError, match="state.json"):
        unpack(content, name="state.json")


def test_a_state_of_a_newer_program_is_refused() -> None:
    newer = {**json.loads(CONTENT), "schema": 2}

    with pytest.raises(StoreError, match="schema is 2, this version reads 1"):
        unpack(json.dumps(newer).encode(), name="state.json")


ANY = st.none() | st.integers() | st.text()
PLAIN = st.recursive(ANY, lambda inner: st.dictionaries(st.text(), inner), max_leaves=5)


@given(PLAIN)
def test_plain_values_are_a_state_or_refused(plain: object) -> None:
    with contextlib.suppress(StoreError):
        assert load_rollouts(plain, name="log").version >= 0


def test_the_plain_form_is_json() -> None:
    assert json.loads(json.dumps(dump_rollouts(STATE)))["of"]["generate"]["stage"] == "5%"
