"""Queries by Athena: statements, tables, states and pages, against moto; the checker is the real SQL engine."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import moto
import pytest
from moto.athena.models import QueryResults, athena_backends

from quintet.adapters import athena as adapter
from quintet.adapters.athena import Athena
from quintet.adapters.aws import client, forget_clients
from quintet.adapters.duckdb import SqlEngine
from quintet.adapters.memory import ManualClock, MemoryBlobs
from quintet.adapters.sql_function import SqlFunction
from quintet.domain.dataset import Column, Content
from quintet.services.ports.queries import Query, QueryFault

COLUMNS = (Column("Id", "BIGINT"), Column("price", "DECIMAL(10,2)"), Column("tags", "VARCHAR[]"))
CONTENT = Content("parquet", ("datasets/p/1/x/part-0.parquet", "datasets/p/1/x/part-1.parquet"), COLUMNS, 5, 10)


class Here:
    """Port Functions: the SQL function is the engine."""

    def call(self, function: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        found: dict[str, Any] = SqlEngine(MemoryBlobs(), 256).run(json.loads(json.dumps(payload)))
        return found


class Desk:
    """Athena over moto, which answers what the test lays out."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.backend = athena_backends["123456789012"]["us-east-1"]
        client("athena").create_work_group(
            Name="work", Configuration={"ResultConfiguration": {"OutputLocation": "s3://b/"}}
        )
        client("glue").create_database(DatabaseInput={"Name": "gdb"})
        self.athena = Athena(SqlFunction(Here(), "sql"), self.clock, "bucket", "gdb", "work")

    def answers(self, types: Sequence[str], *rows: Sequence[str | None]) -> None:
        """Lays out an answer: the columns' types, and the cells as Athena's texts."""
        info = [{"Name": f"_col{place}", "Type": type_} for place, type_ in enumerate(types)]
        header = {"Data": [{"VarCharValue": one["Name"]} for one in info]}
        cells = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows]
        self.backend.query_results_queue.append(QueryResults([header, *cells], info))

    def ask(self, sql: str, content: Content = CONTENT, **more: Any) -> Any:
        """The answer to a query over `dataset_1`."""
        asked = {"limit": 10, "timeout": 20.0, **more}
        return self.athena.query(Query(sql, {"dataset_1": content, "dataset": content}, **asked))

    @property
    def statements(self) -> list[str]:
        """What Athena was asked."""
        return [execution.query for execution in self.backend.executions.values()]

    @property
    def tables(self) -> list[Any]:
        """The tables that were made."""
        return list(client("glue").get_tables(DatabaseName="gdb")["TableList"])


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Athena with nothing in it."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "QUINTET_METER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    forget_clients()
    with moto.mock_aws():
        yield Desk()
    forget_clients()


def test_an_answer(desk: Desk) -> None:
    """Names as the statement writes them, values as DuckDB would give them."""
    desk.answers(["bigint", "decimal", "timestamp"], ["7", "1.5", "2020-01-01 00:00:00.000"], [None, None, None])
    sql = "SELECT max(Id) AS Top, sum(price) AS total, TIMESTAMP '2020-01-01 00:00:00' AS at FROM dataset_1 GROUP BY 3"
    answer = desk.ask(sql)

    assert [(one.name, one.type) for one in answer.columns] == [
        ("Top", "BIGINT"), ("total", "DECIMAL(38,2)"), ("at", "TIMESTAMP")
    ]  # fmt: skip
    assert answer.rows == [
        {"Top": 7, "total": Decimal("1.50"), "at": "2020-01-01T00:00:00"}, {"Top": None, "total": None, "at": None}
    ]  # fmt: skip


