"""Tables of free JSON rows. A project has those that it writes rows into; nobody makes or removes the tables themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from quintet.domain.errors import Conflict, NotFound, Throttled
from quintet.services.ports.collections import Collections, Record
from quintet.services.ports.world import Clock

OURS = frozenset({"id", "createdAt", "updatedAt"})
"""Fields that every row has from us; what a caller says of them has no effect."""
TRIES = 25
"""Each one lost means that another's change of the same row was written."""


class Rows:
    """Writes and reads the rows of a project's tables; a row's body is what its callers wrote, without OURS."""

    def __init__(self, collections: Collections, clock: Clock) -> None:
        self._collections = collections
        self._clock = clock

    def create(self, project: str, table: str, fields: Mapping[str, Any]) -> Record:
        """A new row. Raises TooLarge."""
        now = self._clock.now()
        number = self._collections.next(project, _of(table))
        row = Record(project, _of(table), number, _theirs(fields), now, now)
        self._collections.add(row)
        return row

    def get(self, project: str, table: str, number: int) -> Record:
        """Raises NotFound."""
        with _row(table, number):
            return self._collections.get(project, _of(table), number)

    def merge(self, project: str, table: str, number: int, fields: Mapping[str, Any]) -> Record:
        """Puts fields over those of a row; the others stay, also those that somebody else writes at the same time. Raises NotFound,
        TooLarge, Throttled."""
        for _ in range(TRIES):
            row = self.get(project, table, number)
            changed = replace(row, body={**row.body, **_theirs(fields)}, updated_at=self._clock.now())
            try:
                with _row(table, number):
                    return self._collections.change(changed)
            except Conflict:
                continue
        raise Throttled(f"row {number} of {table} is being changed by many at once", retry_after=1)

    def delete(self, project: str, table: str, number: int) -> Record:
        """Removes a row; as it was. Raises NotFound."""
        with _row(table, number):
            return self._collections.remove(project, _of(table), number)

    def page(self, project: str, table: str, limit: int, offset: int = 0) -> list[Record]:
        """A table's rows, the oldest first. Raises TooLarge when they are more than an answer holds."""
        return self._collections.page(project, _of(table), limit, offset)

    def count(self, project: str, table: str) -> int:
        """How many rows a table has."""
        return self._collections.count(project, _of(table))


def _of(table: str) -> str:
    return f"rows/{table}"


@contextmanager
def _row(table: str, number: int) -> Iterator[None]:
    """Says what is missing in the words of who asked for it."""
    try:
        yield
    except NotFound:
        raise NotFound(f"table {table} has no row {number}") from None


def _theirs(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in OURS}
