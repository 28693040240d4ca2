"""What a query over datasets must not do, or not do for long."""

import subprocess
import sys
import textwrap
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.memory import MemoryBlobs


@pytest.mark.parametrize(
    "sql",
    [
        "", "SELECT 1; SELECT 2", "COPY t TO 'x'", "COPY (SELECT 1) TO 'x.csv'", "ATTACH 'x.db'", "INSTALL httpfs", "LOAD json",
        "SET threads = 9", "PRAGMA version", "CREATE TABLE x AS FROM t", "EXPORT DATABASE 'x'", "CALL pragma_version()",
        "EXPLAIN ANALYZE FROM t", "USE memory", "DETACH memory", "INSERT INTO t VALUES (1)", "WITH x AS (SELECT 1) DELETE FROM t",
        "SELECT 1) UNION (SELECT 2", "CREATE SECRET (TYPE s3)", "CHECKPOINT", "RESET ALL",
        "BEGIN", "PREPARE q AS SELECT 1", "CREATE MACRO m() AS 1", "PIVOT t ON a", "LOAD '/x'", "SELECT 1" + " " * 100_000,
    ],
)  # fmt: skip
def test_only_one_select(datasets: Any, sql: str) -> None:
    """Everything else is refused, and before any file is fetched."""
    datasets.blobs.drop("datasets/t")

    assert datasets.fault(sql)[0] == "BadSql"


@pytest.mark.parametrize("mode", ["check", "make"])
def test_only_one_select_in_every_mode(datasets: Any, mode: str) -> None:
    """Also where no rows are answered."""
    answer = datasets.engine.run({"mode": mode, "sql": "SELECT 1; DROP TABLE t", "tables": {}, "into": "x"})

    assert answer["error"]["type"] == "BadSql"


@pytest.mark.parametrize(
    "query",
    [
        "read_parquet('{other}')", "read_csv('{other}')", "read_text('{other}')", "read_blob('{other}')", "read_json('{other}')",
        "'{other}'", "parquet_metadata('{other}')", "parquet_schema('{other}')", "glob('{folder}/*')", "glob('/**')",
        "read_parquet('{folder}/*')", "read_blob('{folder}/../{name}/*')", "read_text('/proc/self/environ')",
        "read_csv('/dev/stdin')", "read_parquet('s3://bucket/key')", "read_csv('https://x.example/a.csv')",
        "query('SELECT * FROM read_blob(''{other}'')')", "sniff_csv('{other}')", "read_duckdb('{other}')",
        "which_secret('s3://x', 's3')", "sqlite_scan('{other}', 't')", "read_ndjson_objects('{other}')",
    ],
)  # fmt: skip
def test_nothing_but_the_files_of_the_query(tmp_path: Path, query: str) -> None:
    """Not the datasets of others that lie in the same cache, not the process's environment, not the network."""
    blobs = MemoryBlobs()
    engine = SqlEngine(blobs, memory_mb=256, cache=tmp_path / "cache")
    made = {"tables": {}, "format": "parquet"}
    engine.run({"mode": "make", "sql": "SELECT 's3cret' AS s", "into": "other", **made})
    engine.run({"mode": "make", "sql": "SELECT 1 AS a", "into": "mine", **made})
    tables = {name: {"format": "parquet", "parts": [name]} for name in ("mine", "other")}
    asked = {"mode": "query", "limit": 10}
    assert engine.run({**asked, "sql": "FROM other", "tables": {"other": tables["other"]}})["rows"] == [["s3cret"]]
    [other] = (tmp_path / "cache").iterdir()

    sql = f"SELECT * FROM {query.format(other=other, folder=other.parent, name=other.parent.name)}"
    answer = engine.run({**asked, "sql": sql, "tables": {"mine": tables["mine"]}})

    assert answer["ok"] is False, answer
    assert "s3cret" not in str(answer)


def test_no_function_reads_the_surroundings(datasets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, variables of the program, settings."""
    monkeypatch.setenv("SECRET", "s3cret")
    rows = [{"s3cret": 1}]

    for sql in (
        "SELECT getenv('SECRET')",
        "FROM rows",
        "SELECT set_config('threads', '9', false)",
        "FROM duckdb_secrets()",
    ):
        assert "s3cret" not in str(datasets.ask(sql)), sql
    assert datasets.fault("FROM rows")[0] == "SqlError"
    assert datasets.rows("SELECT current_setting('lock_configuration')") == [[True]]
    assert rows


def test_tables_of_other_queries_are_not_there(datasets: Any) -> None:
    """Every query has a database of its own."""
    datasets.make("u", "FROM t")
    only = {"t": datasets.tables["t"]}

    answer = datasets.engine.run({"mode": "query", "sql": "FROM u", "tables": only, "limit": 1})

    assert "u does not exist" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("catalog", "schema"),
    [("x'; DROP", None), ("a b", None), ("ü", None), (None, "information_schema"), (None, "PG_Catalog"),
     ("system", None), ("temp", None), ("a" * 64, None), (None, 'x"'), ("1a", None)],
)  # fmt: skip
def test_names_of_catalogs_and_schemas_are_plain(datasets: Any, catalog: str | None, schema: str | None) -> None:
    """And none of the engine's own."""
    assert datasets.fault("FROM t", catalog=catalog, schema=schema)[0] == "BadInput"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range * b.range % 7 = 3",
        "SELECT max(x) FROM (WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) FROM r)",
        "SELECT a.a FROM t a, t b, t c, t d ORDER BY hash(a.b || b.b || c.b || d.b)",
    ],
)  # fmt: skip
def test_endless_queries_end(datasets: Any, sql: str) -> None:
    """By interruption, with the bound in the message."""
    assert datasets.fault(sql, timeout=0.4) == ("Timeout", "the query ran for more than 0.4 s")


