"""Our flags for others: an OpenFeature provider, so that any OpenFeature client reads what is set here.

    <operation>.mode                         string
    <operation>.share_bp|shadow_bp|spill_bp  integer
    salt                                     string

Values are what people set. What a request really gets depends on the kill switch, the rollout and health as well, and
is the router's to say.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from harness.flags.flagset import FlagSet, FlagSource
from harness.speech import Operation

__all__ = ["FIELDS", "CutoverProvider"]

FIELDS: Final = ("mode", "share_bp", "shadow_bp", "spill_bp")

Plain = TypeVar("Plain", bool, str, int, float)
Nested = Sequence[FlagValueType] | Mapping[str, FlagValueType]


class CutoverProvider(AbstractProvider):
    """Answers from a flag source; the version of the flags is in the metadata of every answer."""

    def __init__(self, source: FlagSource) -> None:
        super().__init__()
        self._source = source

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(name="cutover")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """A mode, or the salt."""
        return self._resolve(flag_key, str)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """A share in basis points."""
        return self._resolve(flag_key, int)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """No flag of ours is a boolean."""
        return self._resolve(flag_key, bool)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """No flag of ours is a float."""
        return self._resolve(flag_key, float)

    def resolve_object_details(
        self, flag_key: str, default_value: Nested, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Nested]:
        """No flag of ours is an object."""
        _value(self._source.current(), flag_key)
        raise TypeMismatchError(f"{flag_key} is no object")

    def _resolve(self, key: str, kind: type[Plain]) -> FlagResolutionDetails[Plain]:
        flags = self._source.current()
        value = _value(flags, key)
        if not isinstance(value, kind):
            raise TypeMismatchError(f"{key} is no {kind.__name__}")
        metadata: dict[str, bool | int | float | str] = {"version": flags.version}
        if flags.problem:
            metadata["problem"] = flags.problem
        # With an error code the client would hand out its caller's default, which need not be the safe value.
        return FlagResolutionDetails(
            value=kind(value), reason=Reason.ERROR if flags.problem else Reason.STATIC, flag_metadata=metadata
        )


def _value(flags: FlagSet, key: str) -> str | int:
    """The value under `key`; the client answers an unknown one with its caller's default."""
    if key == "salt":
        return flags.salt
    operation, _, field = key.partition(".")
    if operation not in set(Operation) or field not in FIELDS:
        raise FlagNotFoundError(f"{key} is not a flag; use <{'|'.join(Operation)}>.<{'|'.join(FIELDS)}> or salt")
    value: str | int = getattr(flags.flag(Operation(operation)), field)
    return value
