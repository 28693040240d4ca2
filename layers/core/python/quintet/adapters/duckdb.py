"""SQL over datasets and rows, in DuckDB: what the SQL function does.

An event says by `mode` what is wanted: `query` (rows), `make` (a file), `describe` (what is in files), `check` (which tables and columns a
statement has); one without is a `sql` step's, which makes a file and shows its first rows.
"""

# ruff: noqa: S608 - statements are put together from quoted names and constants

import os
import resource
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from quintet.adapters import duckdb_answers as answers
from quintet.adapters.dataset_cache import DatasetCache
from quintet.adapters.duckdb_fence import GRACE_SECONDS, SqlFault, Watch
from quintet.adapters.duckdb_files import described, reading
from quintet.adapters.duckdb_rows import preview_value
from quintet.adapters.duckdb_session import Session, Source, opened
from quintet.adapters.duckdb_statements import only_select, tables_of
from quintet.adapters.duckdb_types import literal, quoted
from quintet.services.ports.world import Blobs

PREVIEW_ROWS = 20
MAX_PREVIEW_ROWS = 1000
MOST_ROWS = 10_000
_TIMES = {"timeout": 60.0, "grace": GRACE_SECONDS}
MAX_DATASET = 1024 * 1024 * 1024
_ANSWER = "__answer"
_WRITERS = {"parquet": "(FORMAT parquet)", "csv": "(FORMAT csv, HEADER)", "jsonl": "(FORMAT json)"}
_CONTENT_TYPES = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv", "jsonl": "application/x-ndjson"}


