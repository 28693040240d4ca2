"""Blobs of datasets as files of this machine: fetched in parts side by side, kept while there is room.

Blobs never change, so a file is as good as its blob for ever. The folder may be shared by several processes: a file that is in use is
locked, and only what is not may be removed.
"""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

from quintet.services.ports.world import Blobs

PART_BYTES = 64 * 1024 * 1024
FETCHERS = 4
FOOTER_BYTES = 64 * 1024
LONGEST_FOOTER_BYTES = 64 * 1024 * 1024
CAPACITY = 6 * 1024**3
MOST_HELD = 300
"""Files of one query that are locked: a function may have 1,024 open in all. The others are only safe where no other process is."""
STALE_SECONDS = 900.0
"""After so long a file that is still being fetched is one that a dead process left."""


class DoesNotFit(Exception):
    """The blobs of one query are larger than the folder may become."""


class DatasetCache:
    """The files of blobs, those used last."""

    def __init__(self, blobs: Blobs, folder: Path | None = None, capacity: int = CAPACITY) -> None:
        """At most `capacity` bytes are kept in `folder`, which is made in the machine's folder for temporary files when none is given."""
        self._blobs = blobs
        self._folder = folder or Path(tempfile.gettempdir()) / "quintet-datasets"
        self._capacity = capacity

    @contextmanager
    def files(self, names: Sequence[str], check: Callable[[], None]) -> Iterator[list[Path]]:
        """The blobs' files, in order, which stay as long as this is entered. `check` is called between parts, and may raise.

        Raises NotFound, DoesNotFit.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as held:
            found = {name: self._folder / hashlib.sha256(name.encode()).hexdigest() for name in names}
            missing = dict(found)
            free = MOST_HELD

            def there(path: Path) -> bool:
                nonlocal free
                if free <= 0:
                    return path.exists()
                free -= (kept := _hold(path, held))
                return kept

            # Another process may remove a file between its fetch and the moment it is held: then again.
            while missing := {name: path for name, path in missing.items() if not there(path)}:
                self._fetch(missing, check)
            yield [found[name] for name in names]

    def footers(self, names: Sequence[str], folder: Path, check: Callable[[], None]) -> list[tuple[Path, int]]:
        """Files that hold of the blobs, Parquet ones, only what stands at their ends: their columns and counts; with the blobs' sizes.

        Raises NotFound.
        """
        folder.mkdir()

        def fetch(task: tuple[int, str]) -> tuple[Path, int]:
            check()
            place, name = task
            size = self._blobs.size(name)
            tail = self._blobs.part(name, max(0, size - FOOTER_BYTES), FOOTER_BYTES)
            length = int.from_bytes(tail[-8:-4], "little") + 8
            if FOOTER_BYTES < length <= min(size, LONGEST_FOOTER_BYTES):
                tail = self._blobs.part(name, size - length, length)
            path = folder / str(place)
            with path.open("wb") as file:
                file.truncate(size)
                os.pwrite(file.fileno(), tail, size - len(tail))
            return path, size

        with ThreadPoolExecutor(FETCHERS) as pool:
            return list(pool.map(fetch, enumerate(names)))

    def _fetch(self, wanted: dict[str, Path], check: Callable[[], None]) -> None:
        with ThreadPoolExecutor(FETCHERS) as pool:
            sizes = dict(zip(wanted, pool.map(self._blobs.size, wanted), strict=True))
            self._make_room(sum(sizes.values()))
            small = [name for name in wanted if sizes[name] <= PART_BYTES]
            _all(pool, [partial(self._fetch_one, name, sizes[name], wanted[name], _in_turn, check) for name in small])
            for name in wanted.keys() - set(small):
                self._fetch_one(name, sizes[name], wanted[name], partial(_all, pool), check)

    def _fetch_one(self, name: str, size: int, path: Path, do_all: "DoAll", check: Callable[[], None]) -> None:
        unfinished = path.with_name(f"{path.name}.{uuid4().hex}")
        try:
            unfinished.touch(exist_ok=False)

            def fetch(start: int) -> None:
                check()
                self._blobs.fetch(name, start, PART_BYTES, unfinished)

            do_all([partial(fetch, start) for start in range(0, size, PART_BYTES)])
            # Not over a file that another has fetched meanwhile, and that is in use already.
            with suppress(FileExistsError):
                path.hardlink_to(unfinished)
        finally:
            with suppress(FileNotFoundError):
                unfinished.unlink()

    def _make_room(self, needed: int) -> None:
        if needed > self._capacity:
            raise DoesNotFit(f"{needed} bytes; at most {self._capacity} fit into the function")
        kept = [(path, status) for path in self._folder.iterdir() if (status := _status(path))]
        excess = needed - self._capacity + sum(status.st_size for _, status in kept)
        for path, status in sorted(kept, key=lambda one: one[1].st_mtime):
            if excess <= 0:
                break
            if _remove(path, status):
                excess -= status.st_size


DoAll = Callable[[list[Callable[[], None]]], None]


def _in_turn(tasks: list[Callable[[], None]]) -> None:
    for task in tasks:
        task()


def _all(pool: ThreadPoolExecutor, tasks: list[Callable[[], None]]) -> None:
    """Does the tasks side by side; raises what the first failed with, once none is under way any more."""
    begun = [pool.submit(task) for task in tasks]
    failed = wait(begun, return_when=FIRST_EXCEPTION).not_done
    for task in failed:
        task.cancel()
    wait(begun)
    for task in begun:
        if not task.cancelled():
            task.result()


def _hold(path: Path, held: ExitStack) -> bool:
    """Keeps a file from being removed; False when it is not there."""
    try:
        file = held.enter_context(path.open("rb"))
    except FileNotFoundError:
        return False
    fcntl.flock(file, fcntl.LOCK_SH)
    os.utime(file.fileno())
    return _is(path, file.fileno())


def _is(path: Path, descriptor: int) -> bool:
    """True while the open file is the one of that name: it may be another by the time that it is locked."""
    status = _status(path)
    return status is not None and status.st_ino == os.fstat(descriptor).st_ino


def _remove(path: Path, status: os.stat_result) -> bool:
    if "." in path.name and time.time() - status.st_mtime < STALE_SECONDS:  # still being fetched
        return False
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if _is(path, file.fileno()):
            path.unlink()
    return True


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
