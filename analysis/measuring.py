"""What a worker process does: audio out of the store, measured alone or in a pair.

Imported in workers only, it is heavy.
"""

import os

# One thread a process: the pool is as wide as the machine. Numeric libraries read these once, when they are loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = "1"

from pathlib import Path  # noqa: E402 - see above

from analysis.features import Row, measure, unusable  # noqa: E402
from analysis.likeness import compare, incomparable  # noqa: E402
from harness.errors import ErrorKind, StoreError  # noqa: E402
from harness.store.blobs import BlobStore  # noqa: E402

__all__ = ["compare_blobs", "measure_blob"]


def measure_blob(job: tuple[str, str, str]) -> Row:
    """The features of one stored audio.

    Args:
        job: The store's folder, the audio's SHA-256, its extension.

    Returns:
        The columns that `features.measure` gives; or only `lost`, a sentence, when the store does not have the audio
        as it was put there: that is no fault of the audio's.
    """
    root, sha256, extension = job
    try:
        data = BlobStore(Path(root)).get(sha256, extension)
    except StoreError as error:
        return {"lost": str(error)}
    try:
        return measure(data)
    except Exception as error:  # noqa: BLE001 - one audio that trips our own code must not stop the night's other 10,000
        return unusable(ErrorKind.INTERNAL, f"measuring failed: {type(error).__name__}: {error}")


def compare_blobs(job: tuple[str, str, str, str, str]) -> Row:
    """The likeness of two stored audios.

    Args:
        job: The store's folder, SHA-256 and extension of control's audio, SHA-256 and extension of the other's.

    Returns:
        The columns that `likeness.compare` gives; or only `lost`, as `measure_blob` does.
    """
    root, *names = job
    store = BlobStore(Path(root))
    try:
        control, other = store.get(names[0], names[1]), store.get(names[2], names[3])
    except StoreError as error:
        return {"lost": str(error)}
    try:
        return compare(control, other)
    except Exception as error:  # noqa: BLE001 - as above
        return incomparable(ErrorKind.INTERNAL, f"comparing failed: {type(error).__name__}: {error}")
