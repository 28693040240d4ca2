"""Which datasets a question is about, and which engine answers it."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from quintet.adapters.memory import ManualClock
from quintet.domain.dataset import Content, Dataset
from quintet.domain.errors import Invalid, NotFound
from quintet.services.dataset_queries import DatasetQueries, Question
from quintet.services.datasets import Datasets
from quintet.services.ports.queries import Answer, Query


class Engine:
    """Port Queries: notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Query] = []

    def query(self, query: Query) -> Answer:
        self.asked.append(query)
        return Answer((), ())


def dataset(number: int, size: int | None, engine: str | None = None, format_: str = "parquet") -> Dataset:
    """A dataset of that many bytes; None: without content."""
    now = ManualClock().now()
    content = None if size is None else Content(format_, (f"datasets/p/{number}/x/f",), (), 1, size)
    return Dataset(number, "p", "n", now, now, content=content, engine=engine)


class Desk:
    """Datasets by number, and both engines; 100 bytes are large."""

    def __init__(self, kept: Mapping[int, Dataset]) -> None:
        self.duckdb, self.athena = Engine(), Engine()
        self.looked: list[int] = []

        def get(project: str, number: int) -> Dataset:
            self.looked.append(number)
            if project != "p" or number not in kept:
                raise NotFound(f"no dataset {number}")
            return kept[number]

        datasets: Any = SimpleNamespace(get=get, of_task=get, content_of=Datasets.content_of)
        self.queries = DatasetQueries(datasets, self.duckdb, self.athena, 100)

    def engine(self, sql: str) -> str:
        """Who answers it."""
        self.queries.of_project("p", Question(sql, 10))
        return "athena" if self.athena.asked else "duckdb"


@pytest.mark.parametrize(
    ("kept", "engine"),
    [
        ([dataset(1, 99)], "duckdb"),
        ([dataset(1, 100)], "athena"),
        ([dataset(1, 60), dataset(2, 60)], "athena"),
        ([dataset(1, 60), dataset(2, 39)], "duckdb"),
        ([dataset(1, 100, "duckdb")], "duckdb"),
        ([dataset(1, 1, "athena")], "athena"),
        ([dataset(1, 99, None), dataset(2, 99, "duckdb")], "duckdb"),
        ([dataset(1, 1, "duckdb"), dataset(2, 1, "athena")], "athena"),
        ([dataset(1, 100, None, "csv")], "duckdb"),
        ([dataset(1, 100), dataset(2, 1, None, "jsonl")], "duckdb"),
    ],
)
def test_the_engine_is_the_datasets_or_by_size(kept: list[Dataset], engine: str) -> None:
    """Of what is large, only what Athena can read goes to it by itself."""
    desk = Desk({one.number: one for one in kept})

    assert desk.engine("SELECT 1 FROM dataset_1, Dataset_2") == engine


def test_a_statements_tables_are_those_of_its_project() -> None:
    """Exactly the datasets that it names, each once; what is no dataset is for the engine to tell."""
    desk = Desk({number: dataset(number, 1) for number in (1, 2, 3, 12)})
    sql = (
        'SELECT * FROM dataset_1 JOIN DATASET_12 USING (a), mydataset_2, dataset_3x, dataset_0, dataset_7, "dataset_1"'
    )
    desk.queries.of_project("p", Question(sql, 10, 5, "c", "s"))

    [query] = desk.duckdb.asked
    assert (desk.looked, set(query.tables)) == ([1, 7, 12], {"dataset_1", "dataset_12"})
    assert (query.sql, query.limit, query.offset, query.catalog, query.schema) == (sql, 10, 5, "c", "s")
    assert query.timeout < 25


def test_a_dataset_without_content_is_named() -> None:
    """In place of the engine's word for a table that is not there."""
    with pytest.raises(Invalid, match="dataset 1 has no content yet"):
        Desk({1: dataset(1, None)}).queries.of_project("p", Question("FROM dataset_1", 1))


@pytest.mark.parametrize("sql", [None, "", " \n"])
def test_a_question_to_a_project_needs_a_statement(sql: str | None) -> None:
    """It has many tables."""
    with pytest.raises(Invalid, match="required"):
        Desk({}).queries.of_project("p", Question(sql, 1))


def test_at_most_fifty_tables() -> None:
    """Each costs a read."""
    desk = Desk({})
    desk.queries.of_project("p", Question(" ".join(f"dataset_{n}" for n in range(1, 51)), 1))
    with pytest.raises(Invalid, match="at most 50"):
        desk.queries.of_project("p", Question(" ".join(f"dataset_{n}" for n in range(1, 52)), 1))


@pytest.mark.parametrize("sql", [None, "", "  "])
def test_a_tasks_dataset_whole(sql: str | None) -> None:
    """Is what is meant when nothing is asked, page by page."""
    desk = Desk({4: dataset(4, 1)})
    desk.queries.of_task("p", 4, Question(sql, 7, 3))

    [query] = desk.duckdb.asked
    assert (query.sql, query.limit, query.offset) == ("SELECT * FROM dataset", 7, 3)
    assert set(query.tables) == {"dataset", "dataset_4"}


def test_a_task_that_has_left_nothing() -> None:
    """Has nothing to be asked."""
    with pytest.raises(NotFound, match="no content yet"):
        Desk({4: dataset(4, None)}).queries.of_task("p", 4, Question(None, 1))
