"""The wire shapes of the callback of running programs."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from quintet.dialects.etl.shapes import Asked, Id, Shown
from quintet.domain.execution import Metrics

COMPLETED, FAILED = "COMPLETED", "FAILED"
_WORDS = {
    "COMPLETED": COMPLETED,
    "SUCCESS": COMPLETED,
    "SUCCEEDED": COMPLETED,
    "FAILED": FAILED,
    "ERROR": FAILED,
}


def _word(given: Any) -> Any:
    return _WORDS.get(given.strip().upper(), given) if isinstance(given, str) else given


Count = Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)]


class CompletionBody(Asked):
    """How a program's work ended."""

    status: Annotated[Literal["COMPLETED", "FAILED"], BeforeValidator(_word)]
    """COMPLETED (or SUCCESS, SUCCEEDED) or FAILED (or ERROR)."""
    task_id: Id | None = None
    execution_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The task's executionReferenceId, or the executionId of its job."""
    output_dataset_path: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """Where the rows were written: X-Quintet-Output-Path, or a file or folder below it."""
    output_dataset_format: Annotated[str, Field(max_length=20)] | None = None
    """parquet, csv, jsonl, ndjson or json; else what the file's name ends in."""
    output_dataset_schema: Any = None
    """Not needed: the files say it themselves."""
    rows: Annotated[list[dict[str, Any]], Field(max_length=100_000)] | None = None
    """The rows themselves, in place of a path."""
    error_message: Annotated[str, Field(max_length=4096)] | None = None
    message: Annotated[str, Field(max_length=4096)] | None = None
    records_processed: Count | None = None
    records_output: Count | None = None
    output_file_size_bytes: Count | None = None
    driver_memory_used_bytes: Count | None = None
    executor_memory_used_bytes: Count | None = None
    executor_count: Count | None = None
    total_cpu_time_seconds: Annotated[float, Field(ge=0, le=1e15)] | None = None
    error_count: Count | None = None
    warning_count: Count | None = None

    @property
    def metrics(self) -> Metrics:
        """The figures that were reported."""
        return Metrics(
            self.records_processed,
            self.records_output,
            self.output_file_size_bytes,
            self.driver_memory_used_bytes,
            self.executor_memory_used_bytes,
            self.executor_count,
            self.total_cpu_time_seconds,
            self.error_count,
            self.warning_count,
        )


class CompletionView(Shown):
    """What a report came to."""

    success: bool
    message: str
    task_id: Id
    execution_id: str
    status: Literal["COMPLETED", "FAILED"]
