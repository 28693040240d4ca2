"""Files of blobs that are kept from one query to the next."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from quintet.adapters import dataset_cache
from quintet.adapters.dataset_cache import DatasetCache, DoesNotFit
from quintet.adapters.memory import MemoryBlobs
from quintet.domain.errors import NotFound


def nothing() -> None:
    """No reason to stop."""


class Counted(MemoryBlobs):
    """Blobs that note which parts of them were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, int]] = []

    def fetch(self, name: str, start: int, length: int, path: Path) -> None:
        self.read.append((name, start))
        super().fetch(name, start, length, path)


@pytest.fixture
def blobs() -> Counted:
    """Blobs `a`, `b`, ... of ten bytes each."""
    made = Counted()
    for name in "abcdef":
        made.put(name, name.encode() * 10)
    return made


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of four bytes."""
    monkeypatch.setattr(dataset_cache, "PART_BYTES", 4)


def read(cache: DatasetCache, *names: str) -> list[bytes]:
    """What the files of blobs hold."""
    with cache.files(names, nothing) as files:
        return [path.read_bytes() for path in files]


def test_a_blob_is_fetched_once_in_parts(blobs: Counted, tmp_path: Path) -> None:
    """Also for another process that shares the folder, and after the blob is gone."""
    assert read(DatasetCache(blobs, tmp_path), "a", "b", "a") == [b"a" * 10, b"b" * 10, b"a" * 10]
    assert sorted(blobs.read) == [(name, start) for name in "ab" for start in (0, 4, 8)]
    blobs.drop("a")
    assert read(DatasetCache(blobs, tmp_path), "b", "a") == [b"b" * 10, b"a" * 10]
    assert len(blobs.read) == 6


def test_an_empty_blob_and_a_small_one(blobs: Counted, tmp_path: Path) -> None:
    """Are files too."""
    blobs.put("empty", b"")
    blobs.put("small", b"xyz")

    assert read(DatasetCache(blobs, tmp_path), "small", "empty") == [b"xyz", b""]


def test_what_was_used_last_stays(blobs: Counted, tmp_path: Path) -> None:
    """The oldest make room."""
    cache = DatasetCache(blobs, tmp_path, capacity=30)
    for place, name in enumerate("abc"):
        read(cache, name)
        for path in tmp_path.iterdir():
            if path.read_bytes() == name.encode() * 10:
                os.utime(path, (place, place))
    read(cache, "a")
    read(cache, "d")

    assert sorted(path.read_bytes()[:1] for path in tmp_path.iterdir()) == [b"a", b"c", b"d"]


def test_what_is_in_use_stays_whatever_its_age(blobs: Counted, tmp_path: Path) -> None:
    """For a process that reads it, the folder may grow above its capacity for a while."""
    cache = DatasetCache(blobs, tmp_path, capacity=20)
    with cache.files(["a"], nothing) as [held]:
        os.utime(held, (0, 0))
        read(DatasetCache(blobs, tmp_path, capacity=20), "b", "c")
        assert held.read_bytes() == b"a" * 10
    os.utime(held, (0, 0))
    read(cache, "d")

    assert not held.exists()


def test_more_than_ever_fits(blobs: Counted, tmp_path: Path) -> None:
    """Is refused before anything is fetched."""
    with pytest.raises(DoesNotFit, match="30 bytes; at most 29"):
        read(DatasetCache(blobs, tmp_path, capacity=29), "a", "b", "c")

    assert (list(tmp_path.iterdir()), blobs.read) == ([], [])


def test_a_missing_blob(blobs: Counted, tmp_path: Path) -> None:
    """Leaves nothing half done."""
    with pytest.raises(NotFound):
        read(DatasetCache(blobs, tmp_path), "a", "gone")

    assert not [path for path in tmp_path.iterdir() if "." in path.name]


def test_a_fetch_that_is_stopped(blobs: Counted, tmp_path: Path) -> None:
    """Ends between two parts, and leaves nothing."""
    calls = iter(range(100))

    def check() -> None:
        if next(calls) > 2:
            raise TimeoutError

    with pytest.raises(TimeoutError), DatasetCache(blobs, tmp_path).files(["a", "b", "c"], check):
        pass
    assert not [path for path in tmp_path.iterdir() if "." in path.name]
    assert read(DatasetCache(blobs, tmp_path), "a") == [b"a" * 10]


def test_a_fetch_that_fails(blobs: Counted, tmp_path: Path) -> None:
    """Fails as the first part did, and leaves nothing."""
    fetch = blobs.fetch

    def broken(name: str, start: int, length: int, path: Path) -> None:
        if start:
            raise OSError("reset")
        fetch(name, start, length, path)

    blobs.fetch = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="reset"):
        read(DatasetCache(blobs, tmp_path), "a")
    blobs.fetch = fetch  # type: ignore[method-assign]

    assert list(tmp_path.iterdir()) == []
    assert read(DatasetCache(blobs, tmp_path), "a") == [b"a" * 10]


def test_what_a_dead_process_left_half_done_makes_room(blobs: Counted, tmp_path: Path) -> None:
    """But not what a living one is just fetching."""
    dead, living = tmp_path / "dead.part", tmp_path / "living.part"
    for path in (dead, living):
        path.write_bytes(b"x" * 10)
    os.utime(dead, (0, 0))
    read(DatasetCache(blobs, tmp_path, capacity=20), "a", "b")

    assert (dead.exists(), living.exists()) == (False, True)


def test_many_at_once(blobs: Counted, tmp_path: Path) -> None:
    """Several that fetch, use and remove the same files never see a wrong one."""
    wrong: list[Any] = []

    def work(shift: int) -> None:
        try:
            take_turns(shift)
        except Exception as error:  # noqa: BLE001  # of a thread, which nobody would hear of
            wrong.append(error)

    def take_turns(shift: int) -> None:
        cache = DatasetCache(blobs, tmp_path, capacity=40)
        for turn in range(30):
            names = ["abcdef"[(turn + shift) % 6], "abcdef"[(turn * 5 + shift) % 6]]
            found = read(cache, *names)
            if found != [name.encode() * 10 for name in names]:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(shift,)) for shift in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
