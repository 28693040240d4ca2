"""Queries over datasets, and the files that they make."""

import json
from typing import Any

import pytest

from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.memory import MemoryBlobs


def types(told: dict[str, Any]) -> dict[str, str]:
    """The columns of an answer by name."""
    return {column["name"]: column["type"] for column in told["columns"]}


def test_an_answer(datasets: Any) -> None:
    """Columns with their types, rows as lists; decimals are texts, so that nothing is lost on the way."""
    assert datasets.ask("SELECT a, b, d FROM t ORDER BY a DESC", limit=2) == {
        "ok": True,
        "columns": [
            {"name": "a", "type": "BIGINT"}, {"name": "b", "type": "VARCHAR"}, {"name": "d", "type": "DECIMAL(10,2)"}
        ],
        "rows": [[999, "n999", "249.75"], [998, "n998", "249.50"]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "limit", "offset", "expected"),
    [
        ("SELECT a FROM t", 3, 0, [0, 1, 2]),
        ("SELECT a FROM t", 3, 998, [998, 999]),
        ("SELECT a FROM t", 3, 1000, []),
        ("SELECT a FROM t", 0, 0, []),
        ("SELECT a FROM t ORDER BY a DESC", 2, 1, [998, 997]),
        ("SELECT a FROM t LIMIT 5", 10, 3, [3, 4]),
        ("SELECT a FROM t LIMIT 5 OFFSET 990", 2, 1, [991, 992]),
        ("SELECT a FROM t -- the end", 1, 0, [0]),
        ("SELECT a FROM t;", 1, 5, [5]),
        ("VALUES (7), (8)", 1, 1, [8]),
        ("(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 DESC", 1, 0, [2]),
        ("WITH x AS (FROM t WHERE a > 10) SELECT a FROM x", 1, 0, [11]),
    ],
)
def test_pages(datasets: Any, sql: str, limit: int, offset: int, expected: list[int]) -> None:
    """Limit and offset range over whatever the statement answers."""
    assert [a for (a,) in datasets.rows(sql, limit, offset=offset)] == expected


def test_at_most_ten_thousand_rows(datasets: Any) -> None:
    """Whatever is asked for."""
    assert len(datasets.rows("FROM range(20000)", limit=50_000)) == 10_000


@pytest.mark.parametrize(
    ("catalog", "schema", "named"),
    [
        ("c", "s", "c.s.t"), ("c", "s", "s.t"), ("c", "s", "t"), ("c", None, "c.t"), ("c", None, "c.main.t"), (None, "s", "s.t"),
        (None, None, "memory.main.t"), ("Memory", "MAIN", "memory.main.t"), ("c", "main", "c.t"), ("select", "from", '"select"."from".t'),
    ],
)  # fmt: skip
def test_tables_named_in_full(datasets: Any, catalog: str | None, schema: str | None, named: str) -> None:
    """By the catalog and schema that the caller says they are in."""
    sql = f"SELECT count(*), max({named}.a) FROM {named}"
    assert datasets.rows(sql, catalog=catalog, schema=schema) == [[1000, 999]]


def test_names_of_columns(datasets: Any) -> None:
    """Any; those that come twice, or differ in case only, get numbers."""
    sql = """SELECT 1 AS a, 2 AS a, 3 AS A, 4 AS "it's", 5 AS "q""q", 6 AS "ü n", 7 AS "select", 8"""
    answer = datasets.ask(sql)

    assert [column["name"] for column in answer["columns"]] == [
        "a", "a_1", "A_2", "it's", 'q"q', "ü n", "select", "8"
    ]  # fmt: skip
    assert answer["rows"] == [[1, 2, 3, 4, 5, 6, 7, 8]]


