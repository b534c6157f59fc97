"""Whether what a run would use has a price, and one that was read lately. Sends nothing."""

from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

from harness.config import ModalSettings, Settings
from harness.doctor.check import Check, Mark
from harness.doctor.models import models_in
from harness.errors import ConfigError
from harness.providers.pricing import PriceList

__all__ = ["check_prices"]

_OLD_PRICE_DAYS: Final = 180  # the provider changed prices twice in 2026 (providers.md A8)


class _Item(NamedTuple):
    """Something with a price."""

    provider: str
    region: str
    name: str
    unit: str


def check_prices(settings: Settings, today: date) -> Iterator[Check]:
    """A check for everything that is billed, and one for what our bill leaves out."""
    try:
        prices = PriceList.load(settings.prices)
    except ConfigError as error:
        yield Check("prices", Mark.BAD, str(error))
        return
    for item in _billed(settings):
        price = prices.find(item.provider, item.region, item.name, item.unit)
        name = f"price of {item.name}"
        if price is None or price.usd is None:
            words = f"unknown in {item.region}, so a run that needs it sends nothing; add it to {settings.prices.name}"
            yield Check(name, Mark.WARNING, words)
        elif (today - price.as_of).days > _OLD_PRICE_DAYS:
            words = f"read on {price.as_of}, {(today - price.as_of).days} days ago; look it up again: {price.source}"
            yield Check(name, Mark.WARNING, words)
        else:
            yield Check(name, Mark.OK, f"${price.usd} per {price.per} {item.unit}, read on {price.as_of}")
    yield _container(settings.modal)


def _billed(settings: Settings) -> Iterator[_Item]:
    """What a run uses that costs."""
    qwen, modal = settings.qwen, settings.modal
    for setting, model in models_in(qwen).items():
        unit = "voices" if setting in ("enrolment_model", "voice_design_model") else "characters"
        yield _Item("qwen", qwen.region, model, unit)
    yield _Item("modal", modal.region, modal.gpu, "gpu_s")
    if modal.cpu_cores:
        yield _Item("modal", modal.region, "cpu", "core_s")
    if modal.memory_gib:
        yield _Item("modal", modal.region, "memory", "gib_s")


def _container(settings: ModalSettings) -> Check:
    untold = [name for name in ("cpu_cores", "memory_gib") if not getattr(settings, name)]
    if not untold:
        return Check("container", Mark.OK, f"{settings.cpu_cores:g} cores and {settings.memory_gib:g} GiB are billed")
    variables = " and ".join(f"CUTOVER_MODAL__{name.upper()}" for name in untold)
    words = (
        f"{variables} not set, so the legacy path looks cheaper than it is; "
        "set what a container reserves or uses, whichever is more"
    )
    return Check("container", Mark.WARNING, words)
