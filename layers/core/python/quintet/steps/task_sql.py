"""The work of SQL tasks: one SELECT over the table `input`."""

from typing import ClassVar

from quintet.domain.execution import Metrics, finished
from quintet.domain.outcome import Outcome
from quintet.services.ports.queries import Files, QueryFault
from quintet.services.ports.steps import StepCall
from quintet.services.programs import Programs
from quintet.services.stops import CODE, leash
from quintet.steps.task_work import TaskWork, Unparked, query_failed


class SqlWork(Unparked):
    """Writes the answer of the program's query as Parquet."""

    leaves: ClassVar[str | None] = CODE

    def __init__(self, files: Files, programs: Programs) -> None:
        self._files = files
        self._programs = programs

    def perform(self, call: StepCall, work: TaskWork) -> Outcome:
        """Runs the query."""
        sql = self._programs.source(work.program).decode()
        tables = {} if work.input is None else {"input": work.input}
        into, timeout = f"{work.prefix}rows.parquet", call.timeout
        try:
            made = self._files.make(sql, tables, into, timeout=timeout, leash=leash(call.run.id, call.token))
        except QueryFault as fault:
            return query_failed(fault)
        call.log("info", f"{made.content.row_count} rows, {made.content.size_bytes} bytes")
        metrics = Metrics(
            records_processed=made.rows_read,
            driver_memory_used_bytes=made.memory_bytes,
            total_cpu_time_seconds=made.cpu_seconds,
        )
        return finished(work.output, made.content, metrics)
