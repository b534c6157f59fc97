"""A TOML file of rules that a check of the gate goes by, read into the model that says what it holds."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import ConfigError

__all__ = ["read_rule_file"]

_Rules = TypeVar("_Rules", bound=BaseModel)


def read_rule_file(path: Path, model: type[_Rules], *, remedy: str) -> _Rules:
    """The rules in `path`.

    Args:
        path: The file.
        model: What it must hold.
        remedy: What to do when it holds something else, in words for a person.

    Raises:
        ConfigError: It is missing or holds something else; says where and the remedy.
    """
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); bring it back from the repository") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{path}: {where}: {problem['msg']}; {remedy}") from None
