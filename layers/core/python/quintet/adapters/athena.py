"""Queries by Athena: for datasets that outgrow one machine.

The SQL function, whose DuckDB answers all other queries, looks at each statement first: what it refuses is refused, and the names and types
of the answer's columns are the ones that it finds. Athena then reads the datasets' folders as external tables of Glue.
"""

# ruff: noqa: S608 - statements are put together from quoted names and from what athena_sql made of a statement

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from quintet.adapters.athena_sql import Untranslatable, translated
from quintet.adapters.athena_types import Unlike, from_text, hive_type, refuse_unlike
from quintet.adapters.aws import client
from quintet.adapters.duckdb_types import SqlType, parse, quoted
from quintet.adapters.query_values import ANSWER_BYTES, too_large, weight
from quintet.adapters.sql_function import SqlFunction
from quintet.domain.dataset import Column, Content
from quintet.domain.jsontext import compact
from quintet.services.ports.queries import Answer, Query, QueryFault
from quintet.services.ports.world import Clock

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import GetQueryResultsOutputTypeDef, QueryExecutionTypeDef
    from mypy_boto3_glue.type_defs import ColumnTypeDef, StorageDescriptorTypeDef

PAGE_ROWS = 1000
FIRST_REST, LONGEST_REST = 0.2, 2.0
_SYSTEM = 1
"""Athena's category of errors that are its own."""
_USERS = frozenset({"InvalidRequestException"})
_PARQUET: "StorageDescriptorTypeDef" = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}

log = logging.getLogger(__name__)


class Athena:
    """Port Queries, over Parquet only. Raises QueryFault."""

    def __init__(self, checker: SqlFunction, clock: Clock, bucket: str, database: str, workgroup: str) -> None:
        """`database` (Glue's) is where the tables are made, `workgroup` says where results go."""
        self._checker = checker
        self._clock = clock
        self._bucket = bucket
        self._database = database
        self._workgroup = workgroup
        self._made: set[str] = set()

    def query(self, query: Query) -> Answer:
        """The answer, as DuckDB would give it; what can't be the same is refused."""
        named, columns = self._checker.check(query)
        types = [parse(column.type) for column in columns]
        try:
            statement = self._statement(query, named, types)
        except (Unlike, Untranslatable) as unable:
            raise QueryFault("BadSql", str(unable)) from None
        return self._answer(statement, columns, types, query.timeout)

    def _statement(self, query: Query, named: frozenset[str], types: Sequence[SqlType]) -> str:
        sources = {name: self._source(content) for name, content in query.tables.items() if name.lower() in named}
        statement = translated(
            query.sql,
            sources,
            limit=query.limit,
            offset=query.offset,
            database=self._database,
            catalog=query.catalog,
            schema=query.schema,
        )
        if not any(type_.inner for type_ in types):
            return statement
        # Athena's text for what is nested can't be told apart from text with brackets in it; JSON can.
        places = [f"c{place}" for place in range(len(types))]
        shown = (f"json_format(CAST({p} AS JSON))" if t.inner else p for p, t in zip(places, types, strict=True))
        return f"SELECT {', '.join(shown)} FROM ({statement}) AS page ({', '.join(places)})"

    # --- tables ------------------------------------------------------------------------------------------------------------------

    def _source(self, content: Content) -> str:
        """The query that reads a dataset."""
        if not content.parts:
            raise Untranslatable("Athena does not read datasets without files")
        shown = ", ".join(quoted(column.name.lower()) for column in content.columns)
        return f"SELECT {shown} FROM {quoted(self._database)}.{quoted(self._table(content))}"

    def _table(self, content: Content) -> str:
        """The table of a content, which is made when nobody has: content never changes, so a table is good for ever."""
        if content.format != "parquet":
            raise Untranslatable(f"Athena reads datasets in Parquet, and this one is in {content.format}")
        folder = content.parts[0].rpartition("/")[0]
        if any(part.rpartition("/")[0] != folder for part in content.parts):
            raise Untranslatable("Athena reads a folder, and this dataset is in several")
        columns: list[ColumnTypeDef] = [
            {"Name": column.name.lower(), "Type": hive_type(parse(column.type))} for column in content.columns
        ]
        name = "t_" + hashlib.sha256(compact([folder, columns]).encode()).hexdigest()[:48]
        if name not in self._made:
            self._make(name, f"s3://{self._bucket}/{folder}/", columns)
            self._made.add(name)
        return name

    def _make(self, name: str, location: str, columns: "Sequence[ColumnTypeDef]") -> None:
        glue = client("glue")
        try:
            glue.create_table(
                DatabaseName=self._database,
                TableInput={
                    "Name": name,
                    "TableType": "EXTERNAL_TABLE",
                    "Parameters": {"classification": "parquet", "EXTERNAL": "TRUE"},
                    "StorageDescriptor": {**_PARQUET, "Columns": columns, "Location": location},
                },
            )
        except glue.exceptions.AlreadyExistsException:
            pass
        except glue.exceptions.ClientError as error:
            raise _unavailable(error) from error

    # --- asking ------------------------------------------------------------------------------------------------------------------

    def _answer(self, statement: str, columns: Sequence[Column], types: Sequence[SqlType], timeout: float) -> Answer:
        athena = client("athena")
        try:
            id_ = athena.start_query_execution(QueryString=statement, WorkGroup=self._workgroup)["QueryExecutionId"]
            self._wait(id_, timeout)
            return _read(_pages(id_), columns, types)
        except athena.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _USERS:
                raise QueryFault("BadSql", error.response["Error"].get("Message", "")) from None
            raise _unavailable(error) from error

    def _wait(self, id_: str, timeout: float) -> None:
        """Until it has succeeded."""
        athena = client("athena")
        end, rest = self._clock.now().timestamp() + timeout, FIRST_REST
        while True:
            execution = athena.get_query_execution(QueryExecutionId=id_)["QueryExecution"]
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                return
            if state in {"FAILED", "CANCELLED"}:
                raise _failure(execution)
            if self._clock.now().timestamp() + rest > end:
                athena.stop_query_execution(QueryExecutionId=id_)
                raise QueryFault("Timeout", f"the query ran for more than {timeout:g} s")
            self._clock.sleep(rest)
            rest = min(rest * 1.5, LONGEST_REST)


