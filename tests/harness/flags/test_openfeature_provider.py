from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from harness.flags.flagset import Flag, FlagSet, Mode
from harness.flags.openfeature_provider import CutoverProvider
from harness.speech import Operation

FLAGS = FlagSet(
    version="v7",
    salt="cutover-1",
    flags={Operation.GENERATE: Flag(mode=Mode.CANARY, share_bp=500, shadow_bp=100, spill_bp=50)},
)


class Fixed:
    def __init__(self, flags: FlagSet) -> None:
        self.flags = flags

    def current(self) -> FlagSet:
        return self.flags


@pytest.fixture
def source() -> Fixed:
    return Fixed(FLAGS)


@pytest.fixture
def client(source: Fixed) -> Iterator[OpenFeatureClient]:
    api.set_provider_and_wait(CutoverProvider(source), "ours")
    yield api.get_client("ours")
    api.clear_providers()


def test_any_openfeature_client_reads_what_is_set(client: OpenFeatureClient) -> None:
    assert client.get_string_value("generate.mode", "?") == "canary"
    assert client.get_integer_value("generate.share_bp", -1) == 500
    assert client.get_integer_value("generate.shadow_bp", -1) == 100
    assert client.get_integer_value("generate.spill_bp", -1) == 50
    assert client.get_string_value("clone.mode", "?") == "legacy"
    assert client.get_string_value("salt", "?") == "cutover-1"
    assert api.get_provider_metadata("ours").name == "cutover"


def test_every_answer_names_the_version_it_is_from(client: OpenFeatureClient, source: Fixed) -> None:
    before = client.get_string_details("generate.mode", "?")
    source.flags = FlagSet(version="v8", salt="cutover-1")
    after = client.get_string_details("generate.mode", "?")

    assert (before.value, before.flag_metadata["version"], before.reason) == ("canary", "v7", Reason.STATIC)
    assert (after.value, after.flag_metadata["version"]) == ("legacy", "v8")


def test_flags_that_cannot_be_used_are_legacy_whatever_default_the_caller_has(
    client: OpenFeatureClient, source: Fixed
) -> None:
    source.flags = FlagSet.all_legacy("flags.toml: is empty")

    details = client.get_string_details("generate.mode", "qwen")

    assert (details.value, details.reason) == ("legacy", Reason.ERROR)
    assert details.flag_metadata["problem"] == "flags.toml: is empty"


@pytest.mark.parametrize("key", ["generate", "generate.", "generate.color", "dub.mode", "mode", ""])
def test_an_unknown_flag_is_not_found(client: OpenFeatureClient, key: str) -> None:
    details = client.get_string_details(key, "mine")

    assert (details.value, details.error_code) == ("mine", ErrorCode.FLAG_NOT_FOUND)


def test_a_flag_of_another_type_is_refused(client: OpenFeatureClient) -> None:
    answers = [
        client.get_boolean_details("generate.mode", True),
        client.get_integer_details("generate.mode", 7),
        client.get_float_details("generate.share_bp", 0.5),
        client.get_string_details("generate.share_bp", "x"),
        client.get_object_details("generate.mode", {"a": 1}),
    ]

    assert {each.error_code for each in answers} == {ErrorCode.TYPE_MISMATCH}