def test_a_query_that_heeds_nothing_ends_with_its_process() -> None:
    """A function that DuckDB can't interrupt holds the processor no longer than its grace."""
    program = """
        from quintet.adapters.duckdb import SqlEngine
        from quintet.adapters.memory import MemoryBlobs
        sql = "SELECT levenshtein(repeat('a', 400000), repeat('b', 400000))"
        SqlEngine(MemoryBlobs(), 256).run({"mode": "query", "sql": sql, "tables": {}, "limit": 1, "timeout": 0.2, "grace": 0.2})
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], timeout=60, check=False, capture_output=True
    )

    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "sql",
    ["SELECT list(range) FROM range(100000000)", "SELECT string_agg(repeat('x', 1000), '') FROM range(10000000)"],
)  # fmt: skip
def test_hungry_queries_end(datasets: Any, sql: str) -> None:
    """What can't be spilled to disk is refused by the engine's own bound of memory."""
    assert datasets.fault(sql, timeout=30)[0] == "OutOfMemory"


@pytest.mark.parametrize("event", [{"mode": "make", "into": "made"}, {"output": {"blob": "made", "format": "csv"}}])
def test_what_is_written_has_a_bound(datasets: Any, event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query ends that writes more than a dataset may have, long before its time or the disk does."""
    monkeypatch.setattr("quintet.adapters.duckdb.MAX_DATASET", 1_000_000)
    rows = 10**11 if "mode" in event else 5 * 10**6

    answer = datasets.engine.run(
        {"sql": f"SELECT hash(range) AS h FROM range({rows})", "tables": {}, "timeout": 100, **event}
    )

    assert answer["error"]["type"] == "TooLarge"
    assert datasets.blobs.names("made", 1) == []


@pytest.mark.parametrize(
    "sql",
    ["SELECT " + "(" * 20_000 + "1" + ")" * 20_000, "SELECT " + "1 + " * 20_000 + "1", "SELECT " + "NOT " * 20_000 + "true"],
)  # fmt: skip
def test_deep_queries_are_refused(datasets: Any, sql: str) -> None:
    """No stack overflows."""
    assert datasets.fault(sql)[0] == "BadSql"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 20000000) AS x", "SELECT a, repeat('y', 1000) FROM range(10000) r(a)", "SELECT range(1000000) AS l",
        "SELECT repeat('ü', 1000000) AS x", "SELECT repeat(chr(34), 1500000) AS x", "SELECT repeat('z', 8000000)::BLOB AS z",
        "SELECT a AS " + '"' + "n" * 60_000 + '"' + " FROM t",
    ],
)  # fmt: skip
def test_answers_that_no_function_can_give(datasets: Any, sql: str) -> None:
    """The message names the bound; what counts is how many bytes travel, quotes and all beyond ASCII escaped."""
    type_, message = datasets.fault(sql, limit=10_000)

    assert type_ == "TooLarge"
    assert "5242880" in message


def test_an_answer_just_below_the_bound(datasets: Any) -> None:
    """Is given."""
    [[text]] = datasets.rows("SELECT repeat('x', 5242000) AS x")
    assert len(text) == 5242000


def test_a_leash_ends_a_query(datasets: Any, blobs: MemoryBlobs) -> None:
    """As soon as its blob is there, which may be before the query is."""
    sql = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range * b.range % 7 = 3"
    putting = Timer(0.3, blobs.put, ("leashes/r/1", b"{}"))
    putting.start()

    first = datasets.make("x", sql, leash="leashes/r/1", timeout=30)
    again = datasets.make("x", sql, leash="leashes/r/1", timeout=30)
    putting.join()

    assert [one["error"]["type"] for one in (first, again)] == ["Stopped", "Stopped"]


def test_messages_tell_nothing_of_the_machine(datasets: Any) -> None:
    """Tables instead of the files behind them."""
    datasets.blobs.put("datasets/t", b"PAR1 damaged PAR1")

    type_, message = datasets.fault("FROM t")

    assert type_ == "SqlError"
    assert "'t'" in message
    assert "sql-" not in message
