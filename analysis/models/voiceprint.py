"""A voice as a vector: as text, and compared with another. Light, for whoever has no model at hand."""

import base64

import numpy as np
import numpy.typing as npt

__all__ = ["cosine", "packed", "unpacked"]


def packed(vector: npt.ArrayLike) -> str:
    """A vector as text: base64 of little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(vector, "<f4").tobytes()).decode()


def unpacked(text: str) -> npt.NDArray[np.float32]:
    """The vector in such a text."""
    return np.frombuffer(base64.b64decode(text), "<f4")


def cosine(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """How alike two voices are; 1 is the same."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
