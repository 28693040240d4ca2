"""The last runs of projects, jobs and tasks, and how runs are started and stopped.

Each of them runs one at a time, in a slot of its own: its last run is the one that took that slot last, read strongly consistent.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from quintet.dialects.etl.authoring import Desk
from quintet.dialects.etl.members import list_of
from quintet.dialects.etl.outputs import Outputs
from quintet.dialects.etl.places import facts, number_of
from quintet.dialects.etl.plans import task_source
from quintet.dialects.etl.revising import Revision
from quintet.dialects.etl.words import DIALECT, TASK
from quintet.domain.errors import Conflict, Disabled, Invalid, NotFound, Problem
from quintet.domain.job import Job
from quintet.domain.limits import slots
from quintet.domain.program import TYPES
from quintet.domain.run import Run, Trigger
from quintet.services.asks import Ask

STOPPED = "stopped"


class LastRuns:
    """Looks up last runs and acts on them."""

    def __init__(self, desk: Desk, trigger: Trigger) -> None:
        """`trigger` is what runs say of who started them."""
        self._desk = desk
        self._trigger = trigger

    # --- looking ---------------------------------------------------------------------------------------------------------------

    def of(self, job: Job) -> Run | None:
        """The last run; None for what never ran."""
        return self.of_all([job]).get(job.id)

    def of_all(self, jobs: Sequence[Job]) -> dict[str, Run]:
        """The last runs by the core's job ids."""
        held = {next(slots(job, None)).name: job.id for job in jobs}
        found = self._desk.engine.runs.last_holders(list(held)) if held else {}
        return {held[slot]: run for slot, run in found.items()}

    def refuse_running(self, jobs: Sequence[Job], why: str) -> None:
        """Raises Conflict when one of them runs."""
        last = self.of_all(jobs)
        for job in jobs:
            if running(last.get(job.id)):
                kind, number = facts(job)["kind"], number_of(job)
                raise Conflict(f"{kind} {number} is running{why}")

    # --- starting --------------------------------------------------------------------------------------------------------------

    def start(self, task: Job, params: Mapping[str, Any] | None) -> tuple[Job, Run]:
        """Starts a task: it as it started, and its new run. Raises Disabled, Invalid (its program), Conflict (it is running)."""
        if task.status != "active":
            raise Disabled(f"task {number_of(task)} is disabled")
        self._check_program(task)
        task = self._with_output(task)
        return task, self._submit(task, params)

    def execute(self, job: Job, params: Mapping[str, Any] | None) -> Run:
        """Executes a job: its enabled tasks in their order. Raises Disabled, Invalid (nothing to run, a task without program),
        Conflict (it is running, or one of its tasks)."""
        if job.status != "active":
            raise Disabled(f"job {number_of(job)} is disabled")
        tasks = [task for task in self._desk.members.all(list_of(TASK, number_of(job))) if task.status == "active"]
        if not tasks:
            raise Invalid([Problem((), f"job {number_of(job)} has no enabled tasks")])
        bare = [number_of(task) for task in tasks if not facts(task).get("botId")]
        if bare:
            raise Invalid([Problem((), f"task {number} has no botId: no program to run") for number in bare])
        self.refuse_running([job, *tasks], "")
        return self._submit(self._desk.compose.job(job), params)

    def _submit(self, job: Job, params: Mapping[str, Any] | None) -> Run:
        given = {"params": dict(params)} if params else None
        try:
            return self._desk.engine.submit(job, Ask(input=given, trigger=self._trigger)).run
        except Disabled:
            raise
        except Conflict:
            raise Conflict(f"{facts(job)['kind']} {number_of(job)} is running") from None

    def _check_program(self, task: Job) -> None:
        known = facts(task)
        bot = known.get("botId")
        if not bot:
            raise Invalid([Problem((), f"task {known['number']} has no botId: no program to run")])
        try:
            program = self._desk.engine.programs.find(self._desk.tenant, bot)
        except NotFound:
            raise Invalid([Problem((), f"task {known['number']}: there is no program {bot!r}")]) from None
        if program.type != TYPES[known["taskType"]]:
            runs = f"a task of type {known['taskType']} runs programs of type {TYPES[known['taskType']]}"
            raise Invalid([Problem((), f"task {known['number']}: {runs}, and {bot!r} is {program.type}")])

    def _with_output(self, task: Job) -> Job:
        """The task with a dataset for its output, should somebody have deleted the one it had."""
        output = Outputs(self._desk).there(task)
        if output["output"] == facts(task)["output"]:
            return task

        def decide(fresh: Job) -> Revision:
            known = {**facts(fresh), **output}
            return Revision({"settings": {**fresh.settings, DIALECT: known}}, task_source(known))

        return self._desk.revise(task, decide)

    # --- stopping --------------------------------------------------------------------------------------------------------------

    def stop(self, job: Job) -> Run:
        """Stops what runs of a job or task, for real; the run as it ended. Raises Conflict when nothing does."""
        run = self.of(job)
        if run is None or not running(run):
            raise Conflict(f"{facts(job)['kind']} {number_of(job)} is not running")
        try:
            return self._desk.engine.cancel_run(self._desk.tenant, run.id, self._desk.by, STOPPED)
        except Conflict:
            raise Conflict(f"{facts(job)['kind']} {number_of(job)} is not running any more") from None

    def end_late(self, jobs: Sequence[Job]) -> None:
        """Cancels the runs that began at the moment in which their jobs were deleted."""
        for run in self.of_all(jobs).values():
            if running(run):
                with suppress(Conflict, NotFound):
                    self._desk.engine.cancel_run(self._desk.tenant, run.id, self._desk.by, "it was deleted")


def running(run: Run | None) -> bool:
    """True for a run that has not ended."""
    return run is not None and not run.status.terminal