def test_the_statement_and_its_table(desk: Desk) -> None:
    """Only what the statement names is a table of it; the table is the folder of the dataset's files."""
    desk.answers(["bigint"])
    desk.ask("SELECT Id FROM dataset_1 ORDER BY 1", limit=3, offset=4)

    [table] = desk.tables
    assert table["StorageDescriptor"]["Location"] == "s3://bucket/datasets/p/1/x/"
    assert [(one["Name"], one["Type"]) for one in table["StorageDescriptor"]["Columns"]] == [
        ("id", "bigint"), ("price", "decimal(10,2)"), ("tags", "array<string>")
    ]  # fmt: skip
    assert "Parquet" in table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
    assert desk.statements == [
        f'WITH "dataset_1" AS (SELECT "id", "price", "tags" FROM "gdb"."{table["Name"]}") '
        "SELECT Id FROM dataset_1 ORDER BY 1 OFFSET 4 LIMIT 3"
    ]
    assert [execution.workgroup.name for execution in desk.backend.executions.values()] == ["work"]


def test_a_table_is_made_once_a_content(desk: Desk) -> None:
    """By this process or another one; a new content has a new one."""
    for _ in range(2):
        desk.answers(["bigint"])
        desk.ask("SELECT Id FROM dataset")
    desk.athena = Athena(SqlFunction(Here(), "sql"), desk.clock, "bucket", "gdb", "work")
    desk.answers(["bigint"])
    desk.ask("SELECT Id FROM dataset")
    assert len(desk.tables) == 1

    desk.answers(["bigint"])
    desk.ask("SELECT Id FROM dataset", Content("parquet", ("datasets/p/1/y/f",), COLUMNS, 5, 10))
    assert len(desk.tables) == 2


def test_nested_columns_travel_as_json(desk: Desk) -> None:
    """Around the page, so that the statement's order is kept."""
    desk.answers(["varchar", "bigint"], ['["a, b","c]"]', "1"])
    answer = desk.ask("SELECT tags, Id FROM dataset_1 ORDER BY Id")

    assert answer.rows == [{"tags": ["a, b", "c]"], "Id": 1}]
    [statement] = desk.statements
    assert statement.startswith("SELECT json_format(CAST(c0 AS JSON)), c1 FROM (WITH ")
    assert statement.endswith("ORDER BY Id OFFSET 0 LIMIT 10) AS page (c0, c1)")


def test_pages_of_an_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are in the first only."""
    info = [{"Name": "x", "Type": "bigint"}]
    texts = ["x", *map(str, range(5))]
    asked: list[str | None] = []

    def results(**given: Any) -> dict[str, Any]:
        asked.append(given.get("NextToken"))
        start = int(given.get("NextToken") or 0)
        rows = [{"Data": [{"VarCharValue": text}]} for text in texts[start : start + 2]]
        more = {"NextToken": str(start + 2)} if start + 2 < len(texts) else {}
        return {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": info}}, **more}

    monkeypatch.setattr(client("athena"), "get_query_results", results)

    assert [row["Id"] for row in desk.ask("SELECT Id FROM dataset_1").rows] == [0, 1, 2, 3, 4]
    assert asked == [None, "2", "4"]


def test_an_answer_that_no_function_can_give(desk: Desk) -> None:
    """Is refused with the bound."""
    desk.answers(["varchar"], *(["x" * 1_000_000] for _ in range(6)))
    with pytest.raises(QueryFault, match="5242880") as raised:
        desk.ask("SELECT repeat('x', 1000000) AS x FROM dataset_1")

    assert raised.value.type == "TooLarge"


@pytest.mark.parametrize(
    ("sql", "type_"),
    [
        ("SELECT 1; SELECT 2", "BadSql"), ("DROP TABLE dataset_1", "BadSql"), ("SELECT x FROM dataset_1", "SqlError"),
        ("SELECT * FROM dataset_2", "SqlError"), ("SELECT * FROM gdb.t1", "SqlError"),
        ("SELECT approx_distinct(Id) FROM dataset_1", "SqlError"),
        ("SELECT Id::INT FROM dataset_1", "BadSql"), ("SELECT 1 /* /* */ FROM gdb.t1 */", "BadSql"),
    ],
)  # fmt: skip
def test_what_is_refused_before_athena_hears_of_it(desk: Desk, sql: str, type_: str) -> None:
    """By DuckDB's parser and binder, over tables of the same columns, or since the two would not read it alike."""
    with pytest.raises(QueryFault) as raised:
        desk.ask(sql)

    assert raised.value.type == type_
    assert desk.statements == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Content("csv", ("datasets/p/1/x/f",), COLUMNS[:1], 1, 1), "in csv"),
        (Content("parquet", ("datasets/p/1/x/f", "datasets/p/1/y/f"), COLUMNS[:1], 1, 1), "in several"),
        (Content("parquet", ("datasets/p/1/x/f",), (Column("Id", "BIGINT"), Column("t", "TIME")), 1, 1), "TIME"),
        (Content("parquet", (), COLUMNS[:1], 0, 0), "without files"),
    ],
)
def test_datasets_that_are_not_for_athena(desk: Desk, content: Content, said: str) -> None:
    """Are named as what they are."""
    with pytest.raises(QueryFault, match=said):
        desk.ask("SELECT Id FROM dataset_1", content)


