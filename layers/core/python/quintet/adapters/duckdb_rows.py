"""JSON rows into DuckDB and out of it, with the types JSON has: no text becomes a date on its own."""

# ruff: noqa: S608 - statements are put together from quoted names and constants; values are parameters

import base64
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

MAX_CELL = 2000
"""Characters of a text in a preview."""
_BIGINT, _HUGEINT = 2**63, 2**127


class MixedNames(Exception):
    """Two keys of rows differ in their letters' case only."""


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows as JSON lines."""
    with path.open("w") as lines:
        for row in rows:
            lines.write(json.dumps(row, separators=(",", ":")))
            lines.write("\n")


def table_of_lines(connection: Any, table: str, path: Path) -> None:
    """Makes a table of JSON lines; its columns are all the rows' keys, in the order they come up."""
    types = column_types(path)
    name = '"' + table.replace('"', '""') + '"'
    if not types:
        # A table needs a column; nobody can ask for this one by accident.
        connection.execute(f'CREATE TABLE {name} ("_" BOOLEAN)')
        return
    columns = ", ".join(f"{_text(column)}: {_text(type_)}" for column, type_ in types.items())
    connection.execute(
        f"CREATE TABLE {name} AS SELECT * FROM "
        f"read_json(?, format='newline_delimited', columns={{{columns}}}, maximum_object_size={_longest(path)})",
        [str(path)],
    )


def column_types(path: Path) -> dict[str, str]:
    """The narrowest type of each column that holds all its values: BOOLEAN, BIGINT, HUGEINT, DOUBLE, VARCHAR or JSON.

    Raises MixedNames.
    """
    found: dict[str, str | None] = {}
    with path.open() as lines:
        for line in lines:
            row = json.loads(line) if line.strip() else {}
            for column, value in row.items():
                found[column] = _wider(found.get(column), _type(value))
    spelled: dict[str, str] = {}
    for column in found:
        if (other := spelled.setdefault(column.lower(), column)) != column:
            raise MixedNames(f"{other!r} and {column!r} are one column in SQL")
    return {column: type_ or "VARCHAR" for column, type_ in found.items()}


def preview_value(value: Any, type_: str) -> Any:
    """A cell of a preview: as `json_value`, JSON columns parsed, long texts cut."""
    if type_ == "JSON" and isinstance(value, str):
        return json.loads(value) if len(value) <= MAX_CELL else value[:MAX_CELL] + "..."
    plain = json_value(value)
    return plain[:MAX_CELL] + "..." if isinstance(plain, str) and len(plain) > MAX_CELL else plain


def json_value(value: Any) -> Any:
    """A value as DuckDB gives it, as JSON: exact numbers stay numbers, what JSON has no type for is text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [json_value(inner) for inner in value]
    if isinstance(value, dict):
        return {_key(key): json_value(inner) for key, inner in value.items()}
    return _key(value)


def _key(value: Any) -> str:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"PT{value.total_seconds():g}S"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _type(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "BIGINT" if -_BIGINT <= value < _BIGINT else "HUGEINT" if -_HUGEINT <= value < _HUGEINT else "DOUBLE"
    if isinstance(value, float):
        return "DOUBLE"
    return "VARCHAR" if isinstance(value, str) else "JSON"


_NUMBERS = ("BIGINT", "HUGEINT", "DOUBLE")


def _wider(one: str | None, other: str | None) -> str | None:
    if one is None or other is None or one == other:
        return one or other
    if one in _NUMBERS and other in _NUMBERS:
        return max(one, other, key=_NUMBERS.index)
    return "JSON" if "JSON" in (one, other) else "VARCHAR"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _longest(path: Path) -> int:
    """DuckDB refuses lines above 16 MiB unless told; the whole file bounds the longest line."""
    return max(path.stat().st_size, 16 * 1024 * 1024)
