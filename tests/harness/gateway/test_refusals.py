import pytest

from harness.gateway.refusals import Refused, body_of


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (405, "invalid_request_error"),
        (503, "server_error"),
    ],
)
def test_the_type_follows_from_the_status(status: int, family: str) -> None:
    assert Refused(status, "code", "what is wrong").type == family


def test_the_body_has_the_four_fields_of_the_convention() -> None:
    body = body_of(Refused(429, "too_many", "wait", retry_after_s=3.0), request_id="r1")

    assert body == {"error": {"code": "too_many", "message": "wait", "type": "rate_limit_error", "request_id": "r1"}}
