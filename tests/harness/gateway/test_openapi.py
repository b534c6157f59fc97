import json
import re

from harness.gateway.bodies import SpeechBody
from harness.gateway.openapi import openapi_document


def test_every_reference_leads_somewhere() -> None:
    document = openapi_document()

    names = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert names
    assert names <= set(document["components"]["schemas"])


def test_the_schema_of_a_body_is_the_model_that_checks_it() -> None:
    schema = openapi_document()["components"]["schemas"]["SpeechBody"]

    assert set(schema["properties"]) == set(SpeechBody.model_fields)
    assert schema["additionalProperties"] is False


def test_the_key_against_paying_twice_says_what_becomes_of_streams() -> None:
    (key,) = openapi_document()["paths"]["/v1/audio/speech"]["post"]["parameters"]

    assert "broke off" in key["description"]
    assert "409" in key["description"]
