"""Reads executions: of a job (its run, with the runs of the tasks that it called), or of one of its tasks alone."""

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from quintet.dialects.etl.authoring import Desk
from quintet.dialects.etl.members import MAX_MEMBERS
from quintet.dialects.etl.places import facts, number_of
from quintet.dialects.etl.words import TASK
from quintet.domain.errors import NotFound
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.services.ports.runs import RunList
from quintet.services.ports.world import LogEntry
from quintet.web.rendering import moment

MOST_RUNS = 1000
"""Runs that figures are summed over: the newest of those asked for."""
LOG_BYTES = 4 * 1024 * 1024
"""What an answer carries of a log: its newest lines."""
_PAGE = 100
_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log, and the number of the task that said it."""

    entry: LogEntry
    task: int | None

    @property
    def text(self) -> str:
        """The line as people read it."""
        told = "" if self.task is None else f" [task {self.task}]"
        return f"{moment(self.entry.at)} {self.entry.level.upper()}{told} {self.entry.text}"


class Executions:
    """The executions of one job."""

    def __init__(self, desk: Desk, job: Job) -> None:
        self._desk = desk
        self._job = job

    def run(self, execution_id: str) -> tuple[Run, int | None]:
        """The run of that id, and the number of its task when it is one of a task. Raises NotFound, also for another job's."""
        missing = f"no execution {execution_id[:64]} of job {number_of(self._job)}"
        if not _ID.fullmatch(execution_id):
            raise NotFound(missing)
        try:
            run = self._desk.engine.reading.run(self._desk.tenant, execution_id)
            if run.job_id == self._job.id:
                return run, None
            known = facts(self._desk.engine.jobs.get(self._desk.tenant, run.job_id))
        except NotFound:
            raise NotFound(missing) from None
        if known.get("kind") != TASK or known["parent"] != self._job.id:
            raise NotFound(missing)
        return run, int(known["number"])

    def state(self, run: Run) -> tuple[Run, RunState]:
        """A run with its folded journal, as of now."""
        return self._desk.engine.reading.state(self._desk.tenant, run.id)

    def children(self, run: Run) -> list[Run]:
        """The runs of tasks that an execution has started, newest first."""
        wanted = RunList(self._desk.tenant, label=f"parent:{run.id}")
        return list(self._desk.engine.runs.browse(wanted, 2 * MAX_MEMBERS).runs)

    # --- logs ------------------------------------------------------------------------------------------------------------------

    def last_lines(self, run: Run, task: int | None, most: int) -> list[str]:
        """The last lines of a run and of those that it started, in the order in which they were said, oldest first."""
        lines = [Line(entry, task) for entry in self._desk.engine.logs.last(run.id, most)]
        if task is None:
            for child, number in self._called(run):
                if len(lines) == most and child.ended_at is not None and child.ended_at < lines[0].entry.at:
                    break  # it had ended, and so had all after it, before the oldest line that is wanted
                added = [Line(entry, number) for entry in self._desk.engine.logs.last(child.id, most)]
                lines = list(heapq.merge(lines, added, key=lambda line: line.entry.id))[-most:]
        return _within(line.text for line in reversed(lines))

    def _called(self, run: Run) -> Iterator[tuple[Run, int]]:
        """The runs that an execution started, with their tasks' numbers: those at work first, then the ones that ended last."""
        source = self._desk.engine.jobs.version(run.job_id, run.version).source
        tasks = {call["job"]: int(call["key"].removeprefix(f"{TASK}_")) for call in source["calls"]}
        children = self.children(run)
        at_work = [child for child in children if child.ended_at is None]
        ended = sorted((child for child in children if child.ended_at is not None), key=_end, reverse=True)
        for child in (*at_work, *ended):
            if child.job_id in tasks:
                yield child, tasks[child.job_id]

    # --- figures ---------------------------------------------------------------------------------------------------------------

    def runs_of_tasks(self, since: datetime | None, until: datetime | None) -> tuple[list[Run], bool]:
        """The runs of the job's tasks that were made in a time (None: unbounded), newest first, and whether there are more than these."""
        wanted = RunList(self._desk.tenant, label=f"etl-job:{number_of(self._job)}")
        found: list[Run] = []
        cursor: str | None = None
        while True:
            page = self._desk.engine.runs.browse(wanted, _PAGE, cursor)
            for run in page.runs:
                if since is not None and run.created_at < since:
                    return found, False
                if until is None or run.created_at < until:
                    if len(found) == MOST_RUNS:
                        return found, True
                    found.append(run)
            if (cursor := page.cursor) is None:
                return found, False


def _end(run: Run) -> datetime:
    return run.ended_at or run.updated_at


def _within(newest_first: Iterator[str]) -> list[str]:
    """The newest lines that an answer carries, oldest first."""
    kept: list[str] = []
    held = 0
    for line in newest_first:
        held += len(line.encode(errors="surrogatepass"))
        if kept and held > LOG_BYTES:
            break
        kept.append(line)
    return kept[::-1]
