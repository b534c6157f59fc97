"""Providers of speech: their wire, their money, their failures; and the one way out to them."""

from harness.providers.base import Admission, AudioSink, Deadline, FreeAdmission, PaidCall, Provider
from harness.providers.catalogue import PROVIDERS, open_provider

__all__ = [
    "PROVIDERS",
    "Admission",
    "AudioSink",
    "Deadline",
    "FreeAdmission",
    "PaidCall",
    "Provider",
    "open_provider",
]
