from typing import get_args, get_type_hints

from analysis.models.transcribers import Engine
from harness.config import ModelSettings


def test_a_setting_can_name_every_engine_and_nothing_else() -> None:
    assert set(get_args(get_type_hints(ModelSettings)["transcriber"])) == {engine.value for engine in Engine}
