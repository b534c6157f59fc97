import pytest

from harness.errors import ErrorKind
from harness.providers.codes import dashscope_failure, modal_failure
from tests.harness.providers.stubs import CANARY

K = ErrorKind

# Each row of the provider's own table, and what its message decides.
DASHSCOPE = [
    (
        400,
        "InvalidParameter",
        "Required parameter(xxx) missing or invalid, check the request parameters.",
        K.BAD_REQUEST,
    ),
    (400, "InvalidParameter", "Model not exist.", K.MODEL_RETIRED),
    (400, "InvalidParameter", "Invalid voice specified, the requested voice does not exist", K.VOICE_NOT_FOUND),
    (400, "InvalidParameter", "url error, please check url", K.BAD_REQUEST),
    (400, "invalid_value", "The requested voice 'xxx' is not supported.", K.VOICE_NOT_FOUND),
    (400, "BadRequest.EmptyInput", "Required input parameter missing from request.", K.BAD_REQUEST),
    (400, "BadRequest.EmptyModel", "", K.BAD_REQUEST),
    (400, "BadRequest.EmptyParameters", "", K.BAD_REQUEST),
    (400, "BadRequest.IllegalInput", "", K.BAD_REQUEST),
    (400, "BadRequest.InputDownloadFailed", "Failed to download the input file", K.BAD_REFERENCE),
    (400, "BadRequest.UnsupportedFileFormat", "Input file format is not supported.", K.BAD_REFERENCE),
    (400, "Audio.DecoderError", "Decoder audio file failed.", K.BAD_REFERENCE),
    (400, "Audio.PreprocessError", "No segments meet minimum duration requirement", K.BAD_REFERENCE),
    (400, "Audio.AudioRateError", "File sample rate unsupported.", K.BAD_REFERENCE),
    (400, "Audio.DurationLimitError", "Audio duration exceeds maximum allowed limit.", K.BAD_REFERENCE),
    (400, "Audio.AudioShortError", "", K.BAD_REFERENCE),
    (400, "Audio.AudioSilentError", "", K.BAD_REFERENCE),
    (400, "BadRequest.VoiceNotFound", "Voice 'x' not found.", K.VOICE_NOT_FOUND),
    (400, "VoiceNotFound", "Voice not found: x", K.VOICE_NOT_FOUND),
    (
        400,
        "Throttling.AllocationQuota",
        "Maximum voice storage limit exceeded, please delete existing voices.",
        K.QUOTA,
    ),
    (400, "Arrearage", "Access denied, make sure your account is in good standing.", K.BILLING),
    (400, "DataInspectionFailed", "Input or output data may contain inappropriate content.", K.CONTENT_BLOCKED),
    (400, "data_inspection_failed", "", K.CONTENT_BLOCKED),
    (400, "InvalidParameter.DataInspection", "Unable to download the media resource", K.BAD_REFERENCE),
    (400, "ClientDisconnect", "Client disconnected before task finished!", K.UNKNOWN_OUTCOME),
    (401, "InvalidApiKey", "Invalid API-key provided.", K.AUTH),
    (401, "invalid_api_key", "", K.AUTH),
    (401, "NOT AUTHORIZED", "", K.AUTH),
    (403, "AccessDenied", "Access to model denied.", K.AUTH),
    (403, "AccessDenied.Unpurchased", "", K.AUTH),
    (403, "Model.AccessDenied", "", K.AUTH),
    (403, "Workspace.AccessDenied", "", K.AUTH),
    (403, "App.AccessDenied", "", K.AUTH),
    (403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted.", K.BILLING),
    (404, "ModelNotFound", "Model can not be found.", K.MODEL_RETIRED),
    (404, "model_not_found", "", K.MODEL_RETIRED),
    (404, "WorkSpaceNotFound", "", K.AUTH),
    (404, "NotFound", "", K.MODEL_RETIRED),
    (413, "RequestTooLarge", "", K.BAD_REQUEST),
    (429, "Throttling", "Requests throttling triggered.", K.RATE_LIMITED),
    (429, "Throttling.RateQuota", "You have exceeded your request limit.", K.RATE_LIMITED),
    (429, "LimitRequests", "", K.RATE_LIMITED),
    (429, "limit_requests", "", K.RATE_LIMITED),
    (429, "Throttling.BurstRate", "Request rate increased too quickly.", K.RATE_LIMITED),
    (429, "limit_burst_rate", "", K.RATE_LIMITED),
    (429, "Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit.", K.RATE_LIMITED),
    (429, "Throttling.AllocationQuota", "Free allocated quota exceeded.", K.BILLING),
    (429, "Throttling.AllocationQuota", "", K.QUOTA),
    (429, "insufficient_quota", "You exceeded your current quota.", K.QUOTA),
    (429, "insufficient_quota", "Free allocated quota exceeded.", K.BILLING),
    (429, "CommodityNotPurchased", "", K.BILLING),
    (429, "PrepaidBillOverdue", "", K.BILLING),
    (429, "PostpaidBillOverdue", "", K.BILLING),
    (500, "InternalError", "An internal error has occured, try again later", K.OVERLOADED),
    (500, "internal_error", "", K.OVERLOADED),
    (500, "InternalError.Algo", "", K.OVERLOADED),
    (500, "InternalError.Upload", "", K.OVERLOADED),
    (500, "InternalError.FileUpload", "", K.OVERLOADED),
    (500, "SystemError", "", K.OVERLOADED),
    (500, "ModelServiceFailed", "", K.OVERLOADED),
    (500, "RequestTimeOut", "Request timed out, try again later.", K.TIMEOUT_READ),
    (500, "ResponseTimeout", "", K.TIMEOUT_READ),
    (500, "InternalError.Timeout", "", K.TIMEOUT_READ),
    (500, "ModelServingError", "Too many requests. Your requests are being throttled", K.OVERLOADED),
    (503, "ModelServingError", "", K.OVERLOADED),
    (503, "ModelUnavailable", "Model is unavailable, try again later.", K.OVERLOADED),
    (504, None, "gateway timeout", K.TIMEOUT_READ),
]
# What no table lists.
UNLISTED = [
    (200, "SomethingNew", "", K.BAD_RESPONSE),
    (200, "InternalError", "", K.OVERLOADED),  # an error inside a 200 is what its code says
    (302, None, "", K.BAD_RESPONSE),
    (404, "ModelOffline", "", K.MODEL_RETIRED),
    (404, "Gone", "This model was taken offline.", K.MODEL_RETIRED),
    (404, None, "not here", K.BAD_REQUEST),
    (408, None, "", K.TIMEOUT_READ),
    (418, "Teapot", "", K.BAD_REQUEST),
    (429, None, "", K.RATE_LIMITED),
    (429, "Throttling.SomethingNew", "", K.RATE_LIMITED),
    (500, None, "<html>", K.OVERLOADED),
    (502, "SomethingNew", "", K.OVERLOADED),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), DASHSCOPE + UNLISTED)