VALUES = [
    ("1.50::DECIMAL(10, 2)", "1.50"), ("12345678901234567890123456789012345678::DECIMAL(38, 0)", "12345678901234567890123456789012345678"),
    ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1), ("18446744073709551615::UBIGINT", 2**64 - 1),
    ("'NaN'::DOUBLE", "nan"), ("'-inf'::DOUBLE", "-inf"), ("0.1::FLOAT", "0.1"), ("1e300", 1e300), ("true", True), ("NULL", None),
    ("TIMESTAMPTZ '2020-01-01 00:00:00+02'", "2019-12-31 22:00:00+00"), ("TIMESTAMP '2020-01-01 00:00:00.12'", "2020-01-01 00:00:00.12"),
    ("TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", "2020-01-01 00:00:00.123456789"), ("'infinity'::TIMESTAMP", "infinity"),
    ("'290000-01-01'::DATE", "290000-01-01"), ("DATE '2020-02-29'", "2020-02-29"), ("TIME '10:00:00'", "10:00:00"),
    ("TIMETZ '10:00:00+01'", "10:00:00+01"), ("INTERVAL 1 MONTH", "1 month"), (r"'\xFF'::BLOB", "/w=="),
    ("'00000000-0000-0000-0000-000000000001'::UUID", "00000000-0000-0000-0000-000000000001"), ("'a'::ENUM('a', 'b')", "a"),
    ("[1.5, NULL]", ["1.5", None]), ("[1, 2]::INTEGER[2]", [1, 2]),
    ("{'a': 1.5, 'b c': [DATE '2020-01-01']}", {"a": "1.5", "b c": ["2020-01-01"]}),
    ("MAP {DATE '2020-01-01': [1.5]}", {"2020-01-01": ["1.5"]}), ("MAP {1: 'x'}", {"1": "x"}), ("row(1, 2.5)", [1, "2.5"]),
    ("[TIMESTAMPTZ '2020-01-01 00:00:00+00']", ["2020-01-01 00:00:00+00"]), ("'{\"x\": [1.10]}'::JSON", '{"x": [1.10]}'),
    ("union_value(k := 1)", "1"), ("'101'::BIT", "101"), ("[[NULL, 'x']]", [[None, "x"]]),
    ("{'x': {'y': 0.1::FLOAT}}", {"x": {"y": "0.1"}}),
    ("[]", []), ("''", ""), ("1::VARIANT", "1"), ("[{'b': '\\xFE'::BLOB}]", [{"b": "/g=="}]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), VALUES, ids=[sql for sql, _ in VALUES])
def test_values_of_all_types(datasets: Any, sql: str, expected: object) -> None:
    """As JSON, exact ones as texts, at any depth; nothing that Python has no value for is an error."""
    [[found]] = datasets.rows(f"SELECT {sql} AS v")

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("format_", ["parquet", "csv", "jsonl"])
def test_files_keep_what_was_put_into_them(datasets: Any, format_: str) -> None:
    """Types and values, in every format."""
    sql = """SELECT 1.50::DECIMAL(10, 2) AS d, 5::HUGEINT AS h, TIMESTAMPTZ '2020-01-01 00:00:00+02' AS z, DATE '2020-01-01' AS day,
        TIMESTAMP '2020-01-01 00:00:00.12' AS t, [1.5] AS l, {'a': 1.5, 'b': 'x,"y'} AS s, MAP {'x': 1} AS m, 'a\n"b",c' AS text,
        '' AS empty, NULL AS n, true AS yes, 'nan'::DOUBLE AS nan, '{"x":[1]}'::JSON AS j, 'e'::ENUM('e') AS e, '\\x00'::BLOB AS bl"""

    made = datasets.make("u", sql, format_)
    answer = datasets.ask("FROM u")

    assert made["ok"], made
    assert (made["rowCount"], made["sizeBytes"]) == (1, len(datasets.blobs.get("datasets/u")))
    assert types(answer) == types(made)
    assert types(made) | {"s": "", "m": ""} == {
        "d": "DECIMAL(10,2)", "h": "BIGINT", "z": "TIMESTAMP WITH TIME ZONE", "day": "DATE", "t": "TIMESTAMP", "l": "DECIMAL(2,1)[]",
        "s": "", "m": "", "text": "VARCHAR", "empty": "VARCHAR", "n": "VARCHAR", "yes": "BOOLEAN", "nan": "DOUBLE", "j": "JSON",
        "e": "VARCHAR", "bl": "VARCHAR" if format_ == "jsonl" else "BLOB",
    }  # fmt: skip
    assert answer["rows"] == [
        ["1.50", 5, "2019-12-31 22:00:00+00", "2020-01-01", "2020-01-01 00:00:00.12", ["1.5"], {"a": "1.5", "b": 'x,"y'}, {"x": 1},
         'a\n"b",c', "", None, True, "nan", '{"x":[1]}', "e", "AA=="]
    ]  # fmt: skip


