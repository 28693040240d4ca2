"""One SELECT over datasets and rows, in DuckDB, fenced off from files and network.

Inputs are loaded as tables first; then external access is closed but for the one folder the answer is written to, and the configuration
is locked, before anything of the query is executed.
"""

# ruff: noqa: S608 - statements are put together from quoted names and constants; values are parameters

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quintet.adapters.duckdb_rows import MixedNames, preview_value, table_of_lines, write_lines
from quintet.domain.errors import NotFound
from quintet.services.ports.world import Blobs

PREVIEW_ROWS = 20
MAX_PREVIEW_ROWS = 1000
DEFAULT_TIMEOUT = 60.0
MAX_DATASET = 1024 * 1024 * 1024
_ANSWER = "__answer"
_READERS = {"parquet": "read_parquet(?)", "csv": "read_csv(?)"}
_WRITERS = {"parquet": "(FORMAT parquet)", "csv": "(FORMAT csv, HEADER)", "jsonl": "(FORMAT json)"}
_CONTENT_TYPES = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv", "jsonl": "application/x-ndjson"}


class SqlFault(Exception):
    """The query can't be answered: `type` is BadSql, SqlError, BadInput, Timeout, OutOfMemory or TooLarge."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


class SqlEngine:
    """Answers queries; every one in a database of its own, in memory."""

    def __init__(self, blobs: Blobs, memory_mb: int | None = None) -> None:
        self._blobs = blobs
        # Python and the buffers around DuckDB need their part of a function's memory.
        self._memory_mb = memory_mb or int(int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")) * 0.6)

    def run(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answers {sql, inputs {table: {rows} | {dataset: {blob, format}}}, output {blob, format} | null, limit, timeout (seconds)}.

        {ok, rowCount, columns [{name, type}], preview (`limit` rows, 20 by default), sizeBytes} or {ok: false, error: {type, message}}.
        In the preview integers stay integers; decimals, dates, times and UUIDs are texts, binary is base64.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="sql-") as folder:
                return {"ok": True, **self._answer(event, Path(folder))}
        except SqlFault as fault:
            return {"ok": False, "error": {"type": fault.type, "message": str(fault)}}

    def _answer(self, event: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        # Here, since it takes 200 ms and a layer of its own: whoever only imports this module pays for neither.
        import duckdb

        sql = _only_select(duckdb, str(event["sql"]))
        out = folder / "out"
        out.mkdir()
        connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": f"{self._memory_mb}MB"})
        try:
            with _faults_named(duckdb, connection, float(event.get("timeout") or DEFAULT_TIMEOUT)):
                for table, source in event.get("inputs", {}).items():
                    self._load(connection, table, source, folder)
                _close_up(connection, folder, out)
                connection.execute(f"CREATE TEMP TABLE {_ANSWER} AS {sql}")
                return self._deliver(connection, event, out)
        finally:
            connection.close()

    def _load(self, connection: Any, table: str, source: Mapping[str, Any], folder: Path) -> None:
        path = folder / f"input-{table}"
        format_ = "jsonl"
        if "rows" in source:
            write_lines(path, source["rows"])
        else:
            dataset = source["dataset"]
            format_ = dataset["format"]
            try:
                path.write_bytes(self._blobs.get(dataset["blob"]))
            except NotFound:
                raise SqlFault("BadInput", f"the dataset of {table} no longer exists") from None
        if format_ == "jsonl":
            try:
                table_of_lines(connection, table, path)
            except MixedNames as mixed:
                raise SqlFault("BadInput", f"rows of {table}: {mixed}") from None
        elif format_ in _READERS:
            connection.execute(f"CREATE TABLE {quoted(table)} AS SELECT * FROM {_READERS[format_]}", [str(path)])
        else:
            raise SqlFault("BadInput", f"the dataset of {table} has an unknown format {format_}")
        path.unlink()

    def _deliver(self, connection: Any, event: Mapping[str, Any], out: Path) -> dict[str, Any]:
        _narrow(connection)
        columns = _columns(connection)
        (count,) = connection.execute(f"SELECT count(*) FROM {_ANSWER}").fetchone()
        limit = min(int(event.get("limit") or PREVIEW_ROWS), MAX_PREVIEW_ROWS)
        output = event.get("output")
        return {
            "rowCount": count,
            "columns": columns,
            "preview": _preview(connection, columns, limit),
            "sizeBytes": self._write(connection, output, out) if output else 0,
        }

    def _write(self, connection: Any, output: Mapping[str, Any], out: Path) -> int:
        format_ = output["format"]
        path = out / f"answer.{format_}"
        connection.execute(f"COPY {_ANSWER} TO '{path}' {_WRITERS[format_]}")
        size = path.stat().st_size
        if size > MAX_DATASET:
            raise SqlFault("TooLarge", f"the dataset is {size} bytes; at most {MAX_DATASET} are allowed")
        self._blobs.put(output["blob"], path.read_bytes(), _CONTENT_TYPES[format_])
        return size


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _only_select(duckdb: Any, sql: str) -> str:
    """The query, when it is one and only reads. DuckDB's own parser tells statements apart."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise SqlFault("BadSql", _message(error)) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise SqlFault("BadSql", "sql must be one SELECT (WITH, FROM and VALUES too)")
    query: str = statements[0].query
    return query.strip().rstrip(";")


