import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.config import PROJECT
from harness.errors import ConfigError
from harness.security import inventory
from harness.security.code_rules import PACKAGES
from harness.security.inventory import INVENTORY, inventory_differences, read_inventory
from harness.security.reach import named_hosts, opening_modules


@pytest.fixture(scope="module")
def reached() -> dict[str, Any]:
    """What the code names and opens; reading all of it takes two seconds."""
    return {"named_hosts": named_hosts(PROJECT), "opening_modules": opening_modules(PROJECT)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The inventory alone, for a test to change."""
    (tmp_path / INVENTORY).parent.mkdir(parents=True)
    shutil.copyfile(PROJECT / INVENTORY, tmp_path / INVENTORY)
    return tmp_path


def change(root: Path, old: str, new: str) -> None:
    text = (root / INVENTORY).read_text()
    assert old in text
    (root / INVENTORY).write_text(text.replace(old, new, 1))


def told(root: Path) -> list[str]:
    return [found.message for found in inventory_differences(root)]


def test_the_inventory_is_what_settings_and_code_can_contact() -> None:
    assert [str(found) for found in inventory_differences(PROJECT)] == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param(
            'settings = ["models.endpoint_url"]', "settings = []", "models.endpoint_url says whom", id="address"
        ),
        pytest.param(
            '"modal.clone_url",', '"modal.klone_url",', "modal.klone_url is listed and does not exist", id="typo"
        ),
        pytest.param('keys = ["models.endpoint_key"]', "keys = []", "models.endpoint_key is listed at no", id="a key"),
        pytest.param(
            'keys = ["models.endpoint_key"]', 'keys = ["qwen.region"]', "qwen.region is listed and is no", id="no key"
        ),
        pytest.param('"gateway.jwt_secret" =', '"gateway.host2" =', "gateway.jwt_secret is listed at no", id="at home"),
        pytest.param('hosts = ["api.github.com"]', "hosts = []", "api.github.com stands in", id="a host"),
        pytest.param("hosts = []", 'hosts = ["old.example.com"]', "old.example.com stands nowhere", id="an old host"),
        pytest.param('"169.254.169.254" =', '"169.254.1.1" =', "169.254.169.254 stands in", id="named only"),
        pytest.param('region = "cn-beijing"', 'region = "us-east-1"', "does not serve us-east-1", id="a wrong region"),
        pytest.param('"harness/gateway/jwks.py"', '"harness/cli.py"', "harness/gateway/jwks.py opens", id="a module"),
        pytest.param(
            '"harness/gateway/jwks.py"', '"harness/cli.py"', "harness/cli.py is listed and opens no", id="none"
        ),
        pytest.param("by_default = true", "by_default = false", "by_default is False", id="a default"),
    ],
)
def test_an_inventory_that_differs_is_told(
    root: Path, reached: dict[str, Any], monkeypatch: pytest.MonkeyPatch, old: str, new: str, words: str
) -> None:
    for name, found in reached.items():
        monkeypatch.setattr(inventory, name, lambda _, found=found: found)
    change(root, old, new)

    assert any(words in each for each in told(root)), told(root)


def test_a_new_way_out_in_the_code_is_told(root: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "*.mp3"))
    (root / "replay" / "new.py").write_text('door = Door(origin=URL("https://new.example.com"))\n')

    assert told(root) == [
        "new.example.com stands in replay/new.py and no service has it; add it to one, or to named_only",
        "replay/new.py opens connections and no service lists it; add it to the one it talks to",
    ]


def test_a_host_belongs_to_the_service_whose_pattern_it_meets_part_by_part() -> None:
    listed = read_inventory(PROJECT)

    def name_of(host: str) -> str | None:
        service = listed.service_of(host)
        return service.name if service else None

    assert name_of("dashscope-intl.aliyuncs.com") == "Qwen API, Singapore"
    assert name_of("dashscope-result-sgp.oss-ap-southeast-1.aliyuncs.com") == "Qwen audio"
    assert name_of("ws-1.eu-central-1.maas.aliyuncs.com") == "Qwen API, a workspace of its own"
    assert name_of("a.b.c.maas.aliyuncs.com") is None
    assert name_of("dashscope-intl.aliyuncs.com.evil.example") is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("service = 3", "service: "),
        ('[[service]]\nname = "x"', r"service\.0\.hosts: Field required"),
        ("[", "cannot be read"),
    ],
)
def test_an_inventory_that_says_something_else_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / INVENTORY).parent.mkdir(parents=True)
    (tmp_path / INVENTORY).write_text(text)

    with pytest.raises(ConfigError, match=wrong):
        read_inventory(tmp_path)
