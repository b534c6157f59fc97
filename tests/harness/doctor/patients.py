"""Settings that the doctor looks at, and the checks by their names."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from harness.config import ModalSettings, QwenSettings, Settings
from harness.doctor.check import Check
from tests.canaries import MODAL_KEY, MODAL_SECRET
from tests.harness.providers.stubs import CANARY

TODAY = date(2026, 11, 23)
NOWHERE = "http://127.0.0.1:9"


def some_settings(home: Path, **changes: Any) -> Settings:
    base = {
        "home": home,
        "qwen": QwenSettings(base_url=NOWHERE, api_key=SecretStr(CANARY), max_attempts=1),
        "modal": ModalSettings(
            base_url=NOWHERE, key=SecretStr(MODAL_KEY), secret=SecretStr(MODAL_SECRET), max_attempts=1
        ),
        "allow_hosts": frozenset({"127.0.0.1:9"}),
    }
    return Settings(**(base | changes))


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}
