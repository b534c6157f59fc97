"""Which region of Qwen an address belongs to: keys, voices, prices and consent are bound to it (providers.md A1)."""

import re
from types import MappingProxyType
from typing import Final

from yarl import URL

__all__ = ["CONFIRMED_REGIONS", "regions_of"]

CONFIRMED_REGIONS: Final = ("ap-southeast-1", "cn-beijing")  # speech in the other four is documented nowhere

_SHARED: Final = MappingProxyType(
    {
        "dashscope.aliyuncs.com": ("cn-beijing",),
        "dashscope-intl.aliyuncs.com": ("ap-southeast-1", "us-east-1", "eu-central-1", "ap-northeast-1"),
        "cn-hongkong.dashscope.aliyuncs.com": ("cn-hongkong",),
    }
)
_WORKSPACE: Final = re.compile(r"[^.]+\.([a-z0-9-]+)\.maas\.aliyuncs\.com")


def regions_of(base_url: str) -> tuple[str, ...]:
    """The regions that an address can stand for; empty when it tells none, as a stand-in's."""
    host = URL(base_url).host or ""
    workspace = _WORKSPACE.fullmatch(host)
    return (workspace[1],) if workspace else _SHARED.get(host, ())
