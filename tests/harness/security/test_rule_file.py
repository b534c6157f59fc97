from pathlib import Path

import pytest
from pydantic import BaseModel

from harness.errors import ConfigError
from harness.security.rule_file import read_rule_file


class Rules(BaseModel):
    most: int


def test_rules_are_read_into_their_model(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("most = 3\n")

    assert read_rule_file(path, Rules, remedy="write a number") == Rules(most=3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read .*; bring it back from the repository"),
        (b"most = ", "cannot be read .*; bring it back from the repository"),
        (b"most = '\xff'", "cannot be read .*; bring it back from the repository"),
        (b"most = 'many'\n", "rules.toml: most: .*; write a number"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_with_its_remedy(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=words):
        read_rule_file(path, Rules, remedy="write a number")