def _pages(id_: str) -> "Iterator[GetQueryResultsOutputTypeDef]":
    athena = client("athena")
    page = athena.get_query_results(QueryExecutionId=id_, MaxResults=PAGE_ROWS)
    yield page
    while token := page.get("NextToken"):
        page = athena.get_query_results(QueryExecutionId=id_, MaxResults=PAGE_ROWS, NextToken=token)
        yield page


def _read(
    pages: "Iterator[GetQueryResultsOutputTypeDef]", columns: Sequence[Column], types: Sequence[SqlType]
) -> Answer:
    rows: list[Mapping[str, Any]] = []
    left = ANSWER_BYTES
    for place, page in enumerate(pages):
        result = page["ResultSet"]
        if place == 0:
            _compare(result.get("ResultSetMetadata", {}).get("ColumnInfo", []), columns, types)
        # The first row of the first page is the columns' names.
        for row in islice(result["Rows"], 1 if place == 0 else 0, None):
            cells = [cell.get("VarCharValue") for cell in row["Data"]]
            found = {
                column.name: from_text(text, type_) for column, type_, text in zip(columns, types, cells, strict=True)
            }
            left -= weight(found)
            if left < 0:
                raise QueryFault("TooLarge", too_large())
            rows.append(found)
    return Answer(columns, rows)


def _compare(found: Sequence[Any], columns: Sequence[Column], types: Sequence[SqlType]) -> None:
    if len(found) != len(columns):
        raise QueryFault("BadSql", f"{len(columns)} columns for DuckDB and {len(found)} for Athena: name them")
    for column, type_, info in zip(columns, types, found, strict=True):
        try:
            refuse_unlike(column.name, type_, str(info["Type"]))
        except Unlike as unlike:
            raise QueryFault("BadSql", str(unlike)) from None


def _failure(execution: "QueryExecutionTypeDef") -> QueryFault:
    status = execution["Status"]
    category = status.get("AthenaError", {}).get("ErrorCategory")
    message = status.get("StateChangeReason") or f"the query is {status['State'].lower()}"
    return QueryFault("Unavailable" if category == _SYSTEM else "SqlError", message[:2000])


def _unavailable(error: Exception) -> QueryFault:
    log.error("athena: %s", error)
    return QueryFault("Unavailable", "the query engine is not available, try again")
