"""JSON from strangers: an object, or why it is none. Never a crash, however deep, long or odd it is."""

import json
from typing import Any, Final, NoReturn

from replay.importers.records import Unusable

__all__ = ["load_object", "text_at"]


def _refuse(_: str) -> NoReturn:
    raise ValueError


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


def load_object(data: bytes | str, *, what: str = "the body") -> dict[str, Any]:
    """The JSON object in `data`.

    Raises:
        Unusable: It is no JSON object in UTF-8, or holds what JSON cannot (NaN, a number of thousands of digits).
    """
    try:
        value = _DECODER.decode(data.decode() if isinstance(data, bytes) else data)
    except UnicodeDecodeError:
        raise Unusable(f"{what} is not UTF-8") from None
    except RecursionError:
        raise Unusable(f"{what} is JSON nested too deep") from None
    except ValueError:
        raise Unusable(f"{what} is no sound JSON") from None
    if not isinstance(value, dict):
        raise Unusable(f"{what} is JSON and no object")
    return value


def text_at(fields: dict[str, Any], *names: str) -> str | None:
    """The first of these fields that is there and not null.

    Raises:
        Unusable: It is not a text.
    """
    for name in names:
        value = fields.get(name)
        if value is not None:
            if not isinstance(value, str):
                raise Unusable(f'"{name}" is not a text')
            return value
    return None
