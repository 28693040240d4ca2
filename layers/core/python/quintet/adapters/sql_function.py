"""Queries and files by the SQL function: DuckDB, in a function of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from quintet.adapters.duckdb_types import parse
from quintet.adapters.query_values import value
from quintet.domain.dataset import MAX_TOLD, Column, Content
from quintet.domain.jsontext import compact
from quintet.services.ports.functions import FunctionFault, Functions
from quintet.services.ports.queries import Answer, Made, Query, QueryFault

ANSWER_SECONDS = 10.0
"""How much later than the engine's own time-out the function may answer."""
_GRACE_SECONDS = 2.0
_GRACE_OF_FILES = 8.0
_ENDED = ("Runtime.ExitError", "Runtime.OutOfMemory", "signal: killed")
"""What Lambda says of a function that died: by its memory, or by its own hand, since a query would not stop."""


class SqlFunction:
    """Ports Queries and Files. Raises QueryFault."""

    def __init__(self, functions: Functions, function: str) -> None:
        self._functions = functions
        self._function = function

    def query(self, query: Query) -> Answer:
        """The answer, of at most 5 MiB."""
        tables = {name: _told(content) for name, content in query.tables.items()}
        asked = {"limit": query.limit, "offset": query.offset, **_statement(query, tables)}
        answer = self._call("query", asked, query.timeout, _GRACE_SECONDS, 0.0)
        columns = _columns(answer)
        types = [parse(column.type) for column in columns]
        rows = [
            {column.name: value(raw, type_) for column, type_, raw in zip(columns, types, row, strict=True)}
            for row in answer["rows"]
        ]
        return Answer(columns, rows)

    def check(self, query: Query) -> tuple[frozenset[str], tuple[Column, ...]]:
        """The tables that a statement names, and the columns of its answer; nothing is read."""
        tables = {name: {"columns": _told(content)["columns"]} for name, content in query.tables.items()}
        answer = self._call("check", _statement(query, tables), query.timeout, _GRACE_SECONDS, 0.0)
        return frozenset(answer["tables"]), _columns(answer)

    def describe(self, format_: str, parts: Sequence[str], timeout: float = 60.0) -> Content:
        """What files (blobs) of a format hold."""
        asked = {"format": format_, "parts": list(parts)}
        answer = self._call("describe", asked, timeout, _GRACE_SECONDS, 0.0)
        return _content(answer, format_, parts)

    def make(
        self,
        sql: str,
        tables: Mapping[str, Content],
        into: str,
        format_: str = "parquet",
        timeout: float = 60.0,
        leash: str | None = None,
    ) -> Made:
        """Writes the answer of one SELECT into the blob `into`; ends early once the blob `leash` is there."""
        told = {name: _told(content) for name, content in tables.items()}
        asked = {"sql": sql, "tables": told, "into": into, "format": format_, "leash": leash}
        answer = self._call("make", asked, timeout, _GRACE_OF_FILES, ANSWER_SECONDS)
        content = _content(answer, format_, [into])
        return Made(content, answer["rowsRead"], answer["cpuSeconds"], answer["memoryBytes"])

    def _call(
        self, mode: str, asked: Mapping[str, Any], timeout: float, grace: float, patience: float
    ) -> dict[str, Any]:
        payload = {"mode": mode, "timeout": timeout, "grace": grace, **asked}
        try:
            answer = self._functions.call(self._function, payload, timeout + grace + patience)
        except FunctionFault as fault:
            raise _fault(fault) from fault
        if not answer.get("ok"):
            error = answer.get("error") or {}
            raise QueryFault(str(error.get("type", "SqlError")), str(error.get("message", "")))
        return answer


def _statement(query: Query, tables: Mapping[str, Any]) -> dict[str, Any]:
    return {"sql": query.sql, "tables": tables, "catalog": query.catalog, "schema": query.schema}


def _told(content: Content) -> dict[str, Any]:
    told = content.to_dict()
    # Of files that were not described yet the count is not known either.
    return told if content.columns or not content.parts else {**told, "rowCount": None}


def _columns(answer: Mapping[str, Any]) -> tuple[Column, ...]:
    return tuple(Column(column["name"], column["type"]) for column in answer["columns"])


def _content(answer: Mapping[str, Any], format_: str, parts: Sequence[str]) -> Content:
    content = Content(format_, tuple(parts), _columns(answer), answer["rowCount"], answer["sizeBytes"])
    if (size := len(compact(content.to_dict()).encode())) > MAX_TOLD:
        named = f"{len(content.columns)} columns and {len(parts)} files have names and types of {size} bytes"
        raise QueryFault("TooLarge", f"{named}; at most {MAX_TOLD} are allowed")
    return content


def _fault(fault: FunctionFault) -> QueryFault:
    if fault.type == "Timeout":
        return QueryFault("Timeout", "the query engine did not answer in time")
    if any(word in str(fault) for word in _ENDED):
        return QueryFault(
            "OutOfMemory", "the query ended its engine: it needs too much memory, or could not be stopped in time"
        )
    return QueryFault("Unavailable", "the query engine is not available, try again")
