"""What a write-ahead log's records add up to: plain data, without the emulator.

Records (first element, then):
    `t` table key, its description or null: a table was made, changed or deleted
    `i` [[table key, partition, sort, item or null], ...], token or null: items after one request, which are one unit
    `r` table key: the table's items were replaced; those that follow are all
    `q` queue key, description or null, [message, ...], [message id, ...]: a queue, messages added, messages gone
    `s` service, state: a small service's whole state
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import wal_log
from .wal_log import Record

_ITEMS_A_RECORD = 200
_TOKENS_KEPT = 10_000
Items = dict[tuple[str, str], Any]


class State:
    """Tables, items, queues and services, as of the last record applied."""

    def __init__(self) -> None:
        self.tables: dict[str, Any] = {}
        self.items: dict[str, Items] = {}
        self.tokens: dict[str, Any] = {}
        self.queues: dict[str, Any] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        self.services: dict[str, Any] = {}

    def apply(self, record: Record) -> None:
        """Take one record in."""
        kinds: dict[str, Callable[..., None]] = {
            "i": self._items,
            "t": self._table,
            "r": self._replaced,
            "q": self._queue,
            "s": self._service,
        }
        kinds[record[0]](*record[1:])

    def _items(self, changes: list[Any], token: list[Any] | None) -> None:
        for table, partition, sort, item in changes:
            items = self.items.setdefault(table, {})
            if item is None:
                items.pop((partition, sort), None)
            else:
                items[partition, sort] = item
        if token is not None:
            self.tokens[token[0]] = token
            if len(self.tokens) > _TOKENS_KEPT:
                del self.tokens[next(iter(self.tokens))]

    def _table(self, table: str, description: Any) -> None:
        if description is None:
            self.tables.pop(table, None)
            self.items.pop(table, None)
        else:
            self.tables[table] = description

    def _replaced(self, table: str) -> None:
        self.items[table] = {}

    def _queue(self, queue: str, description: Any, added: list[Any], removed: list[str]) -> None:
        if description is None and not added and not removed:
            self.queues.pop(queue, None)
            self.messages.pop(queue, None)
            return
        if description is not None:
            self.queues[queue] = description
        messages = self.messages.setdefault(queue, {})
        for message in added:
            messages[message["id"]] = message
        for identity in removed:
            messages.pop(identity, None)

    def _service(self, service: str, state: Any) -> None:
        self.services[service] = state

    def records(self) -> Iterator[Record]:
        """The fewest records that make this state."""
        for service, state in self.services.items():
            yield ["s", service, state]
        for queue, description in self.queues.items():
            yield ["q", queue, description, list(self.messages.get(queue, {}).values()), []]
        for table, description in self.tables.items():
            yield ["t", table, description]
            changes = [[table, *key, item] for key, item in self.items.get(table, {}).items()]
            for start in range(0, len(changes), _ITEMS_A_RECORD):
                yield ["i", changes[start : start + _ITEMS_A_RECORD], None]
        for token in self.tokens.values():
            yield ["i", [], token]


class Recovered:
    """A folder's state, the number of its last log and how many bytes of it were torn."""

    def __init__(self, folder: Path, until: int | None = None) -> None:
        self.state = State()
        self.base = self._snapshot(folder)
        logs = {number: path for number, path in wal_log.numbered(folder, "log").items() if number >= self.base}
        if until is not None:
            logs = {number: path for number, path in logs.items() if number < until}
        self.last = max([self.base, *logs])
        self.log_bytes = sum(path.stat().st_size for path in logs.values())
        self.torn = 0
        for number, path in logs.items():
            self._replay(path, torn_may_be=number == self.last)

    def _snapshot(self, folder: Path) -> int:
        """Load the newest whole snapshot; answers its number, 0 when there is none."""
        for number, path in reversed(wal_log.numbered(folder, "snapshot").items()):
            state, whole = State(), False
            for record, _ in wal_log.read(path):
                whole = record == wal_log.END
                if not whole:
                    state.apply(record)
            if whole:
                self.state = state
                return number
        return 0

    def _replay(self, path: Path, *, torn_may_be: bool) -> None:
        good = 0
        for record, position in wal_log.read(path):
            self.state.apply(record)
            good = position
        torn = path.stat().st_size - good
        if torn and not torn_may_be:
            raise wal_log.WalError(f"{path} is damaged at byte {good}, and later logs follow it")
        if torn:
            self.torn = torn
            # Appending goes on behind the last whole record.
            with path.open("r+b") as file:
                file.truncate(good)


def compact(folder: Path, until: int) -> Path:
    """Merge the snapshot and the logs before number `until` into the snapshot `until`; crash-safe at every step."""
    recovered = Recovered(folder, until)
    target = folder / f"snapshot-{until:06d}"
    fresh = folder / f".snapshot-{until:06d}"
    with fresh.open("wb") as file:
        for record in recovered.state.records():
            file.write(wal_log.line_of(record))
        file.write(wal_log.line_of(wal_log.END))
        file.flush()
        os.fdatasync(file.fileno())
    fresh.rename(target)
    wal_log.sync_folder(folder)
    for kind in ("snapshot", "log"):
        for number, path in wal_log.numbered(folder, kind).items():
            if number < until:
                path.unlink(missing_ok=True)
    return target
