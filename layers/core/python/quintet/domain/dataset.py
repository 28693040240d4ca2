"""A dataset: rows in files of one format, with what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FORMATS = ("parquet", "csv", "jsonl")
MAX_PARTS = 1000
"""Files of one dataset: what one program may write."""
MAX_TOLD = 250_000
"""Bytes of what is known of a content, its columns and the names of its files, as JSON: it stands in the dataset's record."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `type` in DuckDB's words (BIGINT, VARCHAR, DECIMAL(18,3), ...)."""

    name: str
    type: str


ENGINES = ("duckdb", "athena")


@dataclass(frozen=True, slots=True)
class Content:
    """The rows of a dataset at one time: files (names of blobs) of one format, never changed once described."""

    format: str
    parts: tuple[str, ...]
    columns: tuple[Column, ...]
    row_count: int
    size_bytes: int

    @property
    def folder(self) -> str | None:
        """The folder that its files are in, with a slash at its end; None without files."""
        return f"{self.parts[0].rpartition('/')[0]}/" if self.parts else None

    def to_dict(self) -> dict[str, Any]:
        """The content as JSON-ready data."""
        return {
            "format": self.format,
            "parts": list(self.parts),
            "columns": [{"name": column.name, "type": column.type} for column in self.columns],
            "rowCount": self.row_count,
            "sizeBytes": self.size_bytes,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Content":
        """The content that `to_dict` wrote."""
        columns = tuple(Column(column["name"], column["type"]) for column in data["columns"])
        return cls(data["format"], tuple(data["parts"]), columns, data["rowCount"], data["sizeBytes"])


@dataclass(frozen=True, slots=True)
class Upload:
    """A place to which a file may be uploaded until `until`; whoever reads the dataset next looks whether it is there."""

    blob: str
    format: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named dataset of a project. One without content waits for its first rows: of a task that has not completed yet, or of an upload."""

    number: int
    project: str
    name: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    format: str | None = None
    """What its content is to be, where that was said before there is any."""
    content: Content | None = None
    task: int | None = None
    """The task that it was made for."""
    writers: tuple[int, ...] = ()
    """The tasks whose output it is."""
    run_id: str | None = None
    """The run that the content is of, or was of before an upload: only newer runs replace it."""
    engine: str | None = None
    """What answers queries of it: duckdb | athena; None: as its size suggests."""
    uploads: tuple[Upload, ...] = ()
    problem: str | None = None
    """Why the last upload could not be read."""
    outdated: str | None = None
    """The folder of the content before this one, which queries under way may still read."""

    @property
    def table(self) -> str:
        """What SQL calls it."""
        return table_name(self.number)

    @property
    def prefix(self) -> str:
        """What all its blobs' names begin with."""
        return prefix_of(self.project, self.number)


def table_name(number: int) -> str:
    """What SQL calls the dataset of that number."""
    return f"dataset_{number}"


def prefix_of(project: str, number: int) -> str:
    """What the names of all blobs of a dataset begin with."""
    return f"datasets/{project}/{number}/"
