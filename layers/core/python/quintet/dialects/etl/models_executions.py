"""What executions look like on the wire: status, logs, figures."""

from typing import Annotated

from pydantic import Field

from quintet.dialects.etl.shapes import Id, Shown
from quintet.dialects.etl.words import ExecutionStatus
from quintet.web.rendering import Moment

Progress = Annotated[float, Field(ge=0, le=100, description="Percent.")]


class TaskStatusView(Shown):
    """How far a task is."""

    status: ExecutionStatus
    progress: Progress


class TaskMetrics(Shown):
    """What a task's last run came to, as measured; null where nothing measured it."""

    task_id: int
    duration_seconds: int | None = None
    records_processed: int | None = None
    records_output: int | None = None
    output_file_size_bytes: int | None = None
    driver_memory_used_bytes: int | None = None
    executor_memory_used_bytes: int | None = None
    executor_count: int | None = None
    total_cpu_time_seconds: int | None = None
    error_count: int | None = None
    warning_count: int | None = None
    status: str
    started_at: Moment | None = None
    completed_at: Moment | None = None


class Submitted(Shown):
    """An execution that has begun."""

    execution_id: str
    status: Annotated[str, Field(description="SUBMITTED.")] = "SUBMITTED"
    message: str = "Job execution submitted successfully"
    success: bool = True


class ExecutedTask(Shown):
    """A task within an execution; `executionReferenceId` once it has started."""

    task_id: Id
    status: Annotated[str, Field(description="As executionStatus, or SKIPPED.")]
    execution_reference_id: str | None = None


class ExecutionView(Shown):
    """How an execution stands."""

    execution_id: str
    status: ExecutionStatus
    progress: Progress
    started_at: Moment | None = None
    completed_at: Moment | None = None
    execution_time_seconds: int | None = None
    error_message: str | None = None
    spark_ui_url: str | None = None
    executor_pod_count: int | None = None
    tasks: list[ExecutedTask]


class LogLines(Shown):
    """The last lines of an execution's log, oldest first."""

    logs: list[str]


class Totals(Shown):
    """Sums over the runs of a job's tasks; null where nothing measured any of them."""

    total_executions: int
    total_duration_seconds: int | None = None
    average_duration_seconds: float | None = None
    total_records_processed: int | None = None
    total_records_output: int | None = None
    total_output_file_size_bytes: int | None = None
    total_driver_memory_used_bytes: int | None = None
    total_executor_memory_used_bytes: int | None = None
    total_cpu_time_seconds: int | None = None
    total_error_count: int | None = None
    total_warning_count: int | None = None
    completed_count: int
    failed_count: int
    running_count: int


class JobMetrics(Shown):
    """The figures of a job's tasks over a time."""

    job_id: int
    start_time: Moment | None = None
    end_time: Moment | None = None
    aggregated: Totals
    truncated: Annotated[
        bool, Field(description="True when there are more runs than are looked at, of which these are the newest.")
    ]


class ZombiesView(Shown):
    """The tasks that were given up."""

    marked_count: int
    marked_task_ids: list[int]
    timeout_hours: int | float
    message: str
