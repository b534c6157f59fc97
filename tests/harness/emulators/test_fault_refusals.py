import pytest

from harness.emulators.fault_refusals import PLATFORM_REFUSALS, QWEN_REFUSALS, Refused


@pytest.mark.parametrize(("name", "refused"), [*QWEN_REFUSALS.items(), *PLATFORM_REFUSALS.items()])
def test_every_refusal_is_one(name: str, refused: Refused) -> None:
    assert 400 <= refused.status < 600
    assert refused.message


def test_the_traps_of_the_error_table_are_all_there() -> None:
    # One status with two meanings, and one code under two statuses (providers.md A7).
    codes = {name: (refused.status, refused.code) for name, refused in QWEN_REFUSALS.items()}

    assert codes["allocation-quota"] == codes["free-quota"] == (429, "Throttling.AllocationQuota")
    assert QWEN_REFUSALS["allocation-quota"].message != QWEN_REFUSALS["free-quota"].message
    assert codes["voice-storage"] == (400, "Throttling.AllocationQuota")


def test_the_platform_speaks_plain_text() -> None:
    texts = [each.message for name, each in PLATFORM_REFUSALS.items() if name.startswith("platform-")]

    assert all(text.startswith("modal-http: ") for text in texts)