class SqlEngine:
    """Answers events; every one in a database of its own, in memory."""

    def __init__(self, blobs: Blobs, memory_mb: int | None = None, cache: Path | None = None) -> None:
        """`cache`: where the files of datasets are kept from one event to the next; None: they are not."""
        self._blobs = blobs
        # Python and the buffers around DuckDB need their part of a function's memory.
        self._memory_mb = memory_mb or int(int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")) * 0.6)
        self._cache = cache

    def run(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """{ok: true, ...} as the mode's method says, or {ok: false, error: {type, message}}. All take `timeout` (seconds, the fetching of
        files included), `grace` (how much longer what heeds no interruption has, until the process ends) and `leash`, the name of a blob
        that ends them."""
        modes = {"query": self._query, "make": self._make, "describe": self._describe, "check": self._check}
        act = modes.get(event.get("mode", ""), self._step)
        seconds, grace = (float(event.get(name) or usual) for name, usual in _TIMES.items())
        watch = Watch(seconds, self._blobs, event.get("leash"), grace)
        try:
            with tempfile.TemporaryDirectory(prefix="sql-") as folder:
                # Here, since it takes 200 ms and a layer of its own: whoever only imports this module pays for neither.
                import duckdb

                with opened(duckdb, self._files, watch, Path(folder), self._memory_mb) as session:
                    return {"ok": True, **act(session, event)}
        except SqlFault as fault:
            return fault.to_dict()

    def _files(self, folder: Path) -> DatasetCache:
        return DatasetCache(self._blobs, self._cache or folder / "datasets")

    # --- the modes -------------------------------------------------------------------------------------------------------------

    def _query(self, session: Session, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answers {sql, tables {name: {format, parts, columns}}, limit, offset, catalog, schema}: {columns, rows (lists)}."""
        sql = only_select(session.duckdb, str(event["sql"]))
        self._load(session, event)
        columns = described(session.connection, f"SELECT * FROM (\n{sql}\n)")
        limit, offset = max(0, min(int(event["limit"]), MOST_ROWS)), max(0, int(event.get("offset") or 0))
        rows = answers.page(session.connection, sql, columns, limit, offset)
        return {"columns": _listed(columns), "rows": rows}

    def _check(self, session: Session, event: Mapping[str, Any]) -> dict[str, Any]:
        """Looks at {sql, tables {name: {columns}}, catalog, schema} without the tables' rows: {tables (those it names), columns}."""
        sql = only_select(session.duckdb, str(event["sql"]))
        for name, given in event["tables"].items():
            session.add_empty(name, {one["name"]: one["type"] for one in given["columns"]})
        session.settle(list(event["tables"]), event.get("catalog"), event.get("schema"))
        columns = described(session.connection, f"SELECT * FROM (\n{sql}\n)")
        return {"tables": sorted(tables_of(session.connection, sql)), "columns": _listed(columns)}

    def _describe(self, session: Session, event: Mapping[str, Any]) -> dict[str, Any]:
        """Looks into {format, parts}: {columns, rowCount, sizeBytes}."""
        source = Source.from_event({**event, "columns": None})
        columns, count, size = session.describe(source)
        return {"columns": _listed(columns), "rowCount": count, "sizeBytes": size}

    def _make(self, session: Session, event: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the answer of {sql, tables, catalog, schema} into the blob `into` in `format`: {columns, rowCount, sizeBytes, rowsRead (of
        the tables that it names; null where that is not known), cpuSeconds, memoryBytes}."""
        before = _usage_begins()
        sql = only_select(session.duckdb, str(event["sql"]))
        out = session.folder / "out"
        out.mkdir()
        self._load(session, event, out)
        format_ = event.get("format") or "parquet"
        path, columns, count = _write(session, sql, format_, out)
        told = {
            "columns": _listed(columns),
            "rowCount": count,
            "sizeBytes": self._keep(path, event["into"], format_),
            "rowsRead": _rows_read(session, sql),
        }
        return {**told, **_usage(before)}

    def _step(self, session: Session, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answers {sql, inputs {table: {rows} | {dataset: {blob | parts, format}}}, output {blob, format} | null, limit}.

        {rowCount, columns [{name, type}], preview (`limit` rows, 20 by default), sizeBytes}. In the preview integers stay integers;
        decimals, dates, times and UUIDs are texts, binary is base64.
        """
        sql = only_select(session.duckdb, str(event["sql"]))
        for table, given in event.get("inputs", {}).items():
            if "rows" in given:
                session.add_rows(table, given["rows"])
            else:
                dataset = given["dataset"]
                session.add(table, Source(dataset["format"], tuple(dataset.get("parts") or [dataset["blob"]])))
        out = session.folder / "out"
        out.mkdir()
        session.settle((), None, None, out)
        session.connection.execute(f"CREATE TEMP TABLE {_ANSWER} AS {sql}")
        return self._deliver(session, event, out)

    # --- what they share ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def _load(session: Session, event: Mapping[str, Any], out: Path | None = None) -> None:
        for name, given in event["tables"].items():
            session.add(name, Source.from_event(given))
        session.settle(list(event["tables"]), event.get("catalog"), event.get("schema"), out)

    def _deliver(self, session: Session, event: Mapping[str, Any], out: Path) -> dict[str, Any]:
        _narrow(session.connection)
        columns = described(session.connection, _ANSWER)
        [(count,)] = session.connection.execute(f"SELECT count(*) FROM {_ANSWER}").fetchall()
        limit = min(int(event.get("limit") or PREVIEW_ROWS), MAX_PREVIEW_ROWS)
        output, size = event.get("output"), 0
        if output:
            path, _, _ = _write(session, f"SELECT * FROM {_ANSWER}", output["format"], out)
            size = self._keep(path, output["blob"], output["format"])
        return {
            "rowCount": count,
            "columns": _listed(columns),
            "preview": _preview(session.connection, columns, limit),
            "sizeBytes": size,
        }

    def _keep(self, path: Path, blob: str, format_: str) -> int:
        size = path.stat().st_size
        if size > MAX_DATASET:
            raise SqlFault("TooLarge", f"the dataset is {size} bytes; at most {MAX_DATASET} are allowed")
        self._blobs.put_file(blob, path, _CONTENT_TYPES[format_])
        return size


def _listed(columns: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": type_} for name, type_ in columns.items()]


def _rows_read(session: Session, sql: str) -> int | None:
    named = tables_of(session.connection, sql)
    counts = [count for table, count in session.row_counts.items() if table.lower() in named]
    return None if None in counts else sum(count for count in counts if count is not None)


def _write(session: Session, sql: str, format_: str, out: Path) -> tuple[Path, dict[str, str], int]:
    """Writes a query's answer into a file of a folder; the file, the columns that it has, and its rows."""
    connection = session.connection
    session.watch.bound(out, MAX_DATASET)
    columns = described(connection, f"SELECT * FROM (\n{sql}\n)")
    # What is mostly a sum of integers stays one wherever 64 bits hold it; what they don't is known only when all was computed.
    for huge in ("BIGINT", "DECIMAL(38,0)") if answers.holds_huge(columns) else ("",):
        query = f"SELECT {answers.kept(columns, huge, format_)} FROM (\n{sql}\n)"
        # Each try has a file of its own: DuckDB removes that of one that failed, and some time after it has failed.
        path = out / f"{huge.partition('(')[0].lower() or 'answer'}.{format_}"
        try:
            [(count,)] = connection.execute(f"COPY ({query}) TO {literal(str(path))} {_WRITERS[format_]}").fetchall()
        except session.duckdb.ConversionException:
            if huge != "BIGINT":
                raise
        else:
            written = f"SELECT * FROM {reading('parquet', [path], {})}" if format_ == "parquet" else query
            return path, described(connection, written), int(count)
    raise AssertionError("unreachable")


def _narrow(connection: Any) -> None:
    """Makes sums of integers BIGINT where they fit: DuckDB gives them 128 bits, which Parquet would turn into floating point."""
    for name, type_ in described(connection, _ANSWER).items():
        if type_ == "HUGEINT":
            column = quoted(name)
            low, high = connection.execute(f"SELECT min({column}), max({column}) FROM {_ANSWER}").fetchone()
            if low is None or (low >= -(2**63) and high < 2**63):
                connection.execute(f"ALTER TABLE {_ANSWER} ALTER {column} TYPE BIGINT")


def _preview(connection: Any, columns: Mapping[str, str], limit: int) -> list[dict[str, Any]]:
    # Times with a zone are read as text: as Python objects they would need a package for time zones.
    chosen = ", ".join(
        f"CAST({quoted(name)} AS VARCHAR)" if "WITH TIME ZONE" in type_ else quoted(name)
        for name, type_ in columns.items()
    )
    rows = connection.execute(f"SELECT {chosen} FROM {_ANSWER} LIMIT {limit}").fetchall()
    return [
        {name: preview_value(value, type_) for (name, type_), value in zip(columns.items(), row, strict=True)}
        for row in rows
    ]


def _usage_begins() -> float:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    return _cpu_seconds()


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _usage(before: float) -> dict[str, Any]:
    """What this process has used since: processor seconds of all its threads, and the peak of its memory (null where it can't be told)."""
    peak = None
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return {"cpuSeconds": round(_cpu_seconds() - before, 6), "memoryBytes": peak}
