"""Where numbered records are kept: what people file under decimal ids, in collections of their own making."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `collection` is its place in its project (`datasets`, `jobs/98`, `rows/prices`); `name`, if it has one, is unique there.
    `body` is JSON whose numbers are exact: what is no whole number may come as a Decimal."""

    project: str
    collection: str
    number: int
    body: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    revision: int = 1


class Collections(Protocol):
    """Numbered records of projects. Reads are strongly consistent, but for the skip to a page's beginning. The names of collections and
    kinds hold no `#`."""

    def next(self, project: str, kind: str) -> int:
        """A number that was never given before for this kind in the project: 1, 2, 3, ..."""
        ...

    def add(self, record: Record) -> None:
        """Writes a new record. Raises Taken (`name`), Conflict (its number is there already), TooLarge (above 380 KB)."""
        ...

    def get(self, project: str, collection: str, number: int) -> Record:
        """Raises NotFound."""
        ...

    def get_many(self, project: str, places: Sequence[tuple[str, int]]) -> list[Record]:
        """Those of the records (collection, number) that are there, in the order asked for; a request a hundred."""
        ...

    def named(self, project: str, collection: str, name: str) -> Record:
        """Raises NotFound."""
        ...

    def change(self, record: Record) -> Record:
        """Writes a record over the one of the same revision; as stored, with the next one. Raises NotFound, Taken, Conflict, TooLarge."""
        ...

    def remove(self, project: str, collection: str, number: int) -> Record:
        """Removes a record and frees its name; the record as it was. Raises NotFound."""
        ...

    def page(self, project: str, collection: str, limit: int, offset: int = 0) -> list[Record]:
        """A collection's records, lowest number first. Costs what it answers, and of what it skips the keys. Raises TooLarge when they are
        more than an answer holds (4 MB)."""
        ...

    def count(self, project: str, collection: str) -> int:
        """How many records a collection has."""
        ...