def _close_up(connection: Any, folder: Path, out: Path) -> None:
    """Nothing beyond this line can reach a file outside `out`, the network, an extension, Python's variables or the settings."""
    for setting in (
        f"temp_directory='{folder / 'spill'}'",
        "max_temp_directory_size='1GB'",
        f"allowed_directories=['{out}']",
        "python_enable_replacements=false",
        "autoinstall_known_extensions=false",
        "autoload_known_extensions=false",
        "allow_community_extensions=false",
        "TimeZone='UTC'",
        "enable_external_access=false",
        "lock_configuration=true",
    ):
        connection.execute(f"SET {setting}")


def _columns(connection: Any) -> list[dict[str, str]]:
    described = connection.execute(f"DESCRIBE {_ANSWER}").fetchall()
    return [{"name": name, "type": type_} for name, type_, *_ in described]


def _narrow(connection: Any) -> None:
    """Makes sums of integers BIGINT where they fit: DuckDB gives them 128 bits, which Parquet would turn into floating point."""
    for column in _columns(connection):
        if column["type"] == "HUGEINT":
            name = quoted(column["name"])
            low, high = connection.execute(f"SELECT min({name}), max({name}) FROM {_ANSWER}").fetchone()
            if low is None or (low >= -(2**63) and high < 2**63):
                connection.execute(f"ALTER TABLE {_ANSWER} ALTER {name} TYPE BIGINT")


def _preview(connection: Any, columns: list[dict[str, str]], limit: int) -> list[dict[str, Any]]:
    # Times with a zone are read as text: as Python objects they would need a package for time zones.
    chosen = ", ".join(
        f"CAST({quoted(column['name'])} AS VARCHAR)" if "WITH TIME ZONE" in column["type"] else quoted(column["name"])
        for column in columns
    )
    rows = connection.execute(f"SELECT {chosen} FROM {_ANSWER} LIMIT {limit}").fetchall()
    return [
        {column["name"]: preview_value(value, column["type"]) for column, value in zip(columns, row, strict=True)}
        for row in rows
    ]


@contextmanager
def _faults_named(duckdb: Any, connection: Any, timeout: float) -> Iterator[None]:
    """Interrupts what takes too long, and turns DuckDB's exceptions into faults."""
    over = threading.Event()

    def interrupt() -> None:
        over.set()
        connection.interrupt()

    timer = threading.Timer(timeout, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise SqlFault("OutOfMemory", _message(error)) from None
    except (duckdb.Error, RuntimeError) as error:
        if over.is_set():
            raise SqlFault("Timeout", f"the query ran for more than {timeout:g} s") from None
        raise SqlFault("SqlError", _message(error)) from None
    finally:
        timer.cancel()


def _message(error: Exception) -> str:
    return str(error).strip()[:2000]
