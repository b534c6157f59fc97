"""The GE2E speaker encoder as an ONNX graph, built from the tensors of its checkpoint.

    mels (batch, frames, 40) → three LSTM layers → hidden state after the last frame → linear → ReLU → unit length

The same network as in the Resemblyzer package, in the same numbers; how sound becomes `mels` stands in `speaker`.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from analysis.models.checkpoint import Tensors
from analysis.models.optional import library
from harness.errors import StoreError

__all__ = ["INPUT", "OUTPUT", "build_encoder"]

INPUT: Final = "mels"
OUTPUT: Final = "embeddings"
_OPSET: Final = 17
_IR_VERSION: Final = 8  # of that time: any runtime from 2022 on reads it

Array = npt.NDArray[Any]


def build_encoder(tensors: Tensors) -> bytes:
    """The graph as a file; as many layers and as wide as the tensors are.

    Raises:
        StoreError: The tensors are not those of such an encoder.
        UsageError: `onnx` is not installed.
    """
    onnx = library("onnx", extra="similarity")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    try:
        layers = sum(name.startswith("lstm.weight_ih_l") for name in tensors)
        initializers, nodes = _lstm(helper, tensors, layers)
        initializers |= {"linear.weight": tensors["linear.weight"], "linear.bias": tensors["linear.bias"]}
        channels, wide = tensors["lstm.weight_ih_l0"].shape[1], tensors["linear.weight"].shape[0]
    except KeyError as error:
        raise StoreError(f"the checkpoint has no tensor {error}: it is no GE2E encoder") from None
    initializers["first"] = np.array([0], np.int64)
    nodes += [
        helper.make_node("Squeeze", [f"hidden{layers - 1}", "first"], ["last"]),
        helper.make_node("Gemm", ["last", "linear.weight", "linear.bias"], ["line"], transB=1),
        helper.make_node("Relu", ["line"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], [OUTPUT], axis=1, p=2),
    ]
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "ge2e",
        [helper.make_tensor_value_info(INPUT, float32, ["batch", "frames", int(channels)])],
        [helper.make_tensor_value_info(OUTPUT, float32, ["batch", int(wide)])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in initializers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="voice-cutover")
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _lstm(helper: Any, tensors: Tensors, layers: int) -> tuple[dict[str, Array], list[Any]]:
    """The stacked layers: each reads what the one before said at every frame."""
    initializers: dict[str, Array] = {"direction": np.array([1], np.int64)}
    nodes = [helper.make_node("Transpose", [INPUT], ["said-1"], perm=[1, 0, 2])]  # frames first
    for layer in range(layers):
        weights = {
            f"input{layer}": _reordered(tensors[f"lstm.weight_ih_l{layer}"])[np.newaxis],
            f"recurrent{layer}": _reordered(tensors[f"lstm.weight_hh_l{layer}"])[np.newaxis],
            f"bias{layer}": np.concatenate(
                [_reordered(tensors[f"lstm.bias_{kind}_l{layer}"]) for kind in ("ih", "hh")]
            )[np.newaxis],
        }
        initializers |= weights
        nodes += [
            helper.make_node(
                "LSTM",
                [f"said{layer - 1}", *weights],
                [f"all{layer}", f"hidden{layer}"],
                hidden_size=int(tensors[f"lstm.weight_hh_l{layer}"].shape[1]),
            ),
            helper.make_node("Squeeze", [f"all{layer}", "direction"], [f"said{layer}"]),
        ]
    return initializers, nodes[:-1]  # what the last layer said before its last frame is not asked for


def _reordered(gates: Array) -> Array:
    """PyTorch stacks the gates as input, forget, cell, output; ONNX as input, output, forget, cell."""
    into, forget, cell, out = np.split(gates, 4)
    return np.concatenate([into, out, forget, cell])
