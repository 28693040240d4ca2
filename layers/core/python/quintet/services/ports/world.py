"""The engine's other needs: carriers of work, blobs, logs, time, ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from quintet.domain.jsontext import compact


class Bursts(Protocol):
    """Starts the executions that drive runs."""

    def start(self, run_id: str, epoch: int) -> None:
        """Starts a burst; at least once, so bursts fence themselves by epoch and claim."""
        ...

    def start_many(self, bursts: Sequence[tuple[str, int]]) -> None:
        """Starts the bursts of (run id, epoch), many at a time. What can't be started is left to the sweep."""
        ...


class Timers(Protocol):
    """Wakes runs at a moment."""

    def start(self, run_id: str, at: datetime) -> None:
        """Has the run woken at that time; early or repeated wakes do no harm."""
        ...


class Carriers(Protocol):
    """Executes a step outside a burst, for up to 14 minutes, which then settles itself."""

    def start(self, run_id: str, path: str, token: int) -> None:
        """Starts the attempt; it appends its outcome to the journal and wakes the run."""
        ...


class Fanouts(Protocol):
    """Enacts the items of a large map in executions of their own."""

    def start(self, run_id: str, path: str, token: int, manifest: str, concurrency: int) -> None:
        """Has every item of the manifest (a blob: a JSON list) enacted, `concurrency` at a time, and the run woken at the end.

        Starting the same map again does nothing.
        """
        ...

    def stop(self, run_id: str, token: int) -> None:
        """Begins no further items."""
        ...


class Parking(Protocol):
    """Work that goes on for hours on a service of its own (a Spark job, a container), while its run holds nothing."""

    def start(self, run_id: str, path: str, token: int, work: Mapping[str, Any]) -> None:
        """Starts the work (JSON) of an attempt, once however often it is asked, and never after it was stopped; at its end the attempt is
        settled with what it came to."""
        ...

    def stop(self, run_id: str, token: int) -> None:
        """Stops it, with the service's own job; nothing when it has ended. What has not begun never will: a start may be on its way."""
        ...

    def at_work(self, run_id: str, token: int) -> bool:
        """False when it has ended or never began: then nobody will settle the attempt any more."""
        ...


class Blobs(Protocol):
    """Immutable bytes by name."""

    def put(self, name: str, body: bytes, content_type: str = "application/json") -> None:
        """Writes; the same name again is the same content."""
        ...

    def get(self, name: str, most: int | None = None) -> bytes:
        """Raises NotFound; TooLarge, without reading it, for one of more than `most` bytes."""
        ...

    def part(self, name: str, start: int, length: int) -> bytes:
        """Up to `length` of its bytes, from the byte `start` on; none when it ends before. Raises NotFound."""
        ...

    def fetch(self, name: str, start: int, length: int, path: Path) -> None:
        """Writes such a part into a file of this machine that is there, at the same place. Raises NotFound."""
        ...

    def put_file(self, name: str, path: Path, content_type: str) -> None:
        """Writes what a file of this machine holds, however large."""
        ...

    def copy(self, name: str, to: str) -> None:
        """Writes the same bytes under another name, without reading them here. Raises NotFound."""
        ...

    def size(self, name: str) -> int:
        """Its bytes. Raises NotFound."""
        ...

    def names(self, prefix: str, most: int) -> list[tuple[str, int]]:
        """Up to `most` (name, bytes) below a prefix, in order."""
        ...

    def drop(self, name: str) -> None:
        """Removes it; nothing when it is not there."""
        ...

    def clear(self, prefix: str) -> None:
        """Removes all whose names begin with the prefix."""
        ...

    def address(self, name: str) -> str:
        """Where a service of its own finds it, or what is below it: `s3://...`."""
        ...

    def link(self, name: str, seconds: int) -> str:
        """A URL that reads it for that many seconds."""
        ...

    def upload_link(self, name: str, seconds: int) -> str:
        """A URL that writes it by an HTTP PUT for that many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of a step's log; `id` orders the lines of a run. `data`: JSON beside the message, None: there is none."""

    id: str
    at: datetime
    path: str | None
    level: str
    message: str
    data: Any = None

    @property
    def text(self) -> str:
        """The whole line as one text: the data follows the message as compact JSON."""
        return self.message if self.data is None else f"{self.message} {compact(self.data)}"


class Logs(Protocol):
    """What steps say while they run; apart from the journal, so that they never contend with it."""

    def write(self, run_id: str, entries: Sequence[LogEntry]) -> None:
        """Adds lines."""
        ...

    def read(self, run_id: str, after: str | None, limit: int) -> list[LogEntry]:
        """Lines in order, from the first after `after`."""
        ...

    def last(self, run_id: str, limit: int) -> list[LogEntry]:
        """The last lines, in order; what comes before them is not read."""
        ...


class Clock(Protocol):
    """Time, so that tests can rule it."""

    def now(self) -> datetime:
        """The present, aware UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class Ids(Protocol):
    """Names and chance, so that tests can rule them."""

    def new(self) -> str:
        """A UUIDv7: unique, and ordered by time of making."""
        ...

    def version_id(self) -> str:
        """The name of a job's version: `ver_` and 12 of [0-9a-z] by chance."""
        ...

    def chance(self) -> float:
        """A number in [0, 1)."""
        ...


class Pool(Protocol):
    """Runs effectful attempts beside each other."""

    def submit(self, key: str, work: "Work") -> None:
        """Starts the work."""
        ...

    def wait(self, seconds: float) -> list[tuple[str, object]]:
        """(key, what the work returned, or the exception it raised) of those that ended, after up to `seconds` for the first."""
        ...

    @property
    def free(self) -> int:
        """How many more can start at once."""
        ...

    def close(self) -> None:
        """Stops waiting for what is still under way."""
        ...


class Work(Protocol):
    """A piece of work without arguments."""

    def __call__(self) -> object:
        """Does it."""
        ...
