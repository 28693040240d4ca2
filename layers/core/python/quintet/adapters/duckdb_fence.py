"""What stands around a query in DuckDB: no way out of its files, an end to its time.

Everything a query may read is put into its database first; then external access is closed but for exactly its files, and the
configuration is locked, before anything of the query is executed.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from quintet.adapters.duckdb_types import literal
from quintet.domain.errors import NotFound
from quintet.services.ports.world import Blobs

MESSAGE = 2000
SPILL_BYTES = 2 * 1024**3
GRACE_SECONDS = 10.0
"""What a query that is to stop gets, before its process ends: not all that DuckDB does heeds an interruption."""
LEASH_SECONDS = 1.0
_TURN_SECONDS = 0.1
_ADVICE = re.compile(r"\n\s*(?:Stack Trace:|Possible (?:fixes|solutions):|The search space used|Try setting)")

log = logging.getLogger(__name__)


class SqlFault(Exception):
    """The query can't be answered: `type` is BadSql, SqlError, BadInput, Timeout, Stopped, OutOfMemory or TooLarge."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_

    def to_dict(self) -> dict[str, Any]:
        """The function's answer."""
        return {"ok": False, "error": {"type": self.type, "message": str(self)}}


def close_up(connection: Any, folder: Path, files: Collection[Path], out: Path | None = None) -> None:
    """Nothing beyond this line can reach a file but `files` and those in `out`, the network, an extension, Python's variables or the
    settings. What does not fit into memory goes to `folder`."""
    listed = ", ".join(literal(str(path)) for path in files)
    for setting in (
        f"temp_directory={literal(str(folder / 'spill'))}",
        f"secret_directory={literal(str(folder / 'secrets'))}",
        f"max_temp_directory_size='{SPILL_BYTES}B'",
        f"allowed_paths=[{listed}]",
        f"allowed_directories=[{'' if out is None else literal(str(out))}]",
        "python_enable_replacements=false",
        "autoinstall_known_extensions=false",
        "autoload_known_extensions=false",
        "allow_community_extensions=false",
        "TimeZone='UTC'",
        "enable_external_access=false",
        "lock_configuration=true",
    ):
        connection.execute(f"SET {setting}")


class Watch:
    """Interrupts what takes too long, or is told to stop: by a blob, its leash, that it looks for every second."""

    def __init__(
        self,
        seconds: float,
        blobs: Blobs,
        leash: str | None = None,
        grace: float = GRACE_SECONDS,
        end_process: Callable[[int], Any] = os._exit,
    ) -> None:
        self._seconds = seconds
        self._blobs = blobs
        self._leash = leash
        self._grace = grace
        self._end_process = end_process
        self._fault: SqlFault | None = None
        self._connection: Any = None
        self._written: tuple[Path, int] | None = None
        self._done = threading.Event()

    def check(self) -> None:
        """Raises the fault when the time is over."""
        if self._fault is not None:
            raise self._fault

    def bound(self, folder: Path, most: int) -> None:
        """From now on a query ends that writes more than that into a folder: disks are full long before the time is over."""
        self._written = folder, most

    @contextmanager
    def over(self, duckdb: Any, connection: Any, names: Callable[[str], str] = str) -> Iterator[None]:
        """Watches what is done with a connection, and turns DuckDB's exceptions into faults; `names` tells their texts."""
        self._connection = connection
        watching = threading.Thread(target=self._watch, daemon=True)
        watching.start()
        try:
            yield
            self.check()
        except duckdb.OutOfMemoryException as error:
            raise SqlFault("OutOfMemory", names(message_of(error))) from None
        except MemoryError:
            raise SqlFault("OutOfMemory", "the answer does not fit into the function's memory") from None
        except (duckdb.Error, RuntimeError) as error:
            self.check()
            raise SqlFault("SqlError", names(message_of(error))) from None
        finally:
            self._done.set()
            watching.join()

    def _watch(self) -> None:
        began = time.monotonic()
        looked = began - LEASH_SECONDS  # it may have been there before the query
        while not self._done.wait(_TURN_SECONDS):
            now = time.monotonic()
            if self._fault is None and now - began >= self._seconds:
                self._fault = SqlFault("Timeout", f"the query ran for more than {self._seconds:g} s")
            self._fault = self._fault or self._too_large()
            if self._fault is None and now - looked >= LEASH_SECONDS:
                looked = now
                self._fault = self._stopped()
            if self._fault is not None:
                break
        over = time.monotonic()
        while not self._done.wait(_TURN_SECONDS):
            # Again and again: an interruption between two statements is none.
            self._connection.interrupt()
            if time.monotonic() - over >= self._grace:
                self._end_process(1)

    def _too_large(self) -> SqlFault | None:
        if self._written is None:
            return None
        folder, most = self._written
        with suppress(FileNotFoundError):  # a file that gets its name at this moment
            if sum(path.stat().st_size for path in folder.iterdir()) > most:
                return SqlFault("TooLarge", f"the dataset would be larger than {most} bytes")
        return None

    def _stopped(self) -> SqlFault | None:
        if self._leash is None:
            return None
        try:
            self._blobs.size(self._leash)
        except NotFound:
            return None
        except Exception:  # a look that fails must not end the query: the next one is a second away
            log.exception("the leash %s could not be looked for", self._leash)
            return None
        return SqlFault("Stopped", "the query was stopped")


def message_of(error: Exception) -> str:
    """What DuckDB says, without its own addresses, and without advice to change settings that nobody here can change."""
    return _ADVICE.split(str(error), maxsplit=1)[0].strip()[:MESSAGE]