def test_a_dashscope_refusal_is_decided_by_code_then_message_then_status(
    status: int, code: str | None, message: str, kind: ErrorKind
) -> None:
    failure = dashscope_failure(status, code, message)

    assert (failure.kind, failure.code) == (kind, code)


@pytest.mark.parametrize(
    ("status", "body", "detail", "kind"),
    [
        pytest.param(400, "", "'text' is required", K.BAD_REQUEST, id="text missing"),
        pytest.param(400, "", "Unsupported language: X. Supported: Auto", K.UNSUPPORTED, id="language"),
        pytest.param(400, "", "Unsupported speaker: Cherry. Supported: Vivian", K.UNSUPPORTED, id="speaker"),
        pytest.param(422, "", "body.text: field required", K.BAD_REQUEST, id="validation"),
        pytest.param(401, "modal-http: missing credentials for proxy authorization", None, K.AUTH, id="no key"),
        pytest.param(403, "", None, K.AUTH, id="forbidden"),
        pytest.param(404, "modal-http: no such app", None, K.MODEL_RETIRED, id="no such app"),
        pytest.param(404, "", "Not Found", K.UNSUPPORTED, id="no such path in the app"),
        pytest.param(429, "modal-http: too many", None, K.RATE_LIMITED, id="too many"),
        pytest.param(500, "", "Generation failed: CUDA out of memory", K.OVERLOADED, id="generation failed"),
        pytest.param(503, "modal-http: unavailable", None, K.OVERLOADED, id="unavailable"),
        pytest.param(504, "", None, K.TIMEOUT_READ, id="gateway"),
        pytest.param(202, "", "Job still processing", K.BAD_RESPONSE, id="a status we did not ask for"),
    ],
)
def test_a_refusal_of_the_legacy_path_is_decided_by_status_and_who_answers(
    status: int, body: str, detail: str | None, kind: ErrorKind
) -> None:
    assert modal_failure(status, body, detail).kind is kind


def test_the_platforms_own_errors_are_marked() -> None:
    assert modal_failure(503, "modal-http: gone", None).code == "modal-http"
    assert modal_failure(503, "", "gone").code is None


def test_a_detail_tells_meaning_status_code_and_the_providers_words() -> None:
    failure = dashscope_failure(400, "InvalidParameter", "url error, please check url")

    assert failure.detail == "the request was refused: HTTP 400 InvalidParameter, url error, please check url"


@pytest.mark.parametrize(
    ("message", "hidden"),
    [
        pytest.param(f"Incorrect API key provided: {CANARY}.", CANARY, id="key"),
        pytest.param(f"Authorization: Bearer {CANARY[3:]}", CANARY[3:], id="bearer"),
        pytest.param("cannot read https://oss.example/x.wav?Signature=abc", "abc", id="signed address"),
        pytest.param("OSSAccessKeyId=LTAI123 is gone", "LTAI123", id="access key"),
        pytest.param("bad text: Call me on 0171 5550123 please!", "5550123", id="the caller's words"),
        pytest.param("line\r\nbreak \x1b[31mred \u202eright to left", "\x1b", id="control characters"),
    ],
)
def test_a_detail_never_repeats_what_must_not_be_kept(message: str, hidden: str) -> None:
    private = ("Hello. Call me on 0171 5550123 please!", None)

    for failure in (
        dashscope_failure(400, "InvalidParameter", message, private=private),
        modal_failure(500, message, message, private=private),
    ):
        assert hidden not in failure.detail
        assert failure.detail.isprintable()


def test_short_private_words_hide_a_message_only_when_they_could_be_anybodys_secret() -> None:
    assert "this" in dashscope_failure(400, "X", "what is this", private=("hi",)).detail
    assert "你好" not in dashscope_failure(400, "X", "bad text 你好", private=("你好",)).detail


def test_a_code_or_message_of_millions_is_cut_before_it_takes_time() -> None:
    failure = dashscope_failure(400, "C" * 10_000_000, "x" * 10_000_000, private=("a text of the caller",))

    assert failure.code == "C" * 80
    assert len(failure.detail) < 450
