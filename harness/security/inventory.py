"""Who outside this machine gets what: the list in data/security/inventory.toml, held beside settings and code (S8-34).

What a run really contacts is held beside it too, by a test that watches every socket.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, SecretStr
from yarl import URL

from harness.config import Settings
from harness.providers.qwen_region import regions_of
from harness.security.finding import Finding
from harness.security.reach import named_hosts, opening_modules, unpatterned
from harness.security.rule_file import read_rule_file

__all__ = ["INVENTORY", "Inventory", "Service", "inventory_differences", "read_inventory"]

INVENTORY: Final = Path("data", "security", "inventory.toml")  # below the root
_RULE: Final = "S8-34"
_ADDRESS: Final = re.compile(r"(^|_)(url|api|hosts?|webhook)$")
Data = Literal["text", "reference_audio", "voice_description", "audio", "verdict", "nothing"]


class Service(BaseModel):
    """One place that can be talked to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    hosts: tuple[str, ...]  # "*" stands for any part between two dots
    settings: tuple[str, ...]
    keys: tuple[str, ...]
    modules: tuple[str, ...]
    data: tuple[Data, ...]
    processor: str
    region: str  # "as set" when a setting says
    by_default: bool

    def serves(self, host: str) -> bool:
        """Whether a host is one of its own."""
        return any(
            pattern.count(".") == host.count(".") and fnmatchcase(host.lower(), pattern) for pattern in self.hosts
        )


class Inventory(BaseModel):
    """Every place, and what only looks like one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: tuple[Service, ...]
    at_home: Mapping[str, str]  # setting → what it is instead
    named_only: Mapping[str, str]  # host → why it stands in the code

    def service_of(self, host: str) -> Service | None:
        """To whom a host belongs; None when nobody has it."""
        return next((each for each in self.service if each.serves(host)), None)


def read_inventory(root: Path) -> Inventory:
    """The list below `root`.

    Raises:
        ConfigError: It is missing or holds something else.
    """
    return read_rule_file(root / INVENTORY, Inventory, remedy="the comments above the list say what an entry holds")


def inventory_differences(root: Path) -> tuple[Finding, ...]:
    """Everything in which the list is not what settings and code can contact.

    Raises:
        ConfigError: The list is missing or damaged.
        UsageError: A module cannot be read as Python.
    """
    inventory = read_inventory(root)
    problems = [
        *_settings_problems(inventory),
        *_key_problems(inventory),
        *_host_problems(inventory, root),
        *_module_problems(inventory, root),
        *_region_problems(inventory),
    ]
    return tuple(Finding(path=INVENTORY.as_posix(), line=0, rule=_RULE, message=problem) for problem in problems)


def _settings_problems(inventory: Inventory) -> Iterator[str]:
    listed = {name for each in inventory.service for name in each.settings}
    existing = dict(_fields(Settings))
    for name in sorted(set(existing) - listed - set(inventory.at_home)):
        if _ADDRESS.search(name.rpartition(".")[2]):
            yield f"setting {name} says whom to talk to, and no service lists it; add it to one, or to at_home"
    for name in sorted((listed | set(inventory.at_home)) - set(existing)):
        yield f"setting {name} is listed and does not exist; take it out"
    for each in inventory.service:
        is_default = any(each.serves(host) for name in each.settings for host in _hosts_in(existing.get(name)))
        if each.by_default != is_default:
            yield f"{each.name}: by_default is {each.by_default}, the settings' defaults say {is_default}; correct it"


def _key_problems(inventory: Inventory) -> Iterator[str]:
    keys = {name for name, _ in _fields(Settings, secret=True)}
    listed = {name for each in inventory.service for name in each.keys}
    for name in sorted(keys - listed - set(inventory.at_home)):
        yield f"key {name} is listed at no service; say where it goes, or that it stays: at_home"
    for name in sorted(listed - keys):
        yield f"key {name} is listed and is no secret setting; take it out, or make it one"


def _host_problems(inventory: Inventory, root: Path) -> Iterator[str]:
    named = named_hosts(root)
    for host, places in sorted(named.items()):
        if host not in inventory.named_only and not _is_listed(inventory, host):
            yield f"{host} stands in {places[0]} and no service has it; add it to one, or to named_only"
    known = set(named)
    for each in inventory.service:
        for host in sorted(set(each.hosts) - known):
            yield f"{each.name}: {host} stands nowhere in the code; take it out"
    for host in sorted(set(inventory.named_only) - known):
        yield f"named_only: {host} stands nowhere in the code; take it out"


def _is_listed(inventory: Inventory, host: str) -> bool:
    return inventory.service_of(host) is not None or any(host in each.hosts for each in inventory.service)


def _module_problems(inventory: Inventory, root: Path) -> Iterator[str]:
    opening = opening_modules(root)
    listed = {name for each in inventory.service for name in each.modules}
    for name in sorted(opening - listed):
        yield f"{name} opens connections and no service lists it; add it to the one it talks to"
    for name in sorted(listed - opening):
        yield f"{name} is listed and opens no connection; take it out"


def _region_problems(inventory: Inventory) -> Iterator[str]:
    default = Settings.model_fields["qwen"].default
    for each in inventory.service:
        if "qwen.base_url" not in each.settings or each.region == "as set":
            continue
        for host in each.hosts:
            if each.region not in regions_of(f"https://{host}"):
                yield f"{each.name}: {host} does not serve {each.region} (qwen_region.py); correct one of them"
        if each.by_default and each.region != default.region:
            yield f"{each.name}: {each.region} is not qwen.region, {default.region}; correct one of them"


def _fields(model: type[BaseModel], prefix: str = "", *, secret: bool = False) -> Iterator[tuple[str, object]]:
    """Every setting by its name in cutover.toml with its default; with `secret`, those that hold a secret alone."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{prefix}{name}.", secret=secret)
        elif not secret or SecretStr in getattr(field.annotation, "__args__", (field.annotation,)):
            yield prefix + name, field.default


def _hosts_in(default: object) -> list[str]:
    """The hosts that a default names: of an address, a list of hosts, or a pattern for them."""
    if not isinstance(default, str):
        return []
    if "://" in default:
        return [URL(default).host or ""]
    return [unpatterned(each.strip()) for each in default.split(",")]
