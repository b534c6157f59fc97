"""Settings: environment `CUTOVER_…`, then `cutover.toml`, then defaults. The only reader of the environment.

A misspelt name stops the start and names the valid ones; a key is never printed.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from harness.errors import ConfigError
from harness.sections import (
    PROJECT,
    CaptureSettings,
    FlagSettings,
    GatewaySettings,
    LimitSettings,
    ModalDialect,
    ModalSettings,
    ModelSettings,
    NightlySettings,
    OwnQuotaSettings,
    QuotaSettings,
    QwenDelivery,
    QwenSettings,
    ReplaySettings,
    ShadowSettings,
)

__all__ = [
    "PROJECT",
    "CaptureSettings",
    "FlagSettings",
    "GatewaySettings",
    "LimitSettings",
    "ModalDialect",
    "ModalSettings",
    "ModelSettings",
    "NightlySettings",
    "OwnQuotaSettings",
    "QuotaSettings",
    "QwenDelivery",
    "QwenSettings",
    "ReplaySettings",
    "Settings",
    "ShadowSettings",
]

_PREFIX: Final = "CUTOVER_"


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = PROJECT / "data" / "local"  # all that is made at run time
    prices: Path = PROJECT / "data" / "prices.toml"
    thresholds: Path = PROJECT / "data" / "thresholds.toml"
    rollout_rules: Path = PROJECT / "data" / "rollout.toml"  # triggers, breakers, spend caps of the live path
    allow_hosts: Annotated[frozenset[str], NoDecode] = frozenset()  # host:port of local stand-ins
    kill: bool = False  # nothing is sent while it is on; so does a file KILL under home
    qwen: QwenSettings = QwenSettings()
    modal: ModalSettings = ModalSettings()
    replay: ReplaySettings = ReplaySettings()
    capture: CaptureSettings = CaptureSettings()
    flags: FlagSettings = FlagSettings()
    models: ModelSettings = ModelSettings()
    gateway: GatewaySettings = GatewaySettings()
    nightly: NightlySettings = NightlySettings()

    @field_validator("allow_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(filter(None, (part.strip() for part in value.split(","))))
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then `cutover.toml` in the working folder or the project."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _toml_file()))

    @classmethod
    def load(cls) -> "Settings":
        """The settings in force.

        Raises:
            ConfigError: A name is misspelt or a value unusable; says which and what is valid.
        """
        _refuse_unknown_variables(os.environ)
        try:
            settings = cls()
            _refuse_open_keys(_toml_file())
        except ValidationError as error:
            raise ConfigError(_first_problem(error)) from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{_toml_file()}: not valid TOML: {error}") from None
        dashscope_key = os.environ.get("DASHSCOPE_API_KEY")
        if settings.qwen.api_key is None and dashscope_key:
            qwen = settings.qwen.model_copy(update={"api_key": SecretStr(dashscope_key)})
            settings = settings.model_copy(update={"qwen": qwen})
        return settings


def _toml_file() -> Path:
    """`cutover.toml` of the working folder, else of the project."""
    here = Path("cutover.toml")
    return here if here.exists() else PROJECT / "cutover.toml"


def _refuse_open_keys(path: Path) -> None:
    """Stop at a settings file that holds a key and that others can read."""
    if not path.exists() or not path.stat().st_mode & 0o077:
        return
    held = _held_keys(Settings, tomllib.loads(path.read_text(encoding="utf-8")))
    if held:
        raise ConfigError(f"{path}: holds {held[0]}, and others can read it; run: chmod 600 {path}")


def _held_keys(model: type[BaseModel], table: Mapping[str, Any]) -> list[str]:
    """Names of the keys that are set in a table of settings."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += [f"{name}.{key}" for key in _held_keys(field.annotation, table.get(name, {}))]
        elif name in table and SecretStr in get_args(field.annotation):
            found.append(name)
    return found


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Every variable that sets something in `model`."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name}".upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{variable}__")
        else:
            yield variable


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    """Stop at a misspelt variable: pydantic-settings would pass over it without a word."""
    valid = sorted(_names(Settings, _PREFIX))
    for variable in sorted(environ):
        if variable.upper().startswith(_PREFIX) and variable.upper() not in valid:
            section = re.match(r"CUTOVER_([A-Z]+__)?", variable.upper())
            near = [name for name in valid if section and name.startswith(section[0])] or valid
            raise ConfigError(f"environment: {variable} is not a setting; valid ones are {', '.join(near)}")


def _first_problem(error: ValidationError) -> str:
    """The first thing pydantic found wrong, as one sentence that holds no value."""
    problem: Any = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    variable = _PREFIX + "__".join(str(part) for part in problem["loc"]).upper()
    if problem["type"] == "extra_forbidden":
        valid = sorted(_names(Settings, _PREFIX))
        options = ", ".join(name.removeprefix(_PREFIX).lower().replace("__", ".") for name in valid)
        return f"cutover.toml: {where} is not a setting; valid ones are {options}"
    return f"{variable} (in the environment or cutover.toml): {problem['msg']}"
