"""Refusals that can be injected: every code of providers.md A7 at Qwen, and the platform's own errors at Modal."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["PLATFORM_REFUSALS", "QWEN_REFUSALS", "Refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An answer in place of the work."""

    status: int
    code: str | None  # None: `message` is the whole body, as a gateway's plain text
    message: str


def _refused(status: int, code: str, message: str) -> Refused:
    return Refused(status=status, code=code, message=message)


_ACCESS: Final = "Access denied, make sure your account is in good standing."
_DOWN: Final = "An internal error has occured, please try again later."  # the service's own spelling

QWEN_REFUSALS: Final = MappingProxyType(
    {
        # 429 that passes by itself
        "throttling": _refused(429, "Throttling", "Requests throttling triggered."),
        "rate-quota": _refused(429, "Throttling.RateQuota", "You have exceeded your request limit."),
        "rate-quota-openai": _refused(429, "limit_requests", "Requests rate limit exceeded, please try again later."),
        "burst-rate": _refused(
            429,
            "Throttling.BurstRate",
            "Request rate increased too quickly. To ensure system stability, please adjust your client logic to scale"
            " requests more smoothly over time.",
        ),
        "allocation-quota": _refused(429, "Throttling.AllocationQuota", "Allocated quota exceeded."),
        # 429 that is a bill
        "free-quota": _refused(429, "Throttling.AllocationQuota", "Free allocated quota exceeded."),
        "insufficient-quota": _refused(429, "insufficient_quota", "Free allocated quota exceeded."),
        "not-purchased": _refused(429, "CommodityNotPurchased", "Commodity has not purchased yet."),
        "prepaid-overdue": _refused(429, "PrepaidBillOverdue", "The prepaid bill is overdue."),
        "postpaid-overdue": _refused(429, "PostpaidBillOverdue", "The postpaid bill is overdue."),
        # other refusals for good
        "arrearage": _refused(400, "Arrearage", _ACCESS),
        "free-tier-only": _refused(
            403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted."
        ),
        "voice-storage": _refused(
            400,
            "Throttling.AllocationQuota",
            "Maximum voice storage limit exceeded, please delete existing voices.",
        ),
        "content": _refused(400, "DataInspectionFailed", "Input or output data may contain inappropriate content."),
        "invalid-parameter": _refused(
            400,
            "InvalidParameter",
            "Required parameter(text) missing or invalid, check the request parameters.",
        ),
        "bad-key": _refused(401, "InvalidApiKey", "Invalid API-key provided."),
        "access-denied": _refused(403, "AccessDenied", "Access denied."),
        "unpurchased": _refused(403, "AccessDenied.Unpurchased", "Access to model denied."),
        "model-gone": _refused(404, "ModelNotFound", "Model can not be found."),
        # the service's own trouble
        "internal-error": _refused(500, "InternalError", _DOWN),
        "algorithm-error": _refused(500, "InternalError.Algo", _DOWN),
        "request-timeout": _refused(500, "RequestTimeOut", "Request timed out, please try again later."),
        "no-capacity": _refused(
            503,
            "ModelServingError",
            "Too many requests. Your requests are being throttled due to system capacity limits.",
        ),
        "unavailable": _refused(503, "ModelUnavailable", "Model is unavailable, please try again later."),
        "bad-gateway": Refused(status=502, code=None, message="<html><h1>502 Bad Gateway</h1></html>"),
        "gateway-timeout": Refused(status=504, code=None, message="upstream request timeout"),
    }
)

# Of the platform's own words only those of the 401 are documented (providers.md B1, F): the form is, the rest is ours.
PLATFORM_REFUSALS: Final = MappingProxyType(
    {
        "platform-401": Refused(
            status=401, code=None, message="modal-http: missing credentials for proxy authorization"
        ),
        "platform-404": Refused(status=404, code=None, message="modal-http: app for invoked web endpoint is stopped"),
        "platform-429": Refused(status=429, code=None, message="modal-http: rate limit exceeded"),
        "platform-500": Refused(status=500, code=None, message="modal-http: internal error"),
        "platform-503": Refused(status=503, code=None, message="modal-http: no container available"),
        "gateway-timeout": Refused(status=504, code=None, message="upstream request timeout"),
        "app-error": _refused(500, "detail", "Generation failed: CUDA error: an illegal memory access was encountered"),
    }
)
