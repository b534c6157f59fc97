import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store.blobs import BlobStore
from harness.store.grouped_blobs import GroupedBlobs

AUDIOS = [f"audio {number}".encode() for number in range(150)]


class Observed(BlobStore):
    """Notes how many blobs came together; the first group is held back until it is let go."""

    def __init__(self, root: Path, *, fails: bool = False) -> None:
        super().__init__(root)
        self.sizes: list[int] = []
        self.go = threading.Event()
        self._fails = fails

    def put_all(self, blobs: Sequence[tuple[bytes, str]]) -> list[str]:
        self.sizes.append(len(blobs))
        assert self.go.wait(10.0)
        if self._fails:
            raise OSError(28, "No space left on device")
        return super().put_all(blobs)


def _files(root: Path) -> list[Path]:
    return list(root.rglob("*.wav"))


async def test_what_arrives_while_a_group_is_written_goes_together_with_the_next(tmp_path: Path) -> None:
    store = Observed(tmp_path)
    grouped = GroupedBlobs(store)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(grouped.put(b"first", "wav"))
        while not store.sizes:
            await asyncio.sleep(0.001)
        others = [group.create_task(grouped.put(audio, "wav")) for audio in AUDIOS]
        await asyncio.sleep(0)
        store.go.set()

    assert store.sizes == [1, 64, 64, 22]
    assert store.get(first.result(), "wav") == b"first"
    assert [store.get(task.result(), "wav") for task in others] == AUDIOS


async def test_a_blob_is_on_disk_when_its_name_comes_back(tmp_path: Path) -> None:
    name = await GroupedBlobs(BlobStore(tmp_path)).put(b"audio", "wav")

    assert BlobStore(tmp_path).get(name, "wav") == b"audio"


async def test_equal_blobs_of_a_group_are_stored_once(tmp_path: Path) -> None:
    grouped = GroupedBlobs(BlobStore(tmp_path))

    names = await asyncio.gather(*(grouped.put(b"audio", "wav") for _ in range(5)))

    assert len(set(names)) == 1
    assert [path.stem for path in _files(tmp_path)] == [names[0]]


async def test_who_is_cancelled_takes_nothing_from_the_others(tmp_path: Path) -> None:
    store = Observed(tmp_path)
    grouped = GroupedBlobs(store)

    async with asyncio.TaskGroup() as group:
        gone = group.create_task(grouped.put(b"gone", "wav"))
        kept = group.create_task(grouped.put(b"kept", "wav"))
        while not store.sizes:
            await asyncio.sleep(0.001)
        gone.cancel()
        await asyncio.sleep(0)
        store.go.set()

    assert store.sizes == [2]
    assert store.get(kept.result(), "wav") == b"kept"
    assert {path.read_bytes() for path in _files(tmp_path)} == {b"gone", b"kept"}


async def test_a_full_disk_is_told_to_everybody_in_the_group_and_to_nobody_after(tmp_path: Path) -> None:
    store = Observed(tmp_path, fails=True)
    store.go.set()
    grouped = GroupedBlobs(store)

    told = await asyncio.gather(*(grouped.put(audio, "wav") for audio in AUDIOS[:3]), return_exceptions=True)
    store._fails = False

    assert [type(error) for error in told] == [StoreError] * 3
    assert "No space left on device; free space, then run the same command" in str(told[0])
    assert store.get(await grouped.put(b"later", "wav"), "wav") == b"later"


async def test_an_extension_that_leads_out_of_the_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not name a blob"):
        await GroupedBlobs(BlobStore(tmp_path)).put(b"audio", "../wav")
