from harness.config import ModalDialect, ModalSettings, QwenSettings
from harness.emulators.options import Dialect, ModalOptions, QwenOptions


def test_what_we_send_by_default_is_within_the_quota_of_the_real_service() -> None:
    assert QwenOptions().requests_per_minute >= QwenSettings().quota.per_minute


def test_the_stand_in_serves_the_model_and_the_length_that_the_settings_ask_for() -> None:
    assert ModalOptions().model == ModalSettings().model
    assert QwenOptions().max_chars == QwenSettings().max_chars


def test_a_request_is_held_for_less_than_our_client_waits() -> None:
    assert ModalOptions().hold_s < ModalSettings().read_timeout_s


def test_a_dialect_is_named_as_the_setting_that_goes_with_it() -> None:
    assert {dialect.value for dialect in Dialect} == {dialect.value for dialect in ModalDialect}
    assert ModalOptions().dialect.value == ModalSettings().dialect.value
