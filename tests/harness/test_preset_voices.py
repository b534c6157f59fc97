import pytest

from harness.emulators.qwen_catalogue import SYSTEM_VOICES
from harness.preset_voices import is_preset


@pytest.mark.parametrize("name", ["Cherry", "Vivian", "vivian", "Ono_Anna", "Ono Anna", "Uncle_Fu", "alloy"])
def test_voices_that_ship_with_a_provider_are_known_in_every_spelling(name: str) -> None:
    assert is_preset(name)


@pytest.mark.parametrize("name", ["anna", "Anna Mueller", "customer-77", ""])
def test_any_other_name_is_somebodys(name: str) -> None:
    assert not is_preset(name)


def test_an_owner_can_say_otherwise() -> None:
    assert is_preset("anna", {"anna"})
    assert not is_preset("Anna", {"anna"})


def test_every_voice_that_the_stand_in_speaks_with_is_a_preset() -> None:
    assert len(SYSTEM_VOICES) == 49
    assert all(is_preset(name) for name in SYSTEM_VOICES)
