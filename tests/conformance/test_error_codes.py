"""Every error that the providers' own SDKs document means something definite here; a new one fails this test."""

import inspect

import openai
import pytest
from dashscope.v2 import _error_registry as registry
from dashscope.v2.errors import ErrorCode

from harness.errors import ErrorKind
from harness.providers.codes import _CODES, _FAMILIES, dashscope_failure, modal_failure

K = ErrorKind
OF_STATUS = {
    400: K.BAD_REQUEST,
    401: K.AUTH,
    403: K.AUTH,
    404: K.UNSUPPORTED,
    409: K.BAD_REQUEST,
    422: K.BAD_REQUEST,
    429: K.RATE_LIMITED,
    500: K.OVERLOADED,
}


def is_mapped(code: str) -> bool:
    lowered = code.lower()
    return lowered in _CODES or any(pattern.fullmatch(lowered) for pattern, _ in _FAMILIES)


@pytest.mark.parametrize("code", [each.value for each in ErrorCode])
def test_every_code_of_the_dashscope_sdk_is_mapped_by_itself(code: str) -> None:
    assert is_mapped(code)
    assert dashscope_failure(200, code, None).kind is not K.BAD_RESPONSE


@pytest.mark.parametrize("error", registry.PUBLIC_ERRORS, ids=lambda error: error.key)
def test_every_error_of_its_public_catalogue_is_mapped_by_key_and_by_class(error: registry.PublicError) -> None:
    assert is_mapped(error.key)
    assert is_mapped(error.error_code)


@pytest.mark.parametrize("error", registry.PUBLIC_ERRORS, ids=lambda error: error.key)
def test_a_code_means_what_its_status_would_or_something_more_precise(error: registry.PublicError) -> None:
    by_code = dashscope_failure(200, error.error_code, None).kind

    assert by_code is dashscope_failure(error.status_code, None, None).kind or error.status_code == 404


def test_both_catalogues_are_seen() -> None:
    assert len(ErrorCode) >= 13
    assert len(registry.PUBLIC_ERRORS) >= 16


def statuses() -> list[int]:
    """Of every error class that the OpenAI SDK raises for a status of its own."""
    classes = [each for each in [*vars(openai).values()] if inspect.isclass(each)]
    named = [each for each in classes if issubclass(each, openai.APIStatusError) and each is not openai.APIStatusError]
    return sorted({getattr(each, "status_code", 500) for each in named})  # of 500 and above there is one for all


@pytest.mark.parametrize("status", statuses())
def test_every_status_that_the_openai_sdk_knows_is_mapped_in_its_dialect(status: int) -> None:
    assert modal_failure(status, '{"error": {}}', "refused").kind is OF_STATUS[status]


def test_the_openai_sdks_statuses_are_seen() -> None:
    assert set(statuses()) == set(OF_STATUS)
