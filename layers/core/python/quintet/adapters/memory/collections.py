"""Numbered records in memory."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import RLock

from quintet.adapters.collection_records import PageBytes, as_stored, body_text
from quintet.domain.errors import Conflict, NotFound
from quintet.services.ports.collections import Record
from quintet.services.ports.jobs import Taken


@dataclass(slots=True)
class _Collection:
    records: dict[int, tuple[Record, str]] = field(
        default_factory=dict
    )  # with its body's text, which nobody else can change
    order: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)


class MemoryCollections:
    """Port Collections in dictionaries."""

    def __init__(self) -> None:
        self._collections: dict[tuple[str, str], _Collection] = {}
        self._last: dict[tuple[str, str], int] = {}
        self._lock = RLock()

    def next(self, project: str, kind: str) -> int:
        """A number that was never given before for this kind in the project."""
        with self._lock:
            number = self._last[project, kind] = self._last.get((project, kind), 0) + 1
            return number

    def add(self, record: Record) -> None:
        """Writes a new record. Raises Taken, Conflict, TooLarge."""
        written = body_text(record)
        with self._lock:
            held = self._collections.setdefault((record.project, record.collection), _Collection())
            if record.number in held.records:
                raise Conflict(f"{record.collection} has a record {record.number}")
            self._check_name(held, record)
            held.records[record.number] = record, written
            insort(held.order, record.number)
            if record.name is not None:
                held.names[record.name] = record.number

    def _check_name(self, held: _Collection, record: Record) -> None:
        if record.name is not None and held.names.get(record.name, record.number) != record.number:
            raise Taken("name", record.name)

    def get(self, project: str, collection: str, number: int) -> Record:
        """Raises NotFound."""
        with self._lock:
            held = self._collections.get((project, collection), _Collection())
            if number not in held.records:
                raise NotFound(f"{collection} has no record {number}")
            return as_stored(*held.records[number])

    def get_many(self, project: str, places: Sequence[tuple[str, int]]) -> list[Record]:
        """Those of the records that are there, in the order asked for."""
        found = []
        for place in places:
            try:
                found.append(self.get(project, *place))
            except NotFound:
                continue
        return found

    def named(self, project: str, collection: str, name: str) -> Record:
        """Raises NotFound."""
        with self._lock:
            number = self._collections.get((project, collection), _Collection()).names.get(name)
            if number is None:
                raise NotFound(f"{collection} has no record named {name!r}")
            return self.get(project, collection, number)

    def change(self, record: Record) -> Record:
        """Writes a record over the one of the same revision; as stored. Raises NotFound, Taken, Conflict, TooLarge."""
        written = body_text(record)
        with self._lock:
            was = self.get(record.project, record.collection, record.number)
            held = self._collections[record.project, record.collection]
            if was.revision != record.revision:
                raise Conflict(f"record {record.number} of {record.collection} was changed meanwhile")
            self._check_name(held, record)
            changed = replace(record, revision=record.revision + 1)
            if was.name is not None:
                del held.names[was.name]
            if record.name is not None:
                held.names[record.name] = record.number
            held.records[record.number] = changed, written
            return as_stored(changed, written)

    def remove(self, project: str, collection: str, number: int) -> Record:
        """Removes a record and frees its name; the record as it was. Raises NotFound."""
        with self._lock:
            was = self.get(project, collection, number)
            held = self._collections[project, collection]
            del held.records[number], held.order[bisect_left(held.order, number)]
            if was.name is not None:
                del held.names[was.name]
            return was

    def page(self, project: str, collection: str, limit: int, offset: int = 0) -> list[Record]:
        """A collection's records, lowest number first. Raises TooLarge."""
        with self._lock:
            held = self._collections.get((project, collection), _Collection())
            found = [held.records[number] for number in held.order[offset : offset + max(limit, 0)]]
        held_bytes = PageBytes()
        for _, written in found:
            held_bytes.add(written)
        return [as_stored(record, written) for record, written in found]

    def count(self, project: str, collection: str) -> int:
        """How many records a collection has."""
        with self._lock:
            return len(self._collections.get((project, collection), _Collection()).records)
