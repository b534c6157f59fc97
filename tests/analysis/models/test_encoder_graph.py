from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from analysis.models.catalogue import WEIGHTS
from analysis.models.encoder_graph import INPUT, build_encoder
from analysis.models.weights import problems
from harness.errors import StoreError
from tests.analysis.models.smallest import HIDDEN, REAL_MODELS, WIDE, real, small_tensors

runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")


def sigmoid(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    value: npt.NDArray[np.float64] = 1 / (1 + np.exp(-x))
    return value


def by_hand(tensors: dict[str, Any], mels: npt.NDArray[Any], *, layers: int) -> npt.NDArray[np.float64]:
    """The same network by its equations (Hochreiter 1997, gates stacked as PyTorch does), in double precision."""
    said = mels.astype(np.float64)
    hidden = np.zeros((len(mels), HIDDEN))
    for layer in range(layers):
        parts = (f"lstm.weight_ih_l{layer}", f"lstm.weight_hh_l{layer}", f"lstm.bias_ih_l{layer}")
        w_in, w_back, bias = (tensors[name].astype(np.float64) for name in parts)
        bias = bias + tensors[f"lstm.bias_hh_l{layer}"]
        hidden, cell = np.zeros((len(mels), HIDDEN)), np.zeros((len(mels), HIDDEN))
        steps = []
        for frame in range(said.shape[1]):
            into, forget, new, out = np.split(said[:, frame] @ w_in.T + hidden @ w_back.T + bias, 4, axis=1)
            cell = sigmoid(forget) * cell + sigmoid(into) * np.tanh(new)
            hidden = sigmoid(out) * np.tanh(cell)
            steps.append(hidden)
        said = np.stack(steps, axis=1)
    raw = np.maximum(hidden @ tensors["linear.weight"].T + tensors["linear.bias"], 0)
    vectors: npt.NDArray[np.float64] = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return vectors


@pytest.mark.parametrize("layers", [1, 3])
def test_the_graph_says_what_the_equations_say(layers: int) -> None:
    tensors = small_tensors(layers=layers)
    mels = np.random.default_rng(1).random((5, 20, 40)).astype(np.float32)

    session = runtime.InferenceSession(build_encoder(tensors), providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {INPUT: mels})

    assert said.shape == (5, WIDE)
    np.testing.assert_allclose(said, by_hand(tensors, mels, layers=layers), atol=1e-6)


def test_the_same_tensors_give_the_same_file() -> None:
    assert build_encoder(small_tensors()) == build_encoder(small_tensors())


def test_tensors_of_something_else_are_refused() -> None:
    tensors = small_tensors()
    del tensors["linear.bias"]

    with pytest.raises(StoreError, match=r"no tensor 'linear\.bias': it is no GE2E encoder"):
        build_encoder(tensors)


@real("ge2e")
def test_the_real_encoder_is_whole_and_gives_voices_of_256_numbers() -> None:
    session = runtime.InferenceSession(
        str(Path(REAL_MODELS) / "ge2e" / "ge2e.onnx"), providers=["CPUExecutionProvider"]
    )

    (said,) = session.run(None, {INPUT: np.random.default_rng(1).random((2, 160, 40)).astype(np.float32)})

    assert problems(REAL_MODELS, WEIGHTS["ge2e"]) == []
    assert said.shape == (2, 256)
    np.testing.assert_allclose(np.linalg.norm(said, axis=1), 1.0, atol=1e-6)
