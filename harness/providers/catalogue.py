"""The providers by name: how a lane of a replay, or a route of the gateway, gets the one it wants.

A provider's module is imported only when it is opened, so the modules of one that nobody opens can be deleted.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from harness.clock import Clock
from harness.config import Settings
from harness.errors import ConfigError, UsageError
from harness.exchanges import Failure
from harness.providers.base import Provider, References

if TYPE_CHECKING:
    from harness.providers.qwen import QwenProvider

__all__ = ["PROVIDERS", "Deployment", "DeploymentHealth", "open_modal", "open_provider", "open_qwen"]

PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {"qwen": "harness.providers.qwen:open_from", "modal": "harness.providers.modal:open_from"}
)


class DeploymentHealth(Protocol):
    """What a deployment says of itself."""

    @property
    def model(self) -> str | None:
        """Which model it speaks with."""
        ...

    @property
    def gpu(self) -> str | None:
        """On which GPU."""
        ...

    @property
    def took_s(self) -> float:
        """Much more than usual means that a container had to be started."""
        ...


class Deployment(Provider, Protocol):
    """A provider that we run ourselves, with what only it can do: tell how it is."""

    @property
    def clock_skew_s(self) -> float | None:
        """How far our clock is ahead of its; None before its first reply."""
        ...

    async def health(self) -> DeploymentHealth | Failure:
        """How it is; asking can start a GPU, which is billed."""
        ...

    async def reach(self) -> int | Failure:
        """The status of a question without a key, which costs nothing where proxy authorization is on."""
        ...


class _Maker(Protocol):
    def __call__(
        self, settings: Settings, *, account: str | None, references: References, clock: Clock
    ) -> Provider: ...


def open_provider(
    name: str, settings: Settings, *, references: References, clock: Clock, account: str | None = None
) -> Provider:
    """The provider called `name`, to be used with `async with`; nothing is sent yet.

    Args:
        name: `qwen` or `modal`.
        settings: All settings: addresses, keys, prices, and where voices are remembered.
        references: Where reference recordings lie.
        clock: Times and waits.
        account: Under which voices are remembered; default: as the settings say, else the host.

    Raises:
        ConfigError: A setting it needs is missing or unusable, or its module was deleted; names what.
        UsageError: There is no such provider.
    """
    return _maker(name)(settings, account=account, references=references, clock=clock)


def open_qwen(settings: Settings, *, references: References, clock: Clock) -> "QwenProvider":
    """The Qwen API with what only it can do: its account and its voices. Raises as `open_provider` does."""
    from harness.providers.qwen import open_from

    return open_from(settings, account=None, references=references, clock=clock)


def open_modal(settings: Settings, *, references: References, clock: Clock) -> Deployment:
    """The legacy path with what only it can do: its health. Raises as `open_provider` does."""
    provider: Deployment = _maker("modal")(settings, account=None, references=references, clock=clock)  # type: ignore[assignment]
    return provider


def _maker(name: str) -> _Maker:
    if name not in PROVIDERS:
        raise UsageError(f"there is no provider {name!r}; valid are {', '.join(PROVIDERS)}")
    module, attribute = PROVIDERS[name].split(":")
    try:
        maker: _Maker = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        # Only its own module may be gone; that any other is missing is a fault of the installation, to be seen whole.
        if error.name != module:
            raise
        raise ConfigError(
            f"provider {name}: its module {module} was deleted, as after a retirement; "
            f"unset CUTOVER_{name.upper()}__*, or bring the module back"
        ) from None
    return maker
