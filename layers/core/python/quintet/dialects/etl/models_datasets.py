"""What datasets and queries look like on the wire."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictInt

from quintet.dialects.etl.shapes import Asked, Id, Shown
from quintet.domain.dataset import Column, Content, Dataset
from quintet.services.ports.world import Blobs
from quintet.web.rendering import Moment

LIMIT, MAX_LIMIT = 100, 10_000
MAX_OFFSET = 1_000_000_000_000
MAX_SQL = 100_000
FORMAT_WORDS = {"json": "jsonl", "ndjson": "jsonl", "jsonlines": "jsonl", "json_lines": "jsonl"}
"""Other names that formats go by."""


def _format(given: Any) -> Any:
    word = given.strip().lower() if isinstance(given, str) else given
    return FORMAT_WORDS.get(word, word) if isinstance(word, str) else word


Format = Annotated[Literal["parquet", "csv", "jsonl"], BeforeValidator(_format)]
Engine = Literal["duckdb", "athena"]
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"\S")]
Description = Annotated[str, Field(max_length=4096)]


class DatasetIn(Asked):
    """A dataset that is to be made."""

    name: Name
    description: Description | None = None
    format: Format | None = None
    """Of the file that is made of `rows` (Parquet when nothing is said), or of what will be uploaded."""
    rows: list[dict[str, Any]] | None = None
    engine: Engine | None = None
    """What answers queries of it; null: as its size suggests."""


class DatasetPatch(Asked):
    """What is to be changed of a dataset."""

    name: Name | None = None
    description: Description | None = None
    format: Format | None = None
    engine: Engine | None = None


class UploadIn(Asked):
    """What will be uploaded."""

    format: Format | None = None
    """Null: the dataset's own."""


class QueryIn(Asked):
    """A query. Null or nothing is the default of each."""

    sql: Annotated[str, Field(max_length=MAX_SQL)] | None = None
    catalog: Annotated[str, Field(max_length=63)] | None = None
    schema_: Annotated[str, Field(max_length=63)] | None = Field(None, alias="schema")
    limit: Annotated[StrictInt, Field(ge=0, le=MAX_LIMIT)] | None = None
    offset: Annotated[StrictInt, Field(ge=0, le=MAX_OFFSET)] | None = None


class QueryAnswer(Shown):
    """The rows of an answer, each an object; numbers are exact."""

    results: list[dict[str, Any]]


class ColumnView(Shown):
    """One column; its type in DuckDB's words."""

    name: str
    type: str

    @classmethod
    def all_of(cls, columns: tuple[Column, ...]) -> "list[ColumnView]":
        """The views of columns."""
        return [cls(name=column.name, type=column.type) for column in columns]


class DatasetView(Shown):
    """A dataset. What is only known of its content is null while it has none."""

    id: Id
    name: str
    description: str | None
    format: str | None
    storage_path: str | None
    """Its file, or the folder of its files."""
    file_size: int | None
    """In bytes, of all its files."""
    row_count: int | None
    schema_: list[ColumnView] | None = Field(serialization_alias="schema", validation_alias="schema")
    table: str
    """What SQL calls it."""
    engine: Engine | None
    task_id: Id | None
    """The task that it was made for."""
    error: str | None
    """Why the last upload could not be read."""
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, dataset: Dataset, blobs: Blobs) -> "DatasetView":
        """The view of a dataset."""
        content = dataset.content
        return cls.model_validate(
            {
                "id": str(dataset.number),
                "name": dataset.name,
                "description": dataset.description,
                "format": dataset.format,
                "storage_path": None if content is None else storage_path(content, blobs),
                "file_size": None if content is None else content.size_bytes,
                "row_count": None if content is None else content.row_count,
                "schema": None if content is None else ColumnView.all_of(content.columns),
                "table": dataset.table,
                "engine": dataset.engine,
                "task_id": None if dataset.task is None else str(dataset.task),
                "error": dataset.problem,
                "created_at": dataset.created_at,
                "updated_at": dataset.updated_at,
            }
        )


class OutputView(Shown):
    """A task's output dataset."""

    id: Id
    name: str
    format: str
    storage_path: str | None
    columns: list[ColumnView]
    row_count: int
    size_bytes: int
    created_at: Moment
    table: str
    """What SQL calls it, beside `dataset`."""

    @classmethod
    def of(cls, dataset: Dataset, content: Content, blobs: Blobs) -> "OutputView":
        """The view of a dataset with content."""
        return cls(
            id=str(dataset.number),
            name=dataset.name,
            format=content.format,
            storage_path=storage_path(content, blobs),
            columns=ColumnView.all_of(content.columns),
            row_count=content.row_count,
            size_bytes=content.size_bytes,
            created_at=dataset.created_at,
            table=dataset.table,
        )


class UploadView(Shown):
    """Where a file can be uploaded to."""

    url: str
    method: Literal["PUT"]
    format: str
    expires_at: Moment


class TableView(Shown):
    """A table that SQL can name."""

    name: str
    dataset_id: Id
    dataset_name: str
    format: str
    row_count: int
    size_bytes: int


class TableColumnView(ColumnView):
    """A column of a table that SQL can name; `position` counts from 1."""

    table: str
    position: int


def storage_path(content: Content, blobs: Blobs) -> str | None:
    """Where the content is: its file, or the folder of its files; None without files."""
    if content.folder is None:
        return None
    return blobs.address(content.parts[0] if len(content.parts) == 1 else content.folder)
