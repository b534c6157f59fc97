"""Models so small that a test makes them: real files of the real formats, with weights drawn from a seed."""

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from analysis.models.catalogue import WEIGHTS
from analysis.models.encoder_graph import build_encoder
from analysis.models.weights import publish, scratch_of
from harness.config import PROJECT

HIDDEN, WIDE = 8, 6
REAL_MODELS = PROJECT / "data" / "local" / "models"


def real(name: str) -> Any:
    """A mark that skips a test where the real weights were not installed."""
    here = (REAL_MODELS / name / "manifest.json").is_file()
    return pytest.mark.skipif(not here, reason=f"no real weights {name} here; `cutover models install` gets them")


def small_tensors(*, layers: int = 3, seed: int = 3) -> dict[str, npt.NDArray[np.float32]]:
    """Tensors named and shaped as those of the speaker encoder, only narrower."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> npt.NDArray[np.float32]:
        return rng.normal(scale=0.4, size=shape).astype(np.float32)

    tensors = {}
    for layer in range(layers):
        tensors |= {
            f"lstm.weight_ih_l{layer}": draw(4 * HIDDEN, HIDDEN if layer else 40),
            f"lstm.weight_hh_l{layer}": draw(4 * HIDDEN, HIDDEN),
            f"lstm.bias_ih_l{layer}": draw(4 * HIDDEN),
            f"lstm.bias_hh_l{layer}": draw(4 * HIDDEN),
        }
    return {**tensors, "linear.weight": draw(WIDE, HIDDEN), "linear.bias": np.abs(draw(WIDE))}


def a_checkpoint(tensors: Mapping[str, npt.NDArray[Any]], *, part: str = "model_state", **others: Any) -> bytes:
    """The file that PyTorch before 1.6 would have written of them, without PyTorch."""
    file = io.BytesIO()
    storages: dict[str, npt.NDArray[Any]] = {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            if not isinstance(thing, np.ndarray):
                return None
            key = str(140_000 + len(storages))
            storages[key] = thing
            return ("storage", sys.modules["torch"].FloatStorage, key, "cpu", thing.size, None)

        def reducer_override(self, thing: Any) -> Any:
            if not isinstance(thing, _Tensor):
                return NotImplemented
            array = thing.array
            strides = tuple(step // array.itemsize for step in array.strides)
            flat = np.ascontiguousarray(array).reshape(-1)
            arguments = (flat, 0, array.shape, strides, False, OrderedDict())
            return sys.modules["torch._utils"]._rebuild_tensor_v2, arguments

    with _pretended_torch():
        for head in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
            pickle.dump(head, file, protocol=2)
        Pickler(file, protocol=2).dump({part: OrderedDict((k, _Tensor(v)) for k, v in tensors.items()), **others})
        pickle.dump(list(storages), file, protocol=2)
    for array in storages.values():
        file.write(struct.pack("<q", array.size) + array.astype("<f4").tobytes())
    return file.getvalue()


class _Tensor:
    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array


@contextmanager
def _pretended_torch() -> Iterator[None]:
    """A module of that name while something is pickled: pickle looks names up."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    setattr(utils, "_rebuild_tensor_v2", _rebuild_tensor_v2)  # noqa: B010 - a module takes no new attribute by type
    setattr(torch, "FloatStorage", type("FloatStorage", (), {"__module__": "torch"}))  # noqa: B010
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield


def install_small(models: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Files of our own, installed as if they were the real ones."""
    with scratch_of(models, WEIGHTS[name]) as scratch:
        ready = scratch / "ready"
        ready.mkdir()
        for file, data in files.items():
            (ready / file).write_bytes(data)
        return publish(models, WEIGHTS[name], ready)


def install_small_encoder(models: Path, *, seed: int = 3) -> Path:
    return install_small(models, "ge2e", {"ge2e.onnx": build_encoder(small_tensors(seed=seed))})


def install_small_dnsmos(models: Path) -> Path:
    """Networks of one step each: loudness as an opinion, and the mean of the mels."""
    return install_small(models, "dnsmos", {"sig_bak_ovr.onnx": _loudness_graph(), "model_v8.onnx": _mean_graph()})


def _loudness_graph() -> bytes:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: no small model can be made")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("Abs", ["input_1"], ["size"]),
        helper.make_node("ReduceMax", ["size"], ["peak"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["peak", "peak", "peak"], ["opinions"], axis=1),
    ]
    return _graph(helper, nodes, (float32, ["batch", 144_160]), ("opinions", float32, ["batch", 3]))


def _mean_graph() -> bytes:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: no small model can be made")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("ReduceMean", ["input_1"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Reshape", ["mean", "shape"], ["opinion"]),
    ]
    shape = onnx.numpy_helper.from_array(np.array([-1, 1], np.int64), "shape")
    return _graph(helper, nodes, (float32, ["batch", "frames", 120]), ("opinion", float32, ["batch", 1]), [shape])


def _graph(helper: Any, nodes: Any, given: Any, told: Any, constants: Any = ()) -> bytes:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input_1", *given)],
        [helper.make_tensor_value_info(*told)],
        list(constants),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return bytes(model.SerializeToString())
