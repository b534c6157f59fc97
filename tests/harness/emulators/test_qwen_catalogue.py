import pytest

from harness.emulators.account import Account
from harness.emulators.qwen_catalogue import MODELS, language_of, timbre_for
from harness.emulators.qwen_wire import Refusal
from harness.speech import LANGUAGES
from tests.harness.emulators.test_account import ANNA


@pytest.fixture
def account() -> Account:
    account = Account(None)
    account.keep(ANNA)
    return account


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_known_by_its_english_name_in_any_case(language: str) -> None:
    assert language_of(LANGUAGES[language]) == language_of(LANGUAGES[language].lower()) == language


@pytest.mark.parametrize("name", [None, "Auto", "auto"])
def test_auto_leaves_the_language_open(name: str | None) -> None:
    assert language_of(name) is None


@pytest.mark.parametrize("name", ["en", "Klingon", ""])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        language_of(name)

    assert refusal.value.code == "InvalidParameter"


def test_a_voice_speaks_through_the_model_it_was_made_for(account: Account) -> None:
    assert timbre_for("qwen3-tts-vc-2026-01-22", ANNA.voice, account).name == "alto"


@pytest.mark.parametrize(
    ("model", "voice", "code"),
    [
        pytest.param("qwen3-tts-vd-2026-01-26", ANNA.voice, "invalid_value", id="made for another model"),
        pytest.param("qwen3-tts-flash", ANNA.voice, "InvalidParameter", id="a clone on a system model"),
        pytest.param("qwen3-tts-vc-2026-01-22", "Cherry", "InvalidParameter", id="a preset on a clone model"),
        pytest.param("qwen3-tts-flash", "Nobody", "InvalidParameter", id="unknown preset"),
        pytest.param("qwen3-tts-flash", "Ono_Anna", "InvalidParameter", id="the open model's spelling"),
        pytest.param("qwen3-tts-vc-2026-01-22", "qwen-tts-vc-x", "InvalidParameter", id="unknown clone"),
        pytest.param("qwen3-tts-instruct-flash", "Ryan", "InvalidParameter", id="takes no instructions"),
        pytest.param("qwen3-tts-instruct-flash", "Sohee", "InvalidParameter", id="foreign, takes no instructions"),
    ],
)
def test_a_voice_that_does_not_belong_is_refused(account: Account, model: str, voice: str, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        timbre_for(model, voice, account)

    assert (refusal.value.status, refusal.value.code) == (400, code)


@pytest.mark.parametrize("model", [model for model in MODELS if "flash" in model])
def test_cherry_speaks_through_every_system_model(model: str) -> None:
    assert timbre_for(model, "Cherry", Account(None)).name == "cherry"
