import os
import pickle
from typing import Any

import numpy as np
import pytest

from analysis.models.checkpoint import read_checkpoint
from harness.errors import StoreError
from tests.analysis.models.smallest import a_checkpoint, small_tensors


def test_tensors_come_back_as_they_were_saved() -> None:
    tensors = small_tensors(layers=1)

    found = read_checkpoint(a_checkpoint(tensors, step=7, optimizer_state={"lr": 0.1}), part="model_state")

    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_a_checkpoint_that_would_run_something_runs_nothing(tmp_path: Any) -> None:
    mark = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(mark),)

    data = a_checkpoint(small_tensors(layers=1), trap=Trap())

    with pytest.raises(StoreError, match=r"names posix\.mkdir, which no tensor needs"):
        read_checkpoint(data, part="model_state")
    assert not mark.exists()


WHOLE = a_checkpoint(small_tensors(layers=1))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "EOFError", id="empty"),
        pytest.param(b"PK\x03\x04" + bytes(40), "cannot be read", id="the newer format, a zip"),
        pytest.param(WHOLE[: len(WHOLE) // 2], "cannot be read", id="half of it"),
        pytest.param(WHOLE[:-4], "cannot be read", id="one number short"),
        pytest.param(pickle.dumps(1) + pickle.dumps(2), "not of the format", id="some other pickle"),
    ],
)
def test_what_is_no_whole_checkpoint_is_refused_in_one_sentence(data: bytes, why: str) -> None:
    with pytest.raises(StoreError, match=why):
        read_checkpoint(data, part="model_state")


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(StoreError, match="KeyError: 'weights'"):
        read_checkpoint(WHOLE, part="weights")
