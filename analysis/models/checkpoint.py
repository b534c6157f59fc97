"""Tensors out of a PyTorch checkpoint, without PyTorch and without running what it says.

A checkpoint is a pickle, and a pickle may call anything. Only what tensors are made of is let through here: the four
names below; any other ends the reading. The format is the one of PyTorch before 1.6: three pickles that say how it was
written, one with the objects, one with the names of the storages, then each storage as its length and its numbers.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.errors import StoreError

__all__ = ["Tensors", "read_checkpoint"]

Tensors = Mapping[str, npt.NDArray[Any]]

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_TYPES: Final = MappingProxyType(
    {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8", "IntStorage": "<i4"}
)
_MOST_BYTES: Final = 1 << 30


class _Storage(NamedTuple):
    key: str
    dtype: str


class _View(NamedTuple):
    """A tensor before its storage is read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_checkpoint(data: bytes, *, part: str) -> Tensors:
    """The tensors by name of one part of a checkpoint, such as `model_state`.

    Raises:
        StoreError: It is no checkpoint of this format, names something else than tensors, or is cut off.
    """
    file = io.BytesIO(data)
    try:
        if (_unpickle(file), _unpickle(file)) != (_MAGIC, _PROTOCOL) or not _unpickle(file)["little_endian"]:
            raise ValueError("it is not of the format of PyTorch before 1.6")
        views = _unpickle(file)[part]
        storages = _storages(file, {view.storage for view in views.values()})
        return {str(name): _tensor(view, storages[view.storage.key]) for name, view in views.items()}
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - a pickle breaks in as many ways as there are opcodes
        raise StoreError(f"the checkpoint cannot be read: {type(error).__name__}: {error}") from None


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module_name == "torch" and global_name in _TYPES:
            return _TYPES[global_name]
        raise StoreError(f"the checkpoint names {module_name}.{global_name}, which no tensor needs; do not use it")

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _, _, *_ = pid
        return _Storage(str(key), str(dtype))


def _unpickle(file: io.BytesIO) -> Any:
    return _Unpickler(file).load()


def _view(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _View:
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _storages(file: io.BytesIO, known: set[_Storage]) -> dict[str, npt.NDArray[Any]]:
    types = {storage.key: storage.dtype for storage in known}
    found = {}
    for key in _unpickle(file):
        (count,) = np.frombuffer(file.read(8), "<i8")
        dtype = np.dtype(types.get(str(key), "<f4"))  # of another part: read past, never used
        if not 0 <= count * dtype.itemsize <= _MOST_BYTES:
            raise ValueError(f"storage {key} claims {count} numbers")
        found[str(key)] = np.frombuffer(file.read(int(count) * dtype.itemsize), dtype, count=int(count))
    return found


def _tensor(view: _View, storage: npt.NDArray[Any]) -> npt.NDArray[Any]:
    last = view.offset + sum((size - 1) * step for size, step in zip(view.shape, view.strides, strict=True))
    if min(view.strides, default=0) < 0 or view.offset < 0 or last >= len(storage):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [step * storage.itemsize for step in view.strides]
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides, writeable=False).copy()
