import base64

from harness.emulators.realtime_events import Spoken, error, event


def test_an_event_has_its_own_id_first() -> None:
    first, second = event("a", x=1), event("a", x=1)

    assert list(first) == ["event_id", "type", "x"]
    assert first["event_id"] != second["event_id"]


def test_an_error_has_a_code_and_words() -> None:
    assert error("No.")["error"] == {"code": "invalid_value", "message": "No."}


def test_all_messages_of_a_response_name_the_same_item() -> None:
    response = Spoken("Cherry")
    messages = [*response.beginning(), response.audio(b"\x01\x02"), *response.ending({"characters": 4})]

    named = {message["response_id"] for message in messages if "response_id" in message}
    items = {message["item_id"] for message in messages if "item_id" in message}
    assert len(named) == len(items) == 1
    assert messages[0]["response"]["id"] in named
    assert base64.b64decode(messages[3]["delta"]) == b"\x01\x02"


def test_a_failed_response_bills_nothing() -> None:
    done = Spoken("Cherry").failure()["response"]

    assert (done["status"], done["usage"], done["output"]) == ("failed", {"characters": 0}, [])
