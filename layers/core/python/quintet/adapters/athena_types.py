"""Types in Hive's words, for the tables that Athena reads, and Athena's own, for what it answers."""

import base64
import json
from decimal import Context, Decimal
from typing import Any

from quintet.adapters.duckdb_types import INTEGERS, TIMESTAMPTZ, SqlType
from quintet.adapters.query_values import value

_HIVE = {
    "BOOLEAN": "boolean",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "UTINYINT": "smallint",
    "USMALLINT": "int",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "JSON": "string",
    "BLOB": "binary",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    TIMESTAMPTZ: "timestamp",
}
_FAMILIES = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), "whole"),
    **dict.fromkeys(("float", "real", "double"), "floating"),
    **dict.fromkeys(("varchar", "char", "json", "string"), "text"),
    "decimal": "decimal",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "moment",
    "timestamp with time zone": "moment",
    "varbinary": "binary",
}
_WIDE = Context(prec=80)
_TEXTS = frozenset({"VARCHAR", "ENUM", "JSON", "UUID"})


class Unlike(Exception):
    """The two engines would not give the same answer; the text says of what."""


def hive_type(type_: SqlType) -> str:
    """A column's type for a table over Parquet files. Raises Unlike for one that Athena does not read as DuckDB does."""
    match type_.name:
        case "DECIMAL":
            return f"decimal({type_.numbers[0]},{type_.numbers[1]})"
        case "LIST" | "ARRAY":
            return f"array<{hive_type(type_.inner[0])}>"
        case "MAP":
            return f"map<{hive_type(type_.inner[0])},{hive_type(type_.inner[1])}>"
        case "STRUCT":
            pairs = zip(type_.fields, type_.inner, strict=True)
            return f"struct<{','.join(f'{name.lower()}:{hive_type(inner)}' for name, inner in pairs)}>"
    if type_.name not in _HIVE:
        raise Unlike(f"Athena does not read {type_.plain}")
    return _HIVE[type_.name]


def refuse_unlike(column: str, wanted: SqlType, found: str) -> None:
    """Raises Unlike when Athena answers a column in another kind of type than DuckDB does: it was computed in another way."""
    if wanted.inner or wanted.name == "NULL":
        return
    if _family(wanted) != _FAMILIES.get(found, found):
        raise Unlike(
            f"column {column!r} is {wanted.plain} for DuckDB and {found} for Athena: say which with CAST({column} AS ...)"
        )


def _family(type_: SqlType) -> str:
    name = type_.name
    if name in INTEGERS:
        return "whole"
    if name in _TEXTS:
        return "text"
    if name.startswith("TIMESTAMP"):
        return "moment"
    return {"DOUBLE": "floating", "FLOAT": "floating", "BLOB": "binary"}.get(name, name.lower())


def from_text(text: str | None, type_: SqlType) -> Any:
    """A cell of Athena's answer, as the port Queries promises it. Nested ones come as JSON."""
    if text is None:
        return None
    if type_.inner:
        return value(_renamed(json.loads(text, parse_float=Decimal, parse_constant=str), type_), type_)
    match type_.name:
        case "BLOB":
            return base64.b64encode(bytes.fromhex(text)).decode()
        case "DECIMAL":
            return _scaled(Decimal(text), type_.numbers[1])
    found = value(text, type_)
    if type_.name == TIMESTAMPTZ and not found.endswith("+00:00"):
        return f"{found}+00:00"  # Parquet's are in UTC, and Hive's type for them has no zone
    return found


def _scaled(number: Decimal, scale: int) -> Decimal:
    """The number with as many digits behind the point as DuckDB shows, unless it has more."""
    shown = number.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
    return shown if shown == number else number


def _renamed(raw: Any, type_: SqlType) -> Any:
    """With the names of fields as they are written: Hive knows them in lower case."""
    if isinstance(raw, dict):
        if type_.name == "STRUCT":
            pairs = zip(type_.fields, type_.inner, strict=True)
            return {name: _renamed(raw.get(name.lower()), inner) for name, inner in pairs}
        return {key: _renamed(one, type_.inner[-1]) for key, one in raw.items()}
    if isinstance(raw, list):
        return [_renamed(one, type_.inner[0]) for one in raw]
    return raw
