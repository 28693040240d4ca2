"""What a run came to, as this API tells it: the execution log, progress, figures. Pure.

The log is told from the run's item alone, whose notes hold what was measured, so that a list of tasks reads no journal.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from quintet.dialects.etl.models_executions import ExecutedTask, ExecutionView, TaskMetrics, Totals
from quintet.dialects.etl.words import STOPPED, TASK, status_word
from quintet.domain.execution import EXECUTION
from quintet.domain.run import Run
from quintet.domain.state import RunState, StepState
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.completion import error_text
from quintet.web.rendering import moment

_FIGURES = (
    "recordsProcessed",
    "recordsOutput",
    "outputFileSizeBytes",
    "driverMemoryUsedBytes",
    "executorMemoryUsedBytes",
    "executorCount",
    "totalCpuTimeSeconds",
    "errorCount",
    "warningCount",
)


def execution_log(run: Run) -> dict[str, Any]:
    """What a run came to so far; null where nothing was measured."""
    measured = figures(run)
    output = _noted(run).get("outputDataset")
    return {
        "status": STOPPED if run.status is RunStatus.CANCELED else status_word(run.status),
        "startedAt": _moment(run.started_at),
        "completedAt": _moment(run.ended_at),
        "durationSeconds": None if run.duration is None else round(run.duration, 3),
        **measured,
        "error": error_of(run),
        "outputDataset": None if output is None else str(output),
    }


def figures(run: Run) -> dict[str, Any]:
    """The figures that were measured of a run, by their names; null for the others."""
    noted = _noted(run)
    return {name: _number(noted.get(name)) for name in _FIGURES}


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _noted(run: Run) -> Mapping[str, Any]:
    """What the task noted of itself; programs may note other things, under this name too."""
    noted = (run.asked.get("metadata") or {}).get(EXECUTION)
    return noted if isinstance(noted, Mapping) else {}


def error_of(run: Run) -> str | None:
    """Why a run failed, in one line."""
    if run.status is RunStatus.CANCELED:
        return "stopped"
    if run.status is RunStatus.EXPIRED:
        return "expired before it started"
    return None if run.error is None else error_text(run.error)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else moment(at)


# --- progress ------------------------------------------------------------------------------------------------------------------


def progress(state: RunState) -> float:
    """How far a run is, in percent: what its only step reports, else how many of its steps are finished; 100 when it has completed."""
    if state.status is RunStatus.COMPLETED:
        return 100.0
    steps = [state.steps[path] for path in state.root.paths]
    parts = [_share(step) for step in steps] if len(steps) == 1 else [float(_finished(step)) for step in steps]
    return round(100 * sum(parts) / len(parts), 2)


def _share(step: StepState) -> float:
    """Which share of a step is done, as it says itself."""
    told = step.progress or {}
    done, total = told.get("done"), told.get("total")
    if _finished(step):
        return 1.0
    if not isinstance(done, int | float) or not isinstance(total, int | float) or not total:
        return 0.0
    return min(max(done / total, 0.0), 1.0)


def _finished(step: StepState) -> bool:
    return step.status in (StepStatus.COMPLETED, StepStatus.SKIPPED)


# --- figures -------------------------------------------------------------------------------------------------------------------


def task_metrics(number: int, run: Run) -> TaskMetrics:
    """The figures of a task's run, in the whole numbers that the published API has."""
    return TaskMetrics(
        task_id=number,
        duration_seconds=_whole(run.duration),
        status=execution_log(run)["status"],
        started_at=run.started_at,
        completed_at=run.ended_at,
        **{_snake(name): _whole(value) for name, value in figures(run).items()},
    )


def totals(runs: Iterable[Run]) -> Totals:
    """The figures of many runs together; null where none of them was measured."""
    found = list(runs)
    seconds = [run.duration for run in found if run.duration is not None]
    words = [status_word(run.status) for run in found]
    measured = [figures(run) for run in found]

    def summed(name: str) -> int | None:
        values = [one[name] for one in measured if one[name] is not None]
        return _whole(math.fsum(values)) if values else None

    return Totals(
        total_executions=len(found),
        total_duration_seconds=_whole(math.fsum(seconds)) if seconds else None,
        average_duration_seconds=round(math.fsum(seconds) / len(seconds), 3) if seconds else None,
        total_records_processed=summed("recordsProcessed"),
        total_records_output=summed("recordsOutput"),
        total_output_file_size_bytes=summed("outputFileSizeBytes"),
        total_driver_memory_used_bytes=summed("driverMemoryUsedBytes"),
        total_executor_memory_used_bytes=summed("executorMemoryUsedBytes"),
        total_cpu_time_seconds=summed("totalCpuTimeSeconds"),
        total_error_count=summed("errorCount"),
        total_warning_count=summed("warningCount"),
        completed_count=words.count("COMPLETED"),
        failed_count=words.count("FAILED"),
        running_count=words.count("RUNNING"),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else math.floor(value + 0.5)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


# --- executions ----------------------------------------------------------------------------------------------------------------

_STEP_WORDS = {
    StepStatus.PENDING: "PENDING",
    StepStatus.WAITING: "RUNNING",
    StepStatus.RUNNING: "RUNNING",
    StepStatus.COMPLETED: "COMPLETED",
    StepStatus.FAILED: "FAILED",
    StepStatus.SKIPPED: "SKIPPED",
    StepStatus.CANCELED: "FAILED",
}


def executed_tasks(state: RunState, children: Mapping[str, Run]) -> list[ExecutedTask]:
    """The tasks that an execution calls, with the runs that it has started, by the core's ids of the tasks."""
    found = []
    for path in state.root.paths:
        step = state.steps[path]
        kind, _, number = path.partition("_")
        if kind == TASK and number.isdigit():
            child = children.get(step.define.config["job_id"])
            reference = None if child is None else child.id
            found.append(
                ExecutedTask(task_id=number, status=_STEP_WORDS[step.status], execution_reference_id=reference)
            )
    return found


def execution_view(run: Run, state: RunState, tasks: list[ExecutedTask]) -> ExecutionView:
    """How a run stands."""
    return ExecutionView(
        execution_id=run.id,
        status=status_word(run.status),
        progress=progress(state),
        started_at=run.started_at,
        completed_at=run.ended_at,
        execution_time_seconds=_whole(run.duration),
        error_message=error_of(run),
        executor_pod_count=figures(run)["executorCount"],
        tasks=tasks,
    )
