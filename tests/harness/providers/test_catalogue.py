from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.clock import FakeClock
from harness.config import ModalSettings, QwenSettings, Settings
from harness.errors import ConfigError, UsageError
from harness.providers import PROVIDERS, open_provider
from harness.providers.modal import ModalProvider
from harness.providers.qwen import QwenProvider
from harness.store.blobs import BlobStore
from tests.builders import a_request
from tests.canaries import MODAL_KEY, QWEN_KEY
from tests.harness.providers.stubs import PRICES


def settings_of(tmp_path: Path, **changes: object) -> Settings:
    base: dict[str, object] = {
        "home": tmp_path,
        "prices": PRICES,
        "qwen": QwenSettings(api_key=SecretStr(QWEN_KEY)),
        "modal": ModalSettings(base_url="https://acme--tts.modal.run"),
    }
    return Settings(**(base | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "kind"), [("qwen", QwenProvider), ("modal", ModalProvider)])
def test_a_provider_is_opened_by_its_name(
    tmp_path: Path, references: BlobStore, clock: FakeClock, name: str, kind: type
) -> None:
    provider = open_provider(name, settings_of(tmp_path), references=references, clock=clock)

    assert isinstance(provider, kind)
    assert provider.name == name
    assert (provider.worst_microusd(a_request()) or 0) > 0


def test_the_catalogue_has_both_sides_of_the_move() -> None:
    assert set(PROVIDERS) == {"qwen", "modal"}


def test_an_unknown_provider_is_told_with_the_known_ones(
    tmp_path: Path, references: BlobStore, clock: FakeClock
) -> None:
    with pytest.raises(UsageError, match="'azure'; valid are qwen, modal"):
        open_provider("azure", settings_of(tmp_path), references=references, clock=clock)


@pytest.mark.parametrize(
    ("name", "changes", "variable"),
    [
        pytest.param("qwen", {"qwen": QwenSettings()}, "CUTOVER_QWEN__API_KEY", id="no key"),
        pytest.param("modal", {"modal": ModalSettings()}, "CUTOVER_MODAL__BASE_URL", id="no address"),
        pytest.param(
            "modal",
            {"modal": ModalSettings(base_url="https://x.modal.run", key=SecretStr(MODAL_KEY))},
            "CUTOVER_MODAL__SECRET",
            id="half a key",
        ),
        pytest.param(
            "qwen",
            {"qwen": QwenSettings(api_key=SecretStr(QWEN_KEY), base_url="http://127.0.0.1:8101")},
            "CUTOVER_ALLOW_HOSTS=127.0.0.1:8101",
            id="stand-in not allowed",
        ),
        pytest.param("qwen", {"allow_hosts": frozenset({"10.0.0.1:80"})}, "CUTOVER_ALLOW_HOSTS", id="not this machine"),
        pytest.param("modal", {"prices": Path("none.toml")}, "CUTOVER_PRICES", id="no prices"),
    ],
)
def test_a_setting_that_is_missing_is_told_by_its_variable(
    tmp_path: Path, references: BlobStore, clock: FakeClock, name: str, changes: dict[str, object], variable: str
) -> None:
    with pytest.raises(ConfigError, match=variable):
        open_provider(name, settings_of(tmp_path, **changes), references=references, clock=clock)
