import dataclasses

import pytest

from replay.importers.exchanges import HttpReply
from tests.traffic import an_exchange


def test_an_exchange_cannot_be_changed_on_its_way() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        an_exchange().body = b""  # type: ignore[misc]


def test_a_reply_knows_no_error_unless_it_is_told() -> None:
    assert HttpReply(status=200, content_type="", body=None).error is None
