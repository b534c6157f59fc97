import base64

import pytest

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.modal_terms import Order, objection_to, order_for
from harness.speech import Operation, Reference, SpeechRequest, Voice, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_request, a_voice
from tests.harness.providers.stubs import a_wav


async def test_a_preset_is_generated_under_the_open_models_spelling(references: BlobStore) -> None:
    order = await order_for(a_request(voice=a_voice(id="Ono Anna"), instructions="whisper"), references)

    assert isinstance(order, Order)
    assert (order.purpose, order.path) == ("speak", "generate")
    assert order.body == {
        "text": "Good morning.",
        "language": "English",
        "speaker": "Ono_Anna",
        "instruct": "whisper",
    }


@pytest.mark.parametrize("operation", [Operation.GENERATE, Operation.CLONE])
async def test_a_made_voice_goes_along_as_its_reference(
    references: BlobStore, anna: Voice, operation: Operation
) -> None:
    order = await order_for(a_request("Hi there.", operation=operation, voice=anna, language=None), references)

    assert isinstance(order, Order)
    assert (order.purpose, order.path) == ("speak", "clone")
    assert base64.b64decode(order.body.pop("ref_audio_base64")) == a_wav(3.0)
    assert order.body == {"text": "Hi there.", "language": "Auto", "ref_text": "I am Anna."}


async def test_a_clone_without_text_says_the_probe(references: BlobStore, anna: Voice) -> None:
    order = await order_for(a_request("", operation=Operation.CLONE, voice=anna, language="fr"), references)

    assert isinstance(order, Order)
    assert order.body["text"] == "Il fait beau aujourd'hui, allons nous promener dans le parc."


async def test_a_designed_voice_speaks_through_the_preview_that_was_kept(references: BlobStore, anna: Voice) -> None:
    voice = a_voice(VoiceKind.DESIGN, reference=anna.reference)

    order = await order_for(a_request(voice=voice), references)

    assert isinstance(order, Order)
    assert (order.path, order.body["ref_text"]) == ("clone", "I am Anna.")


async def test_a_design_is_made_from_its_description(references: BlobStore) -> None:
    order = await order_for(a_request("Welcome.", operation=Operation.DESIGN), references)

    assert isinstance(order, Order)
    assert (order.purpose, order.path) == ("design", "design")
    assert order.body == {"text": "Welcome.", "language": "English", "instruct": "A calm middle-aged narrator."}


async def test_the_callers_words_are_kept_out_of_errors(references: BlobStore, anna: Voice) -> None:
    order = await order_for(a_request("Hi there.", voice=anna), references)

    assert isinstance(order, Order)
    assert order.private == ("Hi there.", "I am Anna.")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(a_request(language="nl"), "language", id="another language"),
        pytest.param(a_request("  "), "no_text", id="only blanks"),
        pytest.param(a_request(instructions="x", voice=a_voice(VoiceKind.CLONE)), "instructions", id="instructions"),
        pytest.param(
            a_request(operation=Operation.DESIGN, voice=a_voice(VoiceKind.DESIGN, description="")),
            "no_description",
            id="no description",
        ),
        pytest.param(
            a_request(voice=a_voice(VoiceKind.DESIGN, reference=None)), "no_reference", id="design without preview"
        ),
        pytest.param(
            a_request(voice=a_voice(VoiceKind.CLONE, reference=Reference(sha256="a" * 64, transcript=None))),
            "no_reference",
            id="no transcript",
        ),
    ],
)
async def test_what_the_legacy_path_cannot_express_is_told_before_it_costs_anything(
    references: BlobStore, request_: SpeechRequest, code: str
) -> None:
    ordered = await order_for(request_, references)

    assert ordered == objection_to(request_)
    assert isinstance(ordered, Failure)
    assert (ordered.kind, ordered.code) == (ErrorKind.UNSUPPORTED, f"local.{code}")


async def test_a_reference_that_is_not_in_the_store_is_told(references: BlobStore) -> None:
    ordered = await order_for(a_request(voice=a_voice(VoiceKind.CLONE)), references)

    assert isinstance(ordered, Failure)
    assert (ordered.kind, ordered.code) == (ErrorKind.BAD_REFERENCE, "local.reference_missing")
