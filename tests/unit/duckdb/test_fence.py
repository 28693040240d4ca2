"""What a query must not do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "sql",
    [
        "", ";", "-- nothing", "SELEC 1", "SELECT 1; SELECT 2", "CREATE TABLE x AS SELECT 1", "DROP TABLE t", "DELETE FROM t",
        "INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "COPY (SELECT 1) TO 'x'", "ATTACH 'x.db'", "INSTALL httpfs",
        "LOAD httpfs", "SET threads = 9", "RESET threads", "PRAGMA version", "CALL pragma_version()", "EXPORT DATABASE 'x'",
        "PREPARE q AS SELECT 1", "EXECUTE q", "EXPLAIN SELECT 1", "VACUUM", "CHECKPOINT", "BEGIN",
        "WITH d AS (SELECT 1) INSERT INTO t FROM d", "DELETE FROM t RETURNING *", "SELECT 1; DROP TABLE t",
        "CREATE SECRET (TYPE s3)", "USE memory",
    ],
)  # fmt: skip
def test_only_one_select(ask: Ask, sql: str) -> None:
    """Everything else is refused before anything runs."""
    answer = ask(sql, inputs={"t": {"rows": [{"a": 1}]}})

    assert (answer["ok"], answer["error"]["type"]) == (False, "BadSql")


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1", "select 1;", "SELECT 1 -- done; DROP TABLE t", "WITH d AS (SELECT 1) FROM d", "VALUES (1)", "FROM t", "TABLE t",
     "(SELECT 1) UNION ALL (SELECT 2)", "SELECT ';'", "DESCRIBE t"],
)  # fmt: skip
def test_every_way_to_read_is_a_select(ask: Ask, sql: str) -> None:
    """Comments and semicolons at the end too."""
    assert ask(sql, inputs={"t": {"rows": [{"a": 1}]}})["ok"] is True


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('{file}')", "SELECT * FROM read_csv('{file}')", "SELECT * FROM read_json('{file}')",
        "SELECT * FROM read_blob('{file}')", "SELECT * FROM '{file}'", "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM parquet_metadata('{file}')", "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
        "SELECT * FROM 'https://x.example/a.csv'", "SELECT * FROM read_parquet('s3://bucket/key')",
        "SELECT getenv('HOME')", "SELECT * FROM duckdb_secrets()", "SELECT * FROM sqlite_scan('{file}', 't')",
    ],
)  # fmt: skip
def test_no_file_and_no_network(ask: Ask, tmp_path: Path, query: str) -> None:
    """Not by any reader, nor by a name that looks like a file."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\ns3cret\n")

    answer = ask(query.format(file=secret, folder=tmp_path))

    assert answer["ok"] is False
    assert "s3cret" not in str(answer)


def test_variables_of_the_program_are_not_tables(ask: Ask) -> None:
    """Though DuckDB's Python package likes to find them."""
    rows = [{"s3cret": 1}]

    answer = ask("SELECT * FROM rows")

    assert answer["ok"] is False
    assert rows


def test_settings_are_locked(ask: Ask) -> None:
    """Also from inside a query."""
    assert ask("SELECT set_config('threads', '9', false)")["ok"] is False
    assert ask("SELECT current_setting('lock_configuration') AS x")["preview"] == [{"x": True}]


def test_a_query_has_a_time_limit(ask: Ask) -> None:
    """After which it is interrupted."""
    sql = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range * b.range % 7 = 3"

    assert ask(sql, timeout=0.3)["error"]["type"] == "Timeout"


def test_a_query_has_a_memory_limit(ask: Ask) -> None:
    """What can't be spilled fails, as an error of its own."""
    answer = ask("SELECT list(repeat('x', 1000) || range::VARCHAR) AS l FROM range(2000000)", timeout=60)

    assert answer["error"]["type"] == "OutOfMemory"


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM nowhere", "SELECT b FROM t", "SELECT 'x'::INTEGER", "SELECT nix(1)", "SELECT a FROM t GROUP BY"]
)  # fmt: skip
def test_wrong_queries_say_why(ask: Ask, sql: str) -> None:
    """With DuckDB's own message."""
    answer = ask(sql, inputs={"t": {"rows": [{"a": 1}]}})

    assert answer["error"]["type"] in ("SqlError", "BadSql")
    assert len(answer["error"]["message"]) > 10


@pytest.mark.parametrize(
    "source",
    [{"dataset": {"blob": "gone", "format": "csv"}}, {"rows": [{"a": 1, "A": 2}]}],
)
def test_bad_inputs(ask: Ask, source: dict[str, Any]) -> None:
    """A dataset that is gone, and columns SQL can't tell apart."""
    assert ask("SELECT 1", inputs={"t": source})["error"]["type"] == "BadInput"
