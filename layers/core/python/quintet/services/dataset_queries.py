"""SQL over datasets: over one, or over those of a project that a statement names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quintet.domain.dataset import Content, Dataset
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.services.datasets import Datasets
from quintet.services.ports.queries import Answer, BigQueries, Queries, Query

ALIAS = "dataset"
"""What the one dataset of a query is called too."""
MOST_TABLES = 50
SECONDS = 22.0
"""How long a query may take while a caller waits for its answer; the API has 30 s in all."""
_NAMED = re.compile(r"\bdataset_([1-9][0-9]{0,14})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; without `sql` a whole table."""

    sql: str | None
    limit: int
    offset: int = 0
    catalog: str | None = None
    schema: str | None = None


class DatasetQueries:
    """Answers questions, by the engine that a dataset names or its size suggests: DuckDB, or Athena from `threshold` bytes on."""

    def __init__(self, datasets: Datasets, duckdb: Queries, athena: BigQueries, threshold: int) -> None:
        self._datasets = datasets
        self._duckdb = duckdb
        self._athena = athena
        self._threshold = threshold

    def of_task(self, project: str, task: int, question: Question) -> Answer:
        """Asks a task's output. Raises NotFound when there is none yet, QueryFault, Invalid."""
        return self._of_one(self._datasets.of_task(project, task), question)

    def of_project(self, project: str, question: Question) -> Answer:
        """Asks all datasets of a project that the statement names. Raises QueryFault, Invalid."""
        if not question.sql or not question.sql.strip():
            raise Invalid([Problem(("sql",), "is required")])
        numbers = sorted({int(found) for found in _NAMED.findall(question.sql)})
        if len(numbers) > MOST_TABLES:
            raise Invalid(
                [Problem(("sql",), f"names {len(numbers)} datasets; at most {MOST_TABLES} can be asked at once")]
            )
        datasets = []
        for number in numbers:
            try:
                datasets.append(self._datasets.get(project, number))
            except NotFound:  # the engine says that there is no such table, if it is one and not a text
                continue
        try:
            tables = {dataset.table: self._datasets.content_of(dataset) for dataset in datasets}
        except Conflict as empty:
            raise Invalid([Problem(("sql",), str(empty))]) from None
        return self._ask(datasets, tables, question)

    def _of_one(self, dataset: Dataset, question: Question) -> Answer:
        try:
            content = self._datasets.content_of(dataset)
        except Conflict as empty:
            raise NotFound(str(empty)) from None
        if not question.sql or not question.sql.strip():
            question = Question(f"SELECT * FROM {ALIAS}", question.limit, question.offset)  # noqa: S608  # a constant
        return self._ask([dataset], {dataset.table: content, ALIAS: content}, question)

    def _ask(self, datasets: Sequence[Dataset], tables: Mapping[str, Content], question: Question) -> Answer:
        query = Query(
            question.sql or "",
            tables,
            question.limit,
            question.offset,
            question.catalog,
            question.schema,
            SECONDS,
        )
        return self._athena.query(query) if self._outgrows(datasets) else self._duckdb.query(query)

    def _outgrows(self, datasets: Sequence[Dataset]) -> bool:
        """True if a dataset names Athena, or if those that name nothing are large; but what Athena can't read is DuckDB's all the same."""
        if any(dataset.engine == "athena" for dataset in datasets):
            return True
        free = [dataset.content for dataset in datasets if dataset.engine is None and dataset.content is not None]
        large = sum(content.size_bytes for content in free) >= self._threshold
        return large and all(dataset.content and dataset.content.format == "parquet" for dataset in datasets)
