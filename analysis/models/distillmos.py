"""DistillMOS: how natural listeners would call a sound, by Microsoft's network in its own package, on PyTorch.

Advisory only. The one scorer that brings PyTorch, and only with its own extra.
"""

import contextlib
import io
from typing import Any, Final

from analysis.audio import FloatArray
from analysis.models.optional import library

__all__ = ["RATE_HZ", "DistillMos"]

RATE_HZ: Final = 16_000


class DistillMos:
    """The network, loaded once a process."""

    def __init__(self) -> None:
        """Load it with the weights that lie in its package.

        Raises:
            UsageError: The package, or the PyTorch under it, is not installed.
        """
        self._torch: Any = library("torch", extra="naturalness")
        package: Any = library("distillmos", extra="naturalness")
        self._torch.set_num_threads(1)  # the pool is as wide as the machine
        with contextlib.redirect_stdout(io.StringIO()):  # it tells where its weights lie
            self._network: Any = package.ConvTransformerSQAModel()
        self._network.eval()

    def score(self, y: FloatArray) -> dict[str, float]:
        """The opinion, 1 to 5, of mono samples at `RATE_HZ`, at least one."""
        with self._torch.no_grad():
            opinion = self._network(self._torch.from_numpy(y.copy())[None])
        return {"naturalness": float(opinion.item())}
