"""One empty database in memory for one request, with datasets as views over their files."""

# ruff: noqa: S608 - statements are put together from quoted names and constants

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quintet.adapters.dataset_cache import DatasetCache, DoesNotFit
from quintet.adapters.duckdb_fence import SqlFault, Watch, close_up, message_of
from quintet.adapters.duckdb_files import columns_of, reading
from quintet.adapters.duckdb_rows import write_lines
from quintet.adapters.duckdb_types import quoted
from quintet.domain.errors import NotFound

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_PLACE = "\n\nLINE 1:"  # in a statement that is ours
_OWN_CATALOG, _OWN_SCHEMA = "memory", "main"
_RESERVED = frozenset({"system", "temp", "information_schema", "pg_catalog"})


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset as an event names it; `columns` are None where they have to be found out."""

    format: str
    parts: Sequence[str]
    columns: Mapping[str, str] | None = None
    row_count: int | None = None

    @classmethod
    def from_event(cls, given: Mapping[str, Any]) -> "Source":
        """Of {format, parts, columns [{name, type}], rowCount}."""
        columns = {one["name"]: one["type"] for one in given.get("columns") or ()}
        known = bool(columns) or not given["parts"]
        return cls(given["format"], tuple(given["parts"]), columns if known else None, given.get("rowCount"))


@dataclass
class Session:
    """The database; files are fetched into `cache`, and `folder` is this request's own."""

    duckdb: Any
    connection: Any
    folder: Path
    cache: DatasetCache
    watch: Watch
    held: ExitStack
    files: dict[Path, str] = field(default_factory=dict)
    """Whose each file is that a query may read."""
    row_counts: dict[str, int | None] = field(default_factory=dict)

    def add(self, table: str, source: Source) -> dict[str, str]:
        """A table for a dataset; its columns. Raises SqlFault."""
        files = self._fetched(table, source)
        columns = dict(source.columns) if source.columns is not None else self._columns(table, source.format, files)
        self.connection.execute(
            f"CREATE VIEW {quoted(table)} AS SELECT * FROM {reading(source.format, files, columns)}"
        )
        self.row_counts[table] = source.row_count
        return columns

    def add_empty(self, table: str, columns: Mapping[str, str]) -> None:
        """A table of those columns without rows."""
        self.connection.execute(f"CREATE VIEW {quoted(table)} AS SELECT * FROM {reading('', (), columns)}")

    def add_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """A table for rows of JSON. Raises SqlFault."""
        path = self.folder / f"rows-{len(self.row_counts)}"
        write_lines(path, rows)
        self.files[path] = table
        columns = self._columns(table, "jsonl", [path])
        source = reading("jsonl", [path], columns)
        self.connection.execute(f"CREATE TABLE {quoted(table)} AS SELECT * FROM {source}")
        del self.files[path]
        path.unlink()
        self.row_counts[table] = len(rows)

    def describe(self, source: Source) -> tuple[dict[str, str], int, int]:
        """What a dataset's files hold: columns, rows, bytes. Of Parquet only the files' ends are read. Raises SqlFault."""
        the = "the file" if len(source.parts) == 1 else "the files"
        if source.format == "parquet":
            files, size = self._footers(the, source)
        else:
            files = self._fetched(the, source)
            size = sum(path.stat().st_size for path in files)
        columns = self._columns(the, source.format, files)
        # A column has lines of JSON read as they will be; of Parquet the count alone is at the file's end.
        first = [f"count({quoted(name)})" for name in columns][: source.format != "parquet"]
        query = f"SELECT {', '.join(['count(*)', *first])} FROM {reading(source.format, files, columns)}"
        try:
            [(count, *_)] = self.connection.execute(query).fetchall()
        except self.duckdb.Error as error:
            self._refuse(the, error)
            raise
        return columns, int(count), size

    def settle(self, tables: Sequence[str], catalog: str | None, schema: str | None, out: Path | None = None) -> None:
        """Makes the tables known under a catalog and schema too, then closes everything else. Raises SqlFault."""
        if catalog is not None or schema is not None:
            self._name_in_full(tables, catalog or _OWN_CATALOG, schema or _OWN_SCHEMA)
        close_up(self.connection, self.folder, list(self.files), out)

    def named(self, text: str) -> str:
        """A message of DuckDB with the tables instead of their files."""
        for path, table in self.files.items():
            text = text.replace(str(path), table)
        return text.replace(str(self.folder), "")

    def _name_in_full(self, tables: Sequence[str], catalog: str, schema: str) -> None:
        for what, name in (("catalog", catalog), ("schema", schema)):
            if not _NAME.fullmatch(name) or name.lower() in _RESERVED:
                raise SqlFault("BadInput", f"{what}: {name[:100]!r} can't be the name of one")
        if catalog.lower() != _OWN_CATALOG:
            self.connection.execute(f"ATTACH ':memory:' AS {quoted(catalog)}")
        place = f"{quoted(catalog)}.{quoted(schema)}"
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {place}")
        if (catalog.lower(), schema.lower()) != (_OWN_CATALOG, _OWN_SCHEMA):
            for table in tables:
                own = f"{_OWN_CATALOG}.{_OWN_SCHEMA}.{quoted(table)}"
                self.connection.execute(f"CREATE VIEW {place}.{quoted(table)} AS SELECT * FROM {own}")
        self.connection.execute(f"USE {place}")

    def _fetched(self, table: str, source: Source) -> list[Path]:
        try:
            files = self.held.enter_context(self.cache.files(source.parts, self.watch.check))
        except NotFound:
            raise SqlFault("BadInput", f"the dataset of {table} no longer exists") from None
        except DoesNotFit as large:
            raise SqlFault("TooLarge", f"{table} is too large for this engine: {large}") from None
        self.files |= dict.fromkeys(files, table)
        return files

    def _footers(self, table: str, source: Source) -> tuple[list[Path], int]:
        try:
            found = self.cache.footers(source.parts, self.folder / "footers", self.watch.check)
        except NotFound:
            raise SqlFault("BadInput", f"{table}: not there") from None
        self.files |= {path: table for path, _ in found}
        return [path for path, _ in found], sum(size for _, size in found)

    def _columns(self, table: str, format_: str, files: Sequence[Path]) -> dict[str, str]:
        try:
            return columns_of(self.connection, format_, files)
        except self.duckdb.Error as error:
            self._refuse(table, error)
            raise
        except SqlFault as fault:
            raise SqlFault(fault.type, f"{table}: {fault}") from None

    def _refuse(self, table: str, error: Exception) -> None:
        """A file that can't be read is a fault of the input; but a time-out or a lack of memory stays what it is. Raises SqlFault."""
        self.watch.check()
        if not isinstance(error, self.duckdb.OutOfMemoryException):
            told = self.named(message_of(error)).partition(_PLACE)[0]
            raise SqlFault("BadInput", f"{table} can't be read: {told}") from None


@contextmanager
def opened(
    duckdb: Any, cache: Callable[[Path], DatasetCache], watch: Watch, folder: Path, memory_mb: int
) -> Iterator[Session]:
    """A session, watched; DuckDB's own exceptions become SqlFault."""
    connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": f"{memory_mb}MB"})
    try:
        with ExitStack() as held:
            session = Session(duckdb, connection, folder, cache(folder), watch, held)
            with watch.over(duckdb, connection, session.named):
                yield session
    finally:
        connection.close()