def test_an_answer_of_another_kind_is_no_answer(desk: Desk) -> None:
    """It was computed differently."""
    desk.answers(["decimal"], ["1.3"])
    with pytest.raises(QueryFault, match="CAST"):
        desk.ask("SELECT avg(price) AS a FROM dataset_1")


def test_columns_must_be_as_many(desk: Desk) -> None:
    """Else nothing could be told from them."""
    desk.answers(["bigint", "bigint"], ["1", "2"])
    with pytest.raises(QueryFault, match="1 columns for DuckDB and 2"):
        desk.ask("SELECT Id FROM dataset_1")


def test_a_query_that_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Athena's own words when it is its author's fault; its own faults are no answer."""
    for category, type_ in ((2, "SqlError"), (1, "Unavailable")):
        status = {
            "State": "FAILED",
            "StateChangeReason": "no such function",
            "AthenaError": {"ErrorCategory": category},
        }
        monkeypatch.setattr(
            client("athena"), "get_query_execution", lambda status=status, **_: {"QueryExecution": {"Status": status}}
        )
        with pytest.raises(QueryFault, match="no such function") as raised:
            desk.ask("SELECT Id FROM dataset_1")
        assert raised.value.type == type_


def test_a_query_that_takes_too_long_is_stopped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """After rests that grow, so that a long one costs few requests."""
    looks: list[float] = []

    def running(**_: Any) -> dict[str, Any]:
        looks.append(desk.clock.now().timestamp())
        return {"QueryExecution": {"Status": {"State": "RUNNING"}}}

    monkeypatch.setattr(client("athena"), "get_query_execution", running)
    with pytest.raises(QueryFault) as raised:
        desk.ask("SELECT Id FROM dataset_1", timeout=20.0)

    assert raised.value.type == "Timeout"
    assert [execution.status for execution in desk.backend.executions.values()] == ["CANCELLED"]
    assert len(looks) < 20
    assert looks[-1] - looks[0] <= 20
    assert looks[1] - looks[0] == pytest.approx(adapter.FIRST_REST)


def test_refusals_of_the_service(desk: Desk) -> None:
    """A bad statement is its author's, anything else is ours."""
    athena = client("athena")

    def refused(code: str) -> Any:
        def act(**_: Any) -> None:
            raise athena.exceptions.ClientError(
                {"Error": {"Code": code, "Message": "mismatched input"}}, "StartQueryExecution"
            )

        return act

    with pytest.MonkeyPatch.context() as patch:
        for code, type_ in (
            ("InvalidRequestException", "BadSql"),
            ("TooManyRequestsException", "Unavailable"),
            ("AccessDenied", "Unavailable"),
        ):
            patch.setattr(athena, "start_query_execution", refused(code))
            with pytest.raises(QueryFault) as raised:
                desk.ask("SELECT Id FROM dataset_1")
            assert raised.value.type == type_
            assert ("mismatched" in str(raised.value)) == (type_ == "BadSql")
