"""The way from a lane to its provider."""

from dataclasses import dataclass

from harness.providers.base import Provider
from replay.quota import Quota

__all__ = ["Route"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # two lanes share a route when it is the same object
class Route:
    """Everything between a lane and its provider."""

    provider: Provider
    quota: Quota
    region: str | None
    deadline_s: float
