import hashlib
import tomllib
from pathlib import Path

import pytest

from harness.config import QwenDelivery, QwenSettings
from harness.errors import ConfigError
from harness.providers.pricing import PriceList
from tests.harness.providers.stubs import PRICES

ROW = """
[[price]]
provider = "qwen"
region = "r"
item = "m"
unit = "characters"
usd = 0.1
per = 10_000
as_of = 2026-01-01
source = "a page"
"""


def a_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    return path


def test_the_price_file_that_ships_knows_what_the_default_settings_need() -> None:
    prices = PriceList.load(PRICES)

    assert prices.microusd("qwen", "ap-southeast-1", "qwen3-tts-flash", "characters", 10_000) == 100_000
    assert prices.microusd("qwen", "ap-southeast-1", "qwen3-tts-vc-2026-01-22", "characters", 800) == 9_200
    assert prices.microusd("qwen", "ap-southeast-1", "qwen-voice-enrollment", "voices", 1) == 10_000
    assert prices.microusd("qwen", "ap-southeast-1", "qwen-voice-design", "voices", 1) == 200_000
    assert prices.microusd("modal", "us-east", "A10G", "gpu_s", 87.6) == 26_806


def test_the_version_is_the_hash_of_the_file() -> None:
    assert PriceList.load(PRICES).version == hashlib.sha256(PRICES.read_bytes()).hexdigest()


def test_an_unknown_price_is_none_and_never_zero(tmp_path: Path) -> None:
    prices = PriceList.load(a_file(tmp_path, f"schema = 1\n{ROW}"))

    assert prices.microusd("qwen", "r", "another", "characters", 1) is None
    assert prices.microusd("qwen", "elsewhere", "m", "characters", 1) is None
    assert prices.microusd("qwen", "r", "m", "voices", 1) is None


def test_a_cost_is_rounded_up_to_whole_micro_dollars_without_a_float_in_between(tmp_path: Path) -> None:
    prices = PriceList.load(a_file(tmp_path, f"schema = 1\n{ROW.replace('0.1', '0.115')}"))

    assert prices.microusd("qwen", "r", "m", "characters", 1) == 12  # 11.5
    assert prices.microusd("qwen", "r", "m", "characters", 2) == 23  # exactly, where a float says 23.000000000000004
    assert prices.microusd("qwen", "r", "m", "characters", 0) == 0


def test_a_region_of_its_own_comes_before_the_price_for_everywhere(tmp_path: Path) -> None:
    anywhere = ROW.replace('region = "r"', 'region = "*"').replace("0.1", "0.2")
    prices = PriceList.load(a_file(tmp_path, f"schema = 1\n{ROW}{anywhere}"))

    assert prices.microusd("qwen", "r", "m", "characters", 10_000) == 100_000
    assert prices.microusd("qwen", "s", "m", "characters", 10_000) == 200_000


@pytest.mark.parametrize("units", [-1.0, float("nan"), float("inf")])
def test_units_that_cannot_be_bought_are_refused(tmp_path: Path, units: float) -> None:
    prices = PriceList.load(a_file(tmp_path, f"schema = 1\n{ROW}"))

    with pytest.raises(ValueError, match="cannot be priced"):
        prices.microusd("qwen", "r", "m", "characters", units)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(ROW, "schema is None", id="no schema"),
        pytest.param("schema = 1", "has no [[price]]", id="no rows"),
        pytest.param(f"schema = 1\ncurrency = 'EUR'\n{ROW}", "currency is not known", id="unknown key of the file"),
        pytest.param(f"schema = 1\n{ROW}usdd = 1\n", "number 1, key usdd", id="unknown key of a row"),
        pytest.param(f"schema = 1\n{ROW}{ROW.replace('usd = 0.1', '')}", "number 2, key usd", id="missing key"),
        pytest.param(f"schema = 1\n{ROW.replace('0.1', '0')}", "key usd", id="free"),
        pytest.param(f"schema = 1\n{ROW.replace('0.1', '-0.1')}", "key usd", id="negative"),
        pytest.param(f"schema = 1\n{ROW.replace('0.1', 'nan')}", "key usd", id="no number"),
        pytest.param(f"schema = 1\n{ROW.replace('10_000', '0')}", "key per", id="per nothing"),
        pytest.param(f"schema = 1\n{ROW.replace('characters', 'words')}", "key unit", id="unknown unit"),
        pytest.param(f"schema = 1\n{ROW}{ROW}", "a second time", id="priced twice"),
        pytest.param("schema = 1\nprice = 3", "has no [[price]]", id="no table"),
        pytest.param("schema = [", "not valid TOML", id="no TOML"),
    ],
)
def test_an_unusable_price_file_is_told_with_file_row_and_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"prices\.toml") as refused:
        PriceList.load(a_file(tmp_path, text))

    assert told in str(refused.value)


def test_a_missing_price_file_is_told_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CUTOVER_PRICES"):
        PriceList.load(tmp_path / "none.toml")


def test_a_price_that_no_source_names_is_unknown_here_and_not_that_of_everywhere(tmp_path: Path) -> None:
    anywhere = ROW.replace('region = "r"', 'region = "*"')
    here = ROW.replace("0.1", '"unknown"')
    prices = PriceList.load(a_file(tmp_path, f"schema = 1\n{here}{anywhere}"))

    assert prices.microusd("qwen", "r", "m", "characters", 1) is None
    assert prices.microusd("qwen", "elsewhere", "m", "characters", 1) == 10


def test_a_price_of_another_currency_shows_what_was_listed(tmp_path: Path) -> None:
    told = PriceList.load(a_file(tmp_path, f'schema = 1\n{ROW}currency = "CNY"\nlisted = 0.8\n'))

    price = told.find("qwen", "r", "m", "characters")
    assert price is not None
    assert (price.currency, str(price.listed), str(price.usd)) == ("CNY", "0.8", "0.1")
    with pytest.raises(ConfigError, match=r"number 1.*a price in CNY needs `listed`"):
        PriceList.load(a_file(tmp_path, f'schema = 1\n{ROW}currency = "CNY"\n'))


@pytest.mark.parametrize("region", ["ap-southeast-1", "cn-beijing"])
@pytest.mark.parametrize("delivery", list(QwenDelivery))
def test_every_model_of_the_settings_has_a_row_in_both_regions_be_its_price_known_or_not(
    region: str, delivery: QwenDelivery
) -> None:
    prices = PriceList.load(PRICES)
    chosen = QwenSettings.model_validate({"delivery": delivery})
    models = [chosen.generate_model, chosen.instruct_model, chosen.clone_model, chosen.design_model]

    assert [model for model in models if prices.find("qwen", region, model, "characters") is None] == []


def test_the_conversions_of_the_shipped_file_are_at_one_rate() -> None:
    rows = tomllib.loads(PRICES.read_text())["price"]
    rates = {round(row["listed"] / row["usd"], 2) for row in rows if row.get("currency", "USD") != "USD"}

    assert rates == {6.98}


def test_the_first_models_are_billed_by_tokens() -> None:
    prices = PriceList.load(PRICES)

    tokens = {"input_tokens": 1_000, "output_tokens": 1_000_000}

    assert prices.tokens_microusd("qwen", "cn-beijing", "qwen-tts", tokens) == 230 + 1_434_000
    assert prices.tokens_microusd("qwen", "ap-southeast-1", "qwen-tts", tokens) is None
