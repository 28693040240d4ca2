"""Files of datasets as DuckDB reads them: what SQL stands for them, and what columns they have."""

# ruff: noqa: S608 - statements are put together from quoted names and constants

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quintet.adapters.duckdb_fence import SqlFault
from quintet.adapters.duckdb_types import literal, parse, quoted

Columns = Mapping[str, str]
"""The types of columns, by name, in order."""

LONGEST_ROW = 16 * 1024 * 1024
_LONGEST_ROW_AT_ALL = 64 * 1024 * 1024
_PARQUET = "read_parquet({files}, union_by_name=true, hive_partitioning=false)"
# As RFC 4180 has it, but for the delimiter. What is not quoted and empty is null.
_CSV = (
    """read_csv({files}, header=true, skip=0, delim={delimiter}, quote='"', escape='"', comment='', allow_quoted_nulls=false, """
    "union_by_name={many}, hive_partitioning=false, compression='none', {more})"
)
_DELIMITERS = ",;\t|"
_HEADER_BYTES = 65_536
_JSON = (
    "read_json({files}, format='newline_delimited', records='true', compression='none', hive_partitioning=false, "
    "maximum_object_size={longest}, {more})"
)
# Every line is looked at, in every file; and no text becomes a date.
_FIND_OUT_JSON = (
    "sample_size=-1, maximum_sample_files=100000, maximum_depth=2, field_appearance_threshold=0, map_inference_threshold=-1, "
    "union_by_name=true, convert_strings_to_integers=false, dateformat='%%', timestampformat='%%'"
)
_SCALARS = frozenset({"BOOLEAN", "BIGINT", "HUGEINT", "DOUBLE", "VARCHAR"})
_MAX_HUGEINT_DIGITS = 38


def reading(format_: str, files: Sequence[Path], columns: Columns) -> str:
    """The table function (or query) that reads files of those columns. Without files there are no rows."""
    if not files:
        shown = ", ".join(f"NULL::{_castable(type_)} AS {quoted(name)}" for name, type_ in columns.items())
        return f"(SELECT {shown or 'NULL AS _'} WHERE false)"
    if format_ == "parquet":
        return _PARQUET.format(files=_listed(files))
    listed = ", ".join(f"{literal(name)}: {literal(type_)}" for name, type_ in columns.items())
    if format_ == "csv":
        return _csv(files, f"types={{{listed}}}")
    if not columns:  # lines of empty objects: rows without anything in them
        return f"(SELECT NULL AS _ FROM {_json(files, 'columns={_: JSON}')})"
    return _json(files, f"columns={{{listed}}}")


def columns_of(connection: Any, format_: str, files: Sequence[Path]) -> dict[str, str]:
    """The columns of files: Parquet's own, a CSV's by its header and all its rows, those of JSON lines by all their keys.

    Raises SqlFault.
    """
    if not files:
        return {}
    if format_ == "parquet":
        return described(connection, f"SELECT * FROM {_PARQUET.format(files=_listed(files))}")
    if format_ == "csv":
        if not any(path.stat().st_size for path in files):
            raise SqlFault("BadInput", "a CSV begins with a line that names its columns; this one is empty")
        return _csv_columns(connection, files)
    if format_ == "jsonl":
        return _json_columns(connection, files)
    raise SqlFault("BadInput", f"unknown format {format_!r}")


def described(connection: Any, query: str) -> dict[str, str]:
    """The columns of a query's answer, each of another name."""
    return {name: type_ for name, type_, *_ in connection.execute(f"DESCRIBE {query}").fetchall()}


def _csv_columns(connection: Any, files: Sequence[Path]) -> dict[str, str]:
    import duckdb

    try:
        return described(connection, f"SELECT * FROM {_csv(files, 'sample_size=-1')}")
    except duckdb.InvalidInputException:
        # It only says then that it could not find out how the file is written; told that, it names the line at fault.
        for path in files:
            names = range(len(next(csv.reader([_header(path)], delimiter=_delimiter(files)), ())))
            texts = ", ".join(f"'c{place}': 'VARCHAR'" for place in names)
            told = _csv([path], f"auto_detect=false, columns={{{texts}}}")
            connection.execute(f"SELECT count(*) FROM {told}").fetchall()
        raise


