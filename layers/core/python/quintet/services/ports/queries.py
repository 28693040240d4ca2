"""Answers SQL over datasets, and looks into files that are to become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from quintet.domain.dataset import Column, Content


class QueryFault(Exception):
    """No answer: `type` is BadSql, SqlError, BadInput, Timeout, OutOfMemory, TooLarge (the author's) or Unavailable (ours). The message is
    the engine's own."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT (or WITH, FROM, VALUES) over tables: names in SQL and what they hold. `catalog` and `schema` are the ones in which those
    names are looked up, for SQL that names them in full. `limit` and `offset` are done by the engine."""

    sql: str
    tables: Mapping[str, Content]
    limit: int
    offset: int = 0
    catalog: str | None = None
    schema: str | None = None
    timeout: float = 25.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows as JSON objects: whole numbers are int, decimals Decimal (exact), doubles float; dates, times and UUIDs ISO texts; binary is
    base64; lists and structs as such; NaN and infinities texts."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]


class Queries(Protocol):
    """A query engine; both there are give the same answer to the same query."""

    def query(self, query: Query) -> Answer:
        """Raises QueryFault."""
        ...


class BigQueries(Queries, Protocol):
    """The engine for datasets that outgrow one machine."""


@dataclass(frozen=True, slots=True)
class Made:
    """Files that a query made, with what was measured of the making; None: not measured."""

    content: Content
    rows_read: int | None = None
    cpu_seconds: float | None = None
    memory_bytes: int | None = None


class Files(Protocol):
    """Makes files of rows, and looks into them."""

    def describe(self, format_: str, parts: Sequence[str], timeout: float = 60.0) -> Content:
        """What files (blobs) of a format hold. Raises QueryFault (BadInput: not of that format, or not there)."""
        ...

    def make(
        self,
        sql: str,
        tables: Mapping[str, Content],
        into: str,
        format_: str = "parquet",
        timeout: float = 60.0,
        leash: str | None = None,
    ) -> Made:
        """Writes the answer of one SELECT into the blob `into`; ends early once the blob `leash` is there. Raises QueryFault."""
        ...
