"""The files of the write-ahead log: checksummed lines, appended in order, read back up to the first torn one.

A folder holds one snapshot, `snapshot-<n>`, and the logs that follow it, `log-<n>`, `log-<n+1>`, ...: each line is the
CRC-32 of a JSON record in hexadecimal, a space and the record. A snapshot is written under another name, synced and
renamed, and its last record says that it is whole; only then are the files before it removed.
"""

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

Record = list[Any]
END: Record = ["end"]


class WalError(Exception):
    """The log can't be opened or read; the message is for the person who started the cloud."""


def line_of(record: Record, default: Any = None) -> bytes:
    """One record as it stands in a file."""
    payload = json.dumps(record, separators=(",", ":"), default=default).encode()
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


def record_of(line: bytes) -> Record | None:
    """The record of a line; None when it is torn or altered."""
    payload = line[9:-1]
    if len(line) < 10 or line[-1:] != b"\n" or line[:9] != b"%08x " % zlib.crc32(payload):
        return None
    found: Record = json.loads(payload)
    return found


def read(path: Path) -> Iterator[tuple[Record, int]]:
    """The whole records from a file's start, each with the position behind it."""
    position = 0
    with path.open("rb") as lines:
        for line in lines:
            record = record_of(line)
            if record is None:
                return
            position += len(line)
            yield record, position


class Folder:
    """The log's folder, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._lock = (path / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise WalError(f"{path} is in use by another local cloud") from None

    def release(self) -> None:
        """Let another process have the folder."""
        self._lock.close()


def numbered(folder: Path, kind: str) -> dict[int, Path]:
    """The folder's files of a kind (`log` or `snapshot`) by number, in order."""
    found = {int(path.name.rpartition("-")[2]): path for path in folder.glob(f"{kind}-[0-9]*")}
    return dict(sorted(found.items()))


def sync_folder(folder: Path) -> None:
    """Make renames and removals in the folder outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def merging(folder: Path) -> Iterator[None]:
    """Hold the right to merge files; a merge that outlived its cloud is waited for."""
    with (folder / "merge").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Appender:
    """The end of one log file. What could not be written is kept and written before anything else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("ab", buffering=0)
        self.size = path.stat().st_size
        self._unwritten = bytearray()

    def append(self, line: bytes) -> None:
        """Hand a line to the system.

        Raises:
            OSError: not all of it was taken (a full disk); it is tried again with the next line.
        """
        self._unwritten += line
        while self._unwritten:
            written = self._file.write(self._unwritten) or 0
            self.size += written
            del self._unwritten[:written]

    def sync(self) -> None:
        """Wait until the disk has what was appended."""
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Sync and close the file."""
        self.sync()
        self._file.close()
