"""SQL over datasets, and what it can name."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from quintet.dialects.etl import documented
from quintet.dialects.etl.finding import TaskNumber
from quintet.dialects.etl.models_datasets import (
    LIMIT,
    OutputView,
    QueryAnswer,
    QueryIn,
    TableColumnView,
    TableView,
)
from quintet.dialects.etl.paging import SIZE, Page, PageSize, listing
from quintet.domain.dataset import Dataset
from quintet.domain.errors import NotFound
from quintet.services.dataset_queries import Question
from quintet.services.ports.queries import Answer
from quintet.web.api import Routes, json_response
from quintet.web.gate import needs

routes = Routes()
_QUERY = "/webrobot/api/datasets/query"
_TASK = f"{_QUERY}/task/<task_id>"
_SHOWN = documented.model(QueryAnswer)
_REFUSALS = (413, 503)


def _question(body: QueryIn | None) -> Question:
    asked = body or QueryIn()
    limit = LIMIT if asked.limit is None else asked.limit
    return Question(asked.sql, limit, asked.offset or 0, asked.catalog or None, asked.schema_ or None)


def _results(answer: Answer) -> Response[str]:
    return json_response(200, {"results": list(answer.rows)})


@routes.get(
    f"{_TASK}/info",
    **documented.of("Get a task's output dataset", "Datasets", 404, content=documented.model(OutputView)),
)
@needs("jobs:read")
def get_task_dataset(task_id: TaskNumber) -> Response[str]:
    """Reads what is known of the dataset that a task left; 404 until its first run has completed."""
    dataset = routes.engine.datasets.of_task(routes.caller.project, task_id)
    if dataset.content is None:
        raise NotFound(f"task {task_id} has left no dataset yet")
    return json_response(200, OutputView.of(dataset, dataset.content, routes.engine.blobs).shown())


@routes.post(_TASK, **documented.of("Query a task's output dataset", "Datasets", 404, *_REFUSALS, content=_SHOWN))
@needs("jobs:read")
def query_task_dataset(task_id: TaskNumber, body: Annotated[QueryIn | None, Body()] = None) -> Response[str]:
    """Asks a task's dataset, which SQL calls `dataset` and by its table's name: one SELECT, WITH or VALUES. Without `sql` the answer is the
    table's rows. At most `limit` rows (100 when nothing is said, up to 10,000) from `offset` on, and at most 5 MiB."""
    return _results(routes.engine.queries.of_task(routes.caller.project, task_id, _question(body)))


@routes.post(_QUERY, **documented.of("Query datasets", "Datasets", *_REFUSALS, content=_SHOWN))
@needs("jobs:read")
def query_datasets(body: Annotated[QueryIn, Body()]) -> Response[str]:
    """Asks the project's datasets that `sql` names as their tables, `dataset_<id>`."""
    return _results(routes.engine.queries.of_project(routes.caller.project, _question(body)))


@routes.get(f"{_QUERY}/tables", **documented.listed("List tables", "Datasets", TableView, 413))
@needs("jobs:read")
def list_tables(page: Page = 0, page_size: PageSize = SIZE) -> Response[str]:
    """Lists the tables that queries can name: those of the page's datasets that have content. X-Total-Count counts datasets."""
    found, total = _page(page, page_size)
    return listing([_table(dataset) for dataset in found if dataset.content], total)


@routes.get(f"{_QUERY}/columns", **documented.listed("List columns", "Datasets", TableColumnView, 404, 413))
@needs("jobs:read")
def list_columns(
    table: Annotated[str | None, Query(pattern="^dataset_[1-9][0-9]{0,14}$", description="One table's alone.")] = None,
    page: Page = 0,
    page_size: PageSize = SIZE,
) -> Response[str]:
    """Lists the columns of a table, or of all tables of the page's datasets. X-Total-Count counts the table's columns, or datasets."""
    if table is None:
        found, total = _page(page, page_size)
        return listing([column for dataset in found for column in _columns(dataset)], total)
    number = int(table.removeprefix("dataset_"))
    columns = _columns(routes.engine.datasets.get(routes.caller.project, number))
    return listing(columns[page * page_size : (page + 1) * page_size], len(columns))


def _page(page: int, page_size: int) -> tuple[list[Dataset], int]:
    datasets, project = routes.engine.datasets, routes.caller.project
    return datasets.page(project, page_size, page * page_size), datasets.count(project)


def _table(dataset: Dataset) -> TableView:
    content = dataset.content
    assert content is not None  # noqa: S101  # tables have content
    return TableView(
        name=dataset.table,
        dataset_id=str(dataset.number),
        dataset_name=dataset.name,
        format=content.format,
        row_count=content.row_count,
        size_bytes=content.size_bytes,
    )


def _columns(dataset: Dataset) -> list[TableColumnView]:
    columns = dataset.content.columns if dataset.content else ()
    return [
        TableColumnView(name=column.name, type=column.type, table=dataset.table, position=position)
        for position, column in enumerate(columns, 1)
    ]
