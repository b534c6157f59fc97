"""All that can be seen of a setup without a connection: the data folder, keys, region, models and prices."""

import os
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

from harness.config import QwenSettings, Settings
from harness.doctor.check import Check, Mark
from harness.doctor.models import check_families, check_retirements
from harness.doctor.prices import check_prices
from harness.providers.qwen_region import CONFIRMED_REGIONS, regions_of

__all__ = ["check_settings"]


def check_settings(settings: Settings, *, today: date) -> Iterator[Check]:
    """All that can be seen without a connection."""
    yield _home(settings.home)
    yield _key("qwen key", settings.qwen.api_key, "CUTOVER_QWEN__API_KEY", required=True)
    yield _key("modal key", settings.modal.key, "CUTOVER_MODAL__KEY", required=False)
    yield _region(settings.qwen)
    yield from check_families(settings.qwen)
    yield from check_prices(settings, today)
    yield from check_retirements(settings.qwen, today)
    if settings.allow_hosts:
        hosts = ", ".join(sorted(settings.allow_hosts))
        yield Check("stand-ins", Mark.WARNING, f"CUTOVER_ALLOW_HOSTS lets {hosts} be reached; unset it for a live run")


def _home(home: Path) -> Check:
    nearest = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check("data folder", Mark.OK, str(home))
    return Check("data folder", Mark.BAD, f"{home} cannot be written; CUTOVER_HOME names another")


def _key(name: str, key: SecretStr | None, variable: str, *, required: bool) -> Check:
    if key is None:
        if required:
            return Check(name, Mark.BAD, f"{variable} is not set")
        return Check(name, Mark.SKIPPED, f"{variable} is not set; right only for a deployment that is open to all")
    # Enough to tell two keys apart, nothing to find one by.
    return Check(name, Mark.OK, f"set, fingerprint {sha256(key.get_secret_value().encode()).hexdigest()[:8]}")


def _region(settings: QwenSettings) -> Check:
    there, region = regions_of(settings.base_url), settings.region
    if there and region not in there:
        words = (
            f"CUTOVER_QWEN__REGION is {region}, but CUTOVER_QWEN__BASE_URL leads to {' or '.join(there)}: prices and "
            "consent would be those of the wrong region; set both alike"
        )
        return Check("qwen region", Mark.BAD, words)
    if region not in CONFIRMED_REGIONS:
        words = f"speech in {region} is not documented, only in {' and '.join(CONFIRMED_REGIONS)}; --smoke tells"
        return Check("qwen region", Mark.WARNING, words)
    return Check("qwen region", Mark.OK, region)
