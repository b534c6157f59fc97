import pytest

from harness.gateway.presets import PRESETS, preset_of
from harness.gateway.refusals import Refused
from harness.gateway.voice_book import new_voice_id


def test_no_voice_of_a_caller_is_taken_for_a_preset() -> None:
    assert preset_of(new_voice_id()) is None


@pytest.mark.parametrize("name", [*(voice.id for voice in PRESETS), "Ono Anna", "Cherry"])
def test_presets_of_both_providers_are_known_in_both_spellings(name: str) -> None:
    voice = preset_of(name)

    assert voice is not None
    assert voice.id == name


def test_a_name_of_neither_kind_is_not_found() -> None:
    with pytest.raises(Refused) as caught:
        preset_of("alloy")

    assert caught.value.status == 404