def _json_columns(connection: Any, files: Sequence[Path]) -> dict[str, str]:
    """The narrowest type of each column that holds all its values: BOOLEAN, BIGINT, HUGEINT, DOUBLE, VARCHAR; JSON for what is nested."""
    [(others, filled)] = connection.execute(
        "SELECT count(*) FILTER (json_type(json) IS DISTINCT FROM 'OBJECT'), count(*) FILTER (json::VARCHAR <> '{}') "
        f"FROM {_lines(files)}"
    ).fetchall()
    if others:
        raise SqlFault("BadInput", "every line must be a JSON object")
    if not filled:
        return {}
    import duckdb

    try:
        found = described(connection, f"SELECT * FROM {_json(files, _FIND_OUT_JSON)}")
    except duckdb.BinderException:
        raise SqlFault("BadInput", "a key has no name") from None
    _refuse_mixed_names(connection, files, found)
    types = {name: _json_type(type_) for name, type_ in found.items()}
    unclear = [name for name, type_ in types.items() if type_ in {"DOUBLE", "JSON"}]
    return {**types, **_look_closer(connection, files, types, unclear)} if unclear else types


def _json_type(found: str) -> str:
    if parse(found).name in {"NULL", "UUID"}:
        return "VARCHAR"
    if found.startswith("U") and found.endswith("INT"):
        return "HUGEINT"
    return found if found in _SCALARS else "JSON"


def _look_closer(connection: Any, files: Sequence[Path], types: Columns, unclear: Sequence[str]) -> dict[str, str]:
    """Whole numbers of more than 64 bits, which pass for DOUBLE, and texts among numbers, which pass for JSON."""
    asked = dict.fromkeys(unclear, "JSON")
    source = reading("jsonl", files, asked)
    looks = []
    for name in unclear:
        column = quoted(name)
        if types[name] == "DOUBLE":
            looks.append(rf"bool_and(regexp_full_match({column}::VARCHAR, '-?\d{{1,{_MAX_HUGEINT_DIGITS}}}'))")
        else:
            looks.append(f"bool_or(json_type({column}) IN ('OBJECT', 'ARRAY'))")
    [answers] = connection.execute(f"SELECT {', '.join(looks)} FROM {source}").fetchall()
    closer = {}
    for name, answer in zip(unclear, answers, strict=True):
        if types[name] == "DOUBLE":
            closer[name] = "HUGEINT" if answer else "DOUBLE"
        else:
            closer[name] = "JSON" if answer else "VARCHAR"
    return closer


def _refuse_mixed_names(connection: Any, files: Sequence[Path], found: Columns) -> None:
    """Keys that differ by case only are one column in SQL; DuckDB gives the second a name that no row has."""
    stems = {name.lower() for name in found}
    if not any(name.rpartition("_")[0].lower() in stems for name in found if name.rpartition("_")[2].isdigit()):
        return
    keys = connection.execute(
        f"SELECT DISTINCT unnest(json_keys(json)) AS key FROM {_lines(files)} ORDER BY key"
    ).fetchall()
    spelled: dict[str, str] = {}
    for (key,) in keys:
        if (other := spelled.setdefault(key.lower(), key)) != key:
            raise SqlFault("BadInput", f"{other!r} and {key!r} are one column in SQL")


def _json(files: Sequence[Path], more: str) -> str:
    return _JSON.format(files=_listed(files), longest=_longest(files), more=more)


def _lines(files: Sequence[Path]) -> str:
    return f"read_ndjson_objects({_listed(files)}, maximum_object_size={_longest(files)})"


def _csv(files: Sequence[Path], more: str) -> str:
    return _CSV.format(
        files=_listed(files), delimiter=literal(_delimiter(files)), many=str(len(files) > 1).lower(), more=more
    )


def _delimiter(files: Sequence[Path]) -> str:
    """The one that the line of names has most of, outside of quotes: what DuckDB finds out for itself may make rows vanish."""
    bare = next((bare for path in files if (bare := re.sub(r'"[^"]*"', "", _header(path)))), "")
    return max(_DELIMITERS, key=bare.count)


def _header(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEADER_BYTES).decode(errors="replace").lstrip().partition("\n")[0]


def _longest(files: Sequence[Path]) -> int:
    """What one line may have: more than DuckDB allows unless told, since all its buffers are as large."""
    return min(max(LONGEST_ROW, *(path.stat().st_size for path in files)), _LONGEST_ROW_AT_ALL)


def _castable(type_: str) -> str:
    name = parse(type_).name
    return "VARCHAR" if name == "NULL" else type_


def _listed(files: Sequence[Path]) -> str:
    return f"[{', '.join(literal(str(path)) for path in files)}]"
