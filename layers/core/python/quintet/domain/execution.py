"""What an execution of a task came to: its figures, and its end as the engine books it."""

from dataclasses import dataclass, replace
from typing import Any

from quintet.domain.dataset import Content, table_name
from quintet.domain.outcome import Completed, Failed, StepError

EXECUTION = "execution"
"""The name of the figures among the notes of a run."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What was measured of an attempt; None: nothing measured it. Bytes and seconds."""

    records_processed: int | None = None
    records_output: int | None = None
    output_file_size_bytes: int | None = None
    driver_memory_used_bytes: int | None = None
    executor_memory_used_bytes: int | None = None
    executor_count: int | None = None
    total_cpu_time_seconds: float | None = None
    error_count: int | None = None
    warning_count: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures by the names that the API calls them by."""
        return {
            "recordsProcessed": self.records_processed,
            "recordsOutput": self.records_output,
            "outputFileSizeBytes": self.output_file_size_bytes,
            "driverMemoryUsedBytes": self.driver_memory_used_bytes,
            "executorMemoryUsedBytes": self.executor_memory_used_bytes,
            "executorCount": self.executor_count,
            "totalCpuTimeSeconds": self.total_cpu_time_seconds,
            "errorCount": self.error_count,
            "warningCount": self.warning_count,
        }


def finished(output: int, content: Content | None, metrics: Metrics, answer: Any = None) -> Completed:
    """A task's end: its output, if it left any, is the dataset numbered `output` from the commit of this outcome on.

    Rows and bytes of the output are the content's own where the metrics don't say them. `answer` is what else it said (JSON).
    """
    dataset = None
    if content is not None:
        dataset = {"id": output, "table": table_name(output), **content.to_dict()}
        metrics = replace(
            metrics,
            records_output=content.row_count if metrics.records_output is None else metrics.records_output,
            output_file_size_bytes=content.size_bytes
            if metrics.output_file_size_bytes is None
            else metrics.output_file_size_bytes,
        )
    result = {"dataset": dataset, "metrics": metrics.to_dict(), "answer": answer}
    return Completed(result, notes=_notes(metrics, None if content is None else output))


def broken(error: StepError, metrics: Metrics | None = None, *, cut: bool = False) -> Failed:
    """A task's failure, with what was measured until then; `cut` as in Failed."""
    return Failed(error, notes=None if metrics is None else _notes(metrics, None), cut=cut)


def _notes(metrics: Metrics, output: int | None) -> dict[str, Any]:
    """What was measured and nothing else: the run's item, which carries it, costs more above 1 KB."""
    known = {**metrics.to_dict(), "outputDataset": output}
    return {EXECUTION: {name: value for name, value in known.items() if value is not None}}
