"""Answers of queries as JSON that fits into a function's answer, and as files."""

# ruff: noqa: S608 - statements are put together from quoted names and constants

from collections.abc import Mapping
from typing import Any

from quintet.adapters.duckdb_fence import SqlFault
from quintet.adapters.duckdb_rows import json_value
from quintet.adapters.duckdb_types import INTEGERS, SqlType, parse, quoted
from quintet.adapters.query_values import ANSWER_BYTES, too_large, weight

_ROWS_AT_ONCE = 256
_LONGEST_CELL = ANSWER_BYTES + 1
_AS_THEY_ARE = INTEGERS | {"BOOLEAN", "DOUBLE"}
_TEXTS = frozenset({"VARCHAR", "JSON", "ENUM"})


def page(connection: Any, query: str, columns: Mapping[str, str], limit: int, offset: int) -> list[list[Any]]:
    """The rows of a query from `offset` on, as lists of JSON: decimals, moments and what else JSON lacks as texts (query_values.value makes
    more of them), binary in base64. Raises SqlFault, TooLarge among them."""
    types = [parse(type_) for type_ in columns.values()]
    shown = ", ".join(_shown(quoted(name), type_) for name, type_ in zip(columns, types, strict=True))
    answer = connection.execute(f"SELECT {shown} FROM (\n{query}\n) LIMIT {limit} OFFSET {offset}")
    names = sum(weight(name) for name in columns)
    rows: list[list[Any]] = []
    left = ANSWER_BYTES
    while found := answer.fetchmany(_ROWS_AT_ONCE):
        for row in found:
            told = [json_value(value) for value in row]
            left -= names + weight(told)
            if left < 0:
                raise SqlFault("TooLarge", too_large())
            rows.append(told)
    return rows


def kept(columns: Mapping[str, str], huge: str, format_: str) -> str:
    """The expressions that write a query's columns into a file: types that files lack become the nearest that they have, and whole numbers
    of 128 bits become `huge`, since Parquet would have floating point for them. Binary in JSON is base64."""
    parts = []
    for name, text in columns.items():
        type_ = parse(text)
        column = quoted(name)
        if type_.name == "BLOB" and format_ == "jsonl":
            parts.append(f"base64({column}) AS {column}")
        elif any(_kept(leaf, huge) != leaf.plain for leaf in type_.leaves()):
            as_kept = type_.spelled(lambda leaf: _kept(leaf, huge))
            parts.append(f"CAST({column} AS {as_kept}) AS {column}")
        else:
            parts.append(column)
    return ", ".join(parts)


def holds_huge(columns: Mapping[str, str]) -> bool:
    """True when there are whole numbers of 128 bits among them."""
    return any(leaf.name in {"HUGEINT", "UHUGEINT"} for text in columns.values() for leaf in parse(text).leaves())


def _kept(leaf: SqlType, huge: str) -> str:
    match leaf.name:
        case "HUGEINT":
            return huge
        case "UHUGEINT":
            return "DECIMAL(38,0)"
        case "NULL" | "ENUM" | "BIT" | "UNION" | "VARIANT" | "BIGNUM" | "TIME WITH TIME ZONE":
            return "VARCHAR"
    return leaf.plain


def _shown(column: str, type_: SqlType) -> str:
    if type_.inner:
        return f"CAST({column} AS {_spelled(type_)})"
    if type_.name in _AS_THEY_ARE:
        return column
    if type_.name == "BLOB":
        return _bounded(f"base64({column})")
    return _bounded(f"CAST({column} AS VARCHAR)")


def _spelled(type_: SqlType) -> str:
    """A nested type with texts for all that JSON lacks; keys of maps are always texts."""
    if type_.name == "MAP":
        return f"MAP(VARCHAR, {_spelled(type_.inner[1])})"
    if type_.name in {"LIST", "ARRAY"}:
        return f"{_spelled(type_.inner[0])}{'[]' if type_.name == 'LIST' else f'[{type_.numbers[0]}]'}"
    if type_.inner:
        names = [f"{quoted(name)} " for name in type_.fields] or [""] * len(type_.inner)
        parts = (f"{name}{_spelled(inner)}" for name, inner in zip(names, type_.inner, strict=True))
        return f"{type_.name}({', '.join(parts)})"
    return type_.name if type_.name in _AS_THEY_ARE | {"BLOB"} else "VARCHAR"


def _bounded(text: str) -> str:
    """A text that is too long for any answer is cut before Python gets to hold it."""
    return f"CASE WHEN strlen({text}) > {_LONGEST_CELL} THEN substring({text}, 1, {_LONGEST_CELL}) ELSE {text} END"
