"""Ports Queries and Files by the SQL function: the engine behind it is the real one, unless the test says otherwise."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.memory import MemoryBlobs
from quintet.adapters.sql_function import SqlFunction
from quintet.domain.dataset import Column, Content
from quintet.services.ports.functions import FunctionFault
from quintet.services.ports.queries import Query, QueryFault


class Functions:
    """Port Functions."""

    def __init__(self, act: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self.act = act
        self.calls: list[tuple[Mapping[str, Any], float]] = []

    def call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        assert function == "sql"
        self.calls.append((payload, timeout))
        found: dict[str, Any] = json.loads(json.dumps(self.act(json.loads(json.dumps(payload)))))
        return found


@pytest.fixture
def functions(blobs: MemoryBlobs) -> Functions:
    """The function over blobs in memory."""
    return Functions(SqlEngine(blobs, 256).run)


@pytest.fixture
def sql(functions: Functions) -> SqlFunction:
    """The ports."""
    return SqlFunction(functions, "sql")


def test_an_answer_is_exact(sql: SqlFunction) -> None:
    """Decimals are Decimals, whole numbers ints of any size, moments ISO texts, JSON what it holds."""
    made = sql.make(
        """SELECT 1.10::DECIMAL(10, 2) AS d, 2::HUGEINT ** 100 AS dd, (2::HUGEINT << 100) AS h, TIMESTAMP '2020-01-01 00:00:00.5' AS t,
        '{"x": [1.10]}'::JSON AS j, {'p': [0.1::DECIMAL(3, 1)]} AS s, 'nan'::DOUBLE AS n, '\\x00'::BLOB AS b, NULL AS u""",
        {}, "made",
    )  # fmt: skip
    answer = sql.query(Query("FROM t", {"t": made.content}, 10))

    [row] = answer.rows
    assert row == {
        "d": Decimal("1.10"), "dd": 2.0**100, "h": 2 << 100, "t": "2020-01-01T00:00:00.500", "j": {"x": [Decimal("1.10")]},
        "s": {"p": [Decimal("0.1")]}, "n": "NaN", "b": "AA==", "u": None,
    }  # fmt: skip
    assert answer.columns[0] == Column("d", "DECIMAL(10,2)")
    assert str(row["d"]) == "1.10"


def test_a_look_into_files(sql: SqlFunction, blobs: MemoryBlobs) -> None:
    """Tells what they hold; what is no such file is bad input."""
    blobs.put("a", b"x,y\n1,b\n")
    assert sql.describe("csv", ["a"]) == Content("csv", ("a",), (Column("x", "BIGINT"), Column("y", "VARCHAR")), 1, 8)
    with pytest.raises(QueryFault) as raised:
        sql.describe("parquet", ["a"])
    assert raised.value.type == "BadInput"


def test_a_file_of_files_that_nobody_has_looked_into(sql: SqlFunction, blobs: MemoryBlobs) -> None:
    """Their columns are found out, and their rows are not counted twice."""
    blobs.put("rows", b'{"a": 1}\n{"a": 12345678901234567890}\n')
    made = sql.make("SELECT * FROM input", {"input": Content("jsonl", ("rows",), (), 0, 5)}, "out")

    assert made.content == Content("parquet", ("out",), (Column("a", "DECIMAL(38,0)"),), 2, blobs.size("out"))
    assert made.rows_read is None
    assert made.cpu_seconds is not None and made.cpu_seconds >= 0
    assert sql.query(Query("FROM t", {"t": made.content}, 10)).rows == [{"a": 1}, {"a": 12345678901234567890}]
    assert sql.make("FROM t", {"t": made.content}, "again").rows_read == 2


def test_a_dataset_without_files(sql: SqlFunction) -> None:
    """Has no rows."""
    empty = Content("jsonl", (), (), 0, 0)
    assert sql.query(Query("FROM t", {"t": empty}, 10)).rows == []
    assert sql.make("SELECT count(*) AS n FROM t", {"t": empty}, "out").rows_read == 0


def test_a_look_at_a_statement(sql: SqlFunction) -> None:
    """Nothing of its tables is read."""
    gone = Content("parquet", ("gone",), (Column("a", "BIGINT"),), 1, 1)
    tables, columns = sql.check(
        Query("SELECT max(a) AS m FROM c.s.t", {"t": gone, "u": gone}, 10, catalog="c", schema="s")
    )

    assert (tables, columns) == ({"t"}, (Column("m", "BIGINT"),))


def test_faults_of_the_author(sql: SqlFunction, blobs: MemoryBlobs) -> None:
    """Keep the engine's type and message."""
    for statement, type_ in (("SELECT 1; SELECT 2", "BadSql"), ("FROM nowhere", "SqlError")):
        with pytest.raises(QueryFault) as raised:
            sql.query(Query(statement, {}, 1))
        assert raised.value.type == type_
    blobs.put("leashes/x", b"")
    with pytest.raises(QueryFault) as raised:
        sql.make(
            "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range = 7",
            {},
            "x",
            leash="leashes/x",
        )
    assert raised.value.type == "Stopped"


@pytest.mark.parametrize(
    ("fault", "type_"),
    [
        (FunctionFault("Timeout", "no answer in 28 s"), "Timeout"),
        (FunctionFault("Unavailable", "TooManyRequestsException: "), "Unavailable"),
        (FunctionFault("FunctionError", "Runtime.ExitError: RequestId: x Error: Runtime exited with error: signal: killed"), "OutOfMemory"),
        (FunctionFault("FunctionError", "Runtime.OutOfMemory: "), "OutOfMemory"),
        (FunctionFault("FunctionError", "KeyError: 'sql'"), "Unavailable"),
    ],
)  # fmt: skip
def test_a_function_that_does_not_answer(
    functions: Functions, sql: SqlFunction, fault: FunctionFault, type_: str
) -> None:
    """Nothing of ours is told to whoever asked."""

    def act(_: Mapping[str, Any]) -> dict[str, Any]:
        raise fault

    functions.act = act
    with pytest.raises(QueryFault) as raised:
        sql.query(Query("SELECT 1", {}, 1))

    assert raised.value.type == type_
    assert "KeyError" not in str(raised.value)


def test_who_waits_waits_no_longer_than_said(functions: Functions, sql: SqlFunction) -> None:
    """The engine ends in its time, or its process a little later; a caller with 30 s has an answer in any case."""
    sql.query(Query("SELECT 1", {}, 1, timeout=22.0))

    [(payload, timeout)] = functions.calls
    assert (payload["timeout"], payload["grace"]) == (22.0, 2.0)
    assert payload["timeout"] + payload["grace"] <= timeout <= 28
