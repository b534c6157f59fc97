from pathlib import Path

import numpy as np
import pytest

from analysis.models.dnsmos import RATE_HZ, Dnsmos
from tests.analysis.models.smallest import REAL_MODELS, install_small_dnsmos, real
from tests.analysis.sounds import a_noise, a_tone, an_utterance

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture
def small(tmp_path: Path) -> Dnsmos:
    folder = install_small_dnsmos(tmp_path)
    return Dnsmos(folder / "sig_bak_ovr.onnx", folder / "model_v8.onnx")


def test_opinions_are_on_the_scale_of_the_listeners(small: Dnsmos) -> None:
    y = np.full(10 * RATE_HZ, 0.5, np.float32)

    opinions = small.score(y)

    # The small network says 0.5 of everything; the published polynomials make these of it.
    assert opinions["speech"] == pytest.approx(-0.08397278 / 4 + 1.22083953 / 2 + 0.0052439, abs=1e-6)
    assert opinions["background"] == pytest.approx(-0.13166888 / 4 + 1.60915514 / 2 - 0.39604546, abs=1e-6)
    assert opinions["overall"] == pytest.approx(-0.06766283 / 4 + 1.11546468 / 2 + 0.04602535, abs=1e-6)


@pytest.mark.parametrize("seconds", [0.2, 9.5, 60.0])
def test_short_and_long_sounds_are_both_scored(small: Dnsmos, seconds: float) -> None:
    assert set(small.score(a_tone(seconds=seconds))) == {"speech", "background", "overall", "p808"}


def test_a_sound_over_full_scale_is_brought_down_to_it(small: Dnsmos) -> None:
    loud = small.score(a_tone(seconds=10.0) * np.float32(50.0))
    full = small.score(a_tone(seconds=10.0) * np.float32(1.0 / 0.1414213))

    assert loud["speech"] == pytest.approx(full["speech"], abs=1e-3)


@real("dnsmos")
def test_the_real_networks_hear_noise_in_the_background() -> None:
    real_ = Dnsmos(REAL_MODELS / "dnsmos" / "sig_bak_ovr.onnx", REAL_MODELS / "dnsmos" / "model_v8.onnx")
    clean = np.tile(an_utterance(8), 3)
    noisy = clean + np.resize(a_noise(4.0, level_db=-25.0), len(clean))

    assert real_.score(clean)["background"] > real_.score(noisy)["background"] + 0.5


@real("dnsmos")
def test_the_real_networks_say_what_speechmos_makes_them_say() -> None:
    speechmos = pytest.importorskip("speechmos.dnsmos", reason="speechmos is not installed")
    real_ = Dnsmos(REAL_MODELS / "dnsmos" / "sig_bak_ovr.onnx", REAL_MODELS / "dnsmos" / "model_v8.onnx")
    y = np.tile(an_utterance(8), 3)[: round(10.9 * RATE_HZ)]

    ours, theirs = real_.score(y), speechmos.run(y, RATE_HZ)

    names = {"speech": "sig_mos", "background": "bak_mos", "overall": "ovrl_mos", "p808": "p808_mos"}
    assert {name: ours[name] for name in names} == pytest.approx({k: theirs[v] for k, v in names.items()}, abs=1e-4)
