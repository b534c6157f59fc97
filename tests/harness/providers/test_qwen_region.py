import pytest

from harness.config import QwenSettings
from harness.providers.qwen_region import CONFIRMED_REGIONS, regions_of


@pytest.mark.parametrize(
    ("base_url", "regions"),
    [
        ("https://dashscope.aliyuncs.com", ("cn-beijing",)),
        ("https://cn-hongkong.dashscope.aliyuncs.com", ("cn-hongkong",)),
        ("https://ws1.cn-beijing.maas.aliyuncs.com", ("cn-beijing",)),
        ("https://ws1.eu-central-1.maas.aliyuncs.com/", ("eu-central-1",)),
        ("https://cn-beijing.maas.aliyuncs.com", ()),
        ("https://ws1.cn-beijing.maas.aliyuncs.com.evil.test", ()),
        ("http://127.0.0.1:8101", ()),
    ],
)
def test_an_address_tells_its_region_or_nothing(base_url: str, regions: tuple[str, ...]) -> None:
    assert regions_of(base_url) == regions


def test_the_default_address_is_in_the_default_region() -> None:
    settings = QwenSettings()

    assert settings.region == regions_of(settings.base_url)[0]
    assert settings.region in CONFIRMED_REGIONS
