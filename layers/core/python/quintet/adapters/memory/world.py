"""Time, chance, blobs, logs and secrets in memory."""

import base64
import hashlib
import hmac
import json
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import RLock

from quintet.adapters.ids import Sequence as IdSequence
from quintet.adapters.ids import uuid7, version_id
from quintet.adapters.records import log_parts
from quintet.domain.errors import Invalid, NotFound, Problem, TooLarge
from quintet.domain.events import from_millis, to_millis
from quintet.services.ports.world import Clock, LogEntry

START = datetime(2026, 1, 1, tzinfo=UTC)
SECRET_LIMIT = 4096


class ManualClock:
    """Port Clock whose time moves only by `sleep` and `advance`."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._lock = RLock()

    def now(self) -> datetime:
        """The present, aware UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Lets the time pass at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Moves the present on; never back."""
        with self._lock:
            self._now += timedelta(seconds=max(seconds, 0))

    def advance_to(self, moment: datetime) -> None:
        """Moves the present on to a moment; nothing when it is past."""
        with self._lock:
            self._now = max(self._now, moment)


class SeededIds:
    """Port Ids that repeats itself: the same seed and the same clock give the same ids and chances."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable by purpose, guards nothing
        self._clock = clock
        self._sequence = IdSequence()

    def new(self) -> str:
        """A UUIDv7 of the clock's time."""
        millis, sequence = self._sequence.take(to_millis(self._clock.now()))
        return uuid7(millis, sequence, self._random.getrandbits(62))

    def version_id(self) -> str:
        """`ver_` and 12 of [0-9a-z]."""
        return version_id(self._random.choice)

    def chance(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()


class MemoryBlobs:
    """Port Blobs in a dictionary."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._lock = RLock()

    def put(self, name: str, body: bytes, content_type: str = "application/json") -> None:
        """Writes; the same name again is the same content."""
        with self._lock:
            self._bodies[name] = bytes(body)

    def get(self, name: str, most: int | None = None) -> bytes:
        """Raises NotFound; TooLarge for one of more than `most` bytes."""
        with self._lock:
            body = self._bodies.get(name)
        if body is None:
            raise NotFound(f"no blob {name}")
        if most is not None and len(body) > most:
            raise TooLarge(f"a blob of {len(body)} bytes; at most {most} are read")
        return body

    def part(self, name: str, start: int, length: int) -> bytes:
        """Up to `length` of its bytes, from the byte `start` on. Raises NotFound."""
        return self.get(name)[start : start + length]

    def fetch(self, name: str, start: int, length: int, path: Path) -> None:
        """Writes such a part into a file that is there, at the same place. Raises NotFound."""
        with path.open("r+b") as file:
            file.seek(start)
            file.write(self.part(name, start, length))

    def put_file(self, name: str, path: Path, content_type: str) -> None:
        """Writes what a file of this machine holds."""
        self.put(name, path.read_bytes(), content_type)

    def copy(self, name: str, to: str) -> None:
        """Writes the same bytes under another name. Raises NotFound."""
        self.put(to, self.get(name))

    def size(self, name: str) -> int:
        """Its bytes. Raises NotFound."""
        return len(self.get(name))

    def names(self, prefix: str, most: int) -> list[tuple[str, int]]:
        """Up to `most` (name, bytes) below a prefix, in order."""
        with self._lock:
            found = sorted(name for name in self._bodies if name.startswith(prefix))
            return [(name, len(self._bodies[name])) for name in found[:most]]

    def drop(self, name: str) -> None:
        """Removes it; nothing when it is not there."""
        with self._lock:
            self._bodies.pop(name, None)

    def clear(self, prefix: str) -> None:
        """Removes all whose names begin with the prefix."""
        with self._lock:
            for name in [name for name in self._bodies if name.startswith(prefix)]:
                del self._bodies[name]

    def address(self, name: str) -> str:
        """As if its bucket were called `memory`."""
        return f"s3://memory/{name}"

    def link(self, name: str, seconds: int) -> str:
        """A `memory:` URL, which nothing but a test reads."""
        return f"memory:{name}?seconds={seconds}"

    def upload_link(self, name: str, seconds: int) -> str:
        """The same: a test puts the blob itself."""
        return self.link(name, seconds)


class MemoryLogs:
    """Port Logs in sorted lists."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, LogEntry]] = {}
        self._lock = RLock()

    def write(self, run_id: str, entries: Sequence[LogEntry]) -> None:
        """Adds lines; an id again replaces its line."""
        with self._lock:
            lines = self._lines.setdefault(run_id, {})
            for entry in entries:
                at = from_millis(to_millis(entry.at))
                message, data = log_parts(entry)
                lines[entry.id] = replace(
                    entry, at=at, message=message, data=None if data is None else json.loads(data)
                )

    def read(self, run_id: str, after: str | None, limit: int) -> list[LogEntry]:
        """Lines in order, from the first after `after`."""
        with self._lock:
            lines = self._lines.get(run_id, {})
            names = sorted(lines)
            start = 0 if after is None else bisect_right(names, after)
            return [lines[name] for name in names[start : start + limit]]

    def last(self, run_id: str, limit: int) -> list[LogEntry]:
        """The last lines, in order."""
        with self._lock:
            lines = self._lines.get(run_id, {})
            return [lines[name] for name in sorted(lines)[-limit:]] if limit > 0 else []


class MemoryVault:
    """Port Vault that binds secrets to their context but does not hide them: for tests and simulations only."""

    def __init__(self, key: bytes = b"memory") -> None:
        self._key = key

    def seal(self, secret: str, context: str) -> str:
        """Text that opens in `context` only. Raises TooLarge above 4 KiB."""
        body = secret.encode()
        if len(body) > SECRET_LIMIT:
            raise TooLarge("a secret may have at most 4 KiB")
        return base64.b64encode(self._tag(body, context) + body).decode()

    def open(self, sealed: str, context: str) -> str:
        """The secret. Raises Invalid when it was sealed for another context or is damaged."""
        try:
            raw = base64.b64decode(sealed, validate=True)
        except ValueError:
            raw = b""
        tag, body = raw[:32], raw[32:]
        if not hmac.compare_digest(tag, self._tag(body, context)):
            raise Invalid([Problem((), "the secret does not open here")])
        return body.decode()

    def _tag(self, body: bytes, context: str) -> bytes:
        return hmac.new(self._key, f"{len(context)}:{context}:".encode() + body, hashlib.sha256).digest()
