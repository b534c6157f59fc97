"""The providers by name: how a lane of a replay, or a route of the gateway, gets the one it wants."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from harness.clock import Clock
from harness.config import Settings
from harness.errors import UsageError
from harness.providers.base import Provider, References
from harness.providers.modal import ModalProvider
from harness.providers.pricing import PriceList
from harness.providers.qwen import QwenProvider
from harness.providers.voices import VoiceRegistry

__all__ = ["PROVIDERS", "open_modal", "open_provider", "open_qwen"]

_Maker = Callable[[Settings, str | None, References, Clock], Provider]


def _qwen(settings: Settings, account: str | None, references: References, clock: Clock) -> QwenProvider:
    qwen = settings.qwen if account is None else settings.qwen.model_copy(update={"account": account})
    return QwenProvider(
        qwen,
        prices=PriceList.load(settings.prices),
        references=references,
        voices=VoiceRegistry(settings.home / "voices.jsonl"),
        allow_hosts=settings.allow_hosts,
        clock=clock,
    )


def _modal(settings: Settings, account: str | None, references: References, clock: Clock) -> ModalProvider:
    return ModalProvider(
        settings.modal,
        prices=PriceList.load(settings.prices),
        references=references,
        allow_hosts=settings.allow_hosts,
        clock=clock,
    )


PROVIDERS: Final[Mapping[str, _Maker]] = MappingProxyType({"qwen": _qwen, "modal": _modal})


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
        ConfigError: A setting it needs is missing or unusable; names the variable.
        UsageError: There is no such provider.
    """
    if name not in PROVIDERS:
        raise UsageError(f"there is no provider {name!r}; valid are {', '.join(PROVIDERS)}")
    return PROVIDERS[name](settings, account, references, clock)


def open_qwen(settings: Settings, *, references: References, clock: Clock) -> QwenProvider:
    """The Qwen API with what only it can do: its account and its voices. Raises as `open_provider` does."""
    return _qwen(settings, None, references, clock)


def open_modal(settings: Settings, *, references: References, clock: Clock) -> ModalProvider:
    """The legacy path with what only it can do: its health. Raises as `open_provider` does."""
    return _modal(settings, None, references, clock)
