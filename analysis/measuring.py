"""What a worker process does: one audio out of the store, measured. Imported in workers only, it is heavy."""

import os

# One thread a process: the pool is as wide as the machine. Numeric libraries read these once, when they are loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = "1"

from pathlib import Path  # noqa: E402 - see above

from analysis.features import Row, measure, unusable  # noqa: E402
from harness.errors import ErrorKind, StoreError  # noqa: E402
from harness.store.blobs import BlobStore  # noqa: E402

__all__ = ["measure_blob"]


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
