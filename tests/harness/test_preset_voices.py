import pytest

from harness.preset_voices import EVERYWHERE, OPEN_MODEL, QWEN_HOSTED, QWEN_INSTRUCTED, is_preset
from harness.providers.qwen_models import system_voices


@pytest.mark.parametrize("name", ["Cherry", "Vivian", "vivian", "Ono_Anna", "Ono Anna", "Uncle_Fu", "alloy"])
def test_voices_that_ship_with_a_provider_are_known_in_every_spelling(name: str) -> None:
    assert is_preset(name)


@pytest.mark.parametrize("name", ["anna", "Anna Mueller", "customer-77", ""])
def test_any_other_name_is_somebodys(name: str) -> None:
    assert not is_preset(name)


def test_an_owner_can_say_otherwise() -> None:
    assert is_preset("anna", {"anna"})
    assert not is_preset("Anna", {"anna"})


def test_the_hosted_service_and_the_open_model_have_as_many_voices_as_documented() -> None:
    assert (len(QWEN_HOSTED), len(QWEN_INSTRUCTED), len(OPEN_MODEL)) == (49, 26, 9)
    assert all(is_preset(name) for name in {*QWEN_HOSTED, *OPEN_MODEL})


def test_one_voice_speaks_whatever_model_is_asked() -> None:
    families = ("qwen3-tts-flash", "qwen3-tts-instruct-flash", "qwen-tts")

    assert EVERYWHERE in OPEN_MODEL
    assert [EVERYWHERE in (system_voices(model) or ()) for model in families] == [True] * 3
