import pytest

from harness.config import ModalSettings
from harness.errors import ConfigError, ErrorKind
from harness.exchanges import Failure
from harness.providers.modal_endpoints import ModalEndpoints

BASE = "https://acme--tts.modal.run"
CLONE = "https://acme--tts-clone.modal.run"


def endpoints(**settings: str) -> ModalEndpoints:
    return ModalEndpoints(ModalSettings.model_validate(settings), allow_hosts=())


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("clone_url", "clone"),
        ("design_url", "design"),
        ("generate_url", "generate"),
        ("submit_url", "submit-job"),
        ("status_url", "job-status"),
        ("result_url", "job-result"),
        ("cancel_url", "job-cancel"),
        ("health_url", "health"),
    ],
)
def test_a_call_with_a_host_of_its_own_goes_there_and_the_others_below_the_base(setting: str, path: str) -> None:
    found = endpoints(base_url=BASE, **{setting: CLONE})

    assert str(found.url(path)) == CLONE
    assert str(found.url("v1/audio/speech")) == f"{BASE}/v1/audio/speech"
    assert [str(origin) for origin in found.origins] == [BASE, CLONE]


def test_one_address_serves_every_call() -> None:
    found = endpoints(base_url=BASE)

    assert str(found.url("job-result")) == f"{BASE}/job-result"
    assert str(found.any_url()) == f"{BASE}/health"
    assert len(found.origins) == 1


def test_a_call_without_an_address_is_named_with_its_setting() -> None:
    found = endpoints(clone_url=CLONE)

    design = found.url("design")
    assert isinstance(design, Failure)
    assert design.kind is ErrorKind.UNSUPPORTED
    assert design.detail == "the deployment has no address for design; CUTOVER_MODAL__DESIGN_URL names it"
    assert str(found.any_url()) == CLONE


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({}, r"CUTOVER_MODAL__BASE_URL is not set.*CUTOVER_MODAL__CLONE_URL", id="none at all"),
        pytest.param(
            {"design_url": "http://acme.test"}, "CUTOVER_MODAL__DESIGN_URL: http:// would", id="not encrypted"
        ),
        pytest.param({"submit_url": "acme"}, "CUTOVER_MODAL__SUBMIT_URL: not a base address", id="no address"),
    ],
)
def test_an_address_that_will_not_do_stops_the_start(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        endpoints(**settings)