@pytest.mark.parametrize("format_", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("big", [2**63 - 1, 2**63, -(2**63), 10**38 - 1])
def test_whole_numbers_stay_exact(datasets: Any, format_: str, big: int) -> None:
    """Through files in every format; Parquet would make floating point of more than 64 bits."""
    datasets.make("u", f"SELECT sum({big}::HUGEINT) AS s, [{big}::HUGEINT] AS l", format_)

    [[total, [one]]] = datasets.rows("SELECT s, l FROM u")

    assert (int(total), int(one)) == (big, big)


@pytest.mark.parametrize("format_", ["parquet", "csv", "jsonl"])
def test_files_without_rows(datasets: Any, format_: str) -> None:
    """Still have columns."""
    made = datasets.make("u", "SELECT a, d FROM t WHERE a < 0", format_)

    assert (made["rowCount"], types(made)) == (0, {"a": "BIGINT", "d": "DECIMAL(10,2)"})
    assert datasets.rows("SELECT count(*), sum(a), max(d) FROM u") == [[0, None, None]]


def test_a_dataset_without_files(datasets: Any) -> None:
    """Has no rows, and the columns that it was given, if any."""
    tables = {"e": {"format": "jsonl", "parts": [], "columns": [{"name": "x", "type": "DECIMAL(10,2)"}]},
              "n": {"format": "jsonl", "parts": [], "columns": []}}  # fmt: skip

    def asked(sql: str) -> dict[str, Any]:
        return datasets.engine.run({"mode": "query", "sql": sql, "tables": tables, "limit": 9})

    assert asked("SELECT sum(x) AS s FROM e")["rows"] == [[None]]
    assert asked("FROM n")["rows"] == []
    assert asked("SELECT count(*) FROM n")["rows"] == [[0]]
    assert asked("SELECT y FROM n")["error"]["type"] == "SqlError"


def test_what_was_read_and_used_is_told(datasets: Any) -> None:
    """Rows of the tables that the statement names, processor seconds and memory."""
    datasets.make("u", "FROM t WHERE a < 10")

    made = datasets.make("x", "SELECT count(*) AS n FROM t JOIN u USING (a)")
    of_one = datasets.make("y", "WITH t AS (FROM u) FROM t")
    of_none = datasets.make("z", "SELECT 't' AS x")

    assert [one["rowsRead"] for one in (made, of_one, of_none)] == [1010, 10, 0]
    assert made["cpuSeconds"] > 0
    assert made["memoryBytes"] > 10_000_000


def test_rows_of_unknown_tables_are_not_made_up(blobs: MemoryBlobs) -> None:
    """A table whose rows nobody has counted leaves the count unknown."""
    blobs.put("f", b'{"a": 1}\n')
    tables = {"input": {"format": "jsonl", "parts": ["f"], "columns": []}}

    made = SqlEngine(blobs, 256).run({"mode": "make", "sql": "FROM input", "tables": tables, "into": "x"})

    assert (made["rowCount"], made["rowsRead"]) == (1, None)


def test_a_dataset_that_is_gone(datasets: Any) -> None:
    """Is a fault of the input, whose table is named."""
    datasets.blobs.drop("datasets/t")

    assert datasets.fault("FROM t") == ("BadInput", "the dataset of t no longer exists")


def test_several_files_are_one_table(datasets: Any) -> None:
    """Columns are told by name, whatever their order."""
    datasets.make("one", "SELECT 1 AS a, 'x' AS b")
    datasets.make("two", "SELECT 'y' AS b, 2 AS a")
    parts = ["datasets/one", "datasets/two"]
    told = datasets.engine.run({"mode": "describe", "format": "parquet", "parts": parts})
    datasets.tables["all_of_it"] = {"format": "parquet", "parts": parts, "columns": told["columns"]}

    assert told["rowCount"] == 2
    assert sorted(datasets.rows("SELECT a, b FROM all_of_it")) == [[1, "x"], [2, "y"]]


def test_a_look_at_a_statement(datasets: Any) -> None:
    """Names its tables, but not those that it makes, and its columns; no file is needed for it."""
    columns = datasets.tables["t"]["columns"]
    tables = {name: {"columns": columns} for name in ("t", "Other")}
    asked = {"mode": "check", "tables": tables, "catalog": "c", "schema": "s"}

    def looked(sql: str) -> dict[str, Any]:
        return datasets.engine.run({**asked, "sql": sql})

    told = looked("WITH x AS (SELECT * FROM c.s.t) SELECT x.a, sum(o.d) AS s FROM x, OTHER o GROUP BY 1")
    assert told["tables"] == ["other", "t"]
    assert types(told) == {"a": "BIGINT", "s": "DECIMAL(38,2)"}
    assert looked("SELECT (SELECT max(a) FROM t) WHERE EXISTS (FROM other)")["tables"] == ["other", "t"]
    assert looked("SELECT 't'")["tables"] == []
    assert looked("FROM nowhere")["error"]["type"] == "SqlError"
    assert looked("FROM t; FROM t")["error"]["type"] == "BadSql"


def test_steps_read_datasets_of_several_files(datasets: Any, blobs: MemoryBlobs) -> None:
    """As Spark leaves them."""
    datasets.make("one", "SELECT 1 AS a")
    datasets.make("two", "SELECT 2 AS a")
    parts = {"dataset": {"parts": ["datasets/one", "datasets/two"], "format": "parquet"}}

    answer = datasets.engine.run({"sql": "SELECT sum(a) AS s FROM t", "inputs": {"t": parts}})

    assert answer["preview"] == [{"s": 3}]
    assert json.dumps(answer)
