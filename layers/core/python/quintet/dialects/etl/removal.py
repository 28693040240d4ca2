"""Deletes projects, jobs and tasks. Their runs stay, and so do the datasets that hold rows.

What holds others is marked first, and all that it holds, from when on nobody finds it; then go the others, then itself, and its place in
its list last. Whoever died on the way is followed by the same request again, which finds what is left.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from quintet.dialects.etl.authoring import Desk
from quintet.dialects.etl.members import list_of
from quintet.dialects.etl.outputs import Outputs
from quintet.dialects.etl.places import facts, leaving, number_of
from quintet.dialects.etl.revising import TRIES
from quintet.dialects.etl.runs import LastRuns
from quintet.dialects.etl.words import DIALECT, JOB, PROJECT, TASK
from quintet.domain.errors import Conflict, NotFound, Throttled
from quintet.domain.job import Job
from quintet.domain.status import TERMINAL, RunStatus
from quintet.services.ports.runs import RunList

_LIVE = frozenset(RunStatus) - TERMINAL
_PAGE = 100
MOST_TIME = timedelta(seconds=20)
"""How long one request deletes: gateways wait for half a minute."""


class Removal:
    """Takes things away."""

    def __init__(self, desk: Desk, runs: LastRuns) -> None:
        self._desk = desk
        self._runs = runs
        self._began = desk.engine.clock.now()

    def task(self, project: int, job: int, task: int) -> None:
        """Deletes a task. Raises NotFound, Conflict (it or its job runs, or others depend on it)."""
        found = self._desk.places.stored(TASK, task)
        if found is None:
            self._finish(list_of(TASK, job), task)
            return
        if (facts(found)["project"], facts(found)["job"]) != (project, job):
            raise NotFound(f"no task {task} in job {job} of project {project}")
        owner = self._desk.places.job(project, job)
        if not leaving(found):
            self._runs.refuse_running([found, owner], "")
            self._refuse_needed(task, job)
            self._desk.compose.job(owner, without=(task,))  # it is not called any more before it is gone
            self._mark([found])
        self._delete_task(found)
        self._runs.end_late([found])
        self._desk.compose.job(owner)

    def job(self, project: int, job: int) -> None:
        """Deletes a job with its tasks. Raises NotFound, Conflict (it or one of its tasks runs)."""
        found = self._desk.places.stored(JOB, job)
        if found is None:
            self._finish(list_of(JOB, project), job)
            return
        if facts(found)["project"] != project:
            raise NotFound(f"no job {job} in project {project}")
        owner = self._desk.engine.jobs.get(self._desk.tenant, facts(found)["parent"])
        tasks = self._desk.members.all(list_of(TASK, job))
        if not leaving(found):
            self._runs.refuse_running([found, *tasks], "")
            if not leaving(owner):
                self._desk.compose.project(owner, without=(job,))
        self._mark([found, *tasks])
        self._delete_job(found)
        if not leaving(owner):
            self._desk.compose.project(owner)

    def project(self, project: int) -> None:
        """Deletes a project with its jobs. Raises NotFound, Conflict (something in it runs)."""
        found = self._desk.places.stored(PROJECT, project)
        if found is None:
            self._finish(list_of(PROJECT), project)
            return
        jobs = self._desk.members.all(list_of(JOB, project))
        if not leaving(found):
            self._runs.refuse_running([found, *jobs], "")
            self._refuse_running_tasks(project)
        tasks = [task for job in jobs for task in self._desk.members.all(list_of(TASK, number_of(job)))]
        self._mark([found, *jobs, *tasks])
        for job in jobs:
            self._delete_job(job)
        self._desk.members.release(found.name, project)
        self._take(found, list_of(PROJECT))
        self._runs.end_late([found])

    # --- the parts -------------------------------------------------------------------------------------------------------------

    def _refuse_needed(self, task: int, job: int) -> None:
        tasks = self._desk.members.all(list_of(TASK, job))
        if needing := [number_of(one) for one in tasks if task in facts(one)["dependsOn"]]:
            raise Conflict(f"tasks depend on task {task}: {', '.join(map(str, needing))}")

    def _refuse_running_tasks(self, project: int) -> None:
        """Of all tasks of a project those that run are found by what runs at all, which is less than the project may hold."""
        cursor: str | None = None
        while True:
            page = self._desk.engine.runs.browse(RunList(self._desk.tenant, statuses=_LIVE), _PAGE, cursor)
            begun = [run.job_id for run in page.runs if run.started_at is not None]
            for job in self._desk.engine.jobs.get_many(self._desk.tenant, begun):
                known = facts(job)
                if known.get("kind") == TASK and known["project"] == project:
                    raise Conflict(f"task {known['number']} is running")
            if (cursor := page.cursor) is None:
                return

    def _delete_job(self, job: Job) -> None:
        tasks = self._desk.members.all(list_of(TASK, number_of(job)))  # those that were made since included
        for task in tasks:
            self._delete_task(task)
        self._take(job, list_of(JOB, facts(job)["project"]))
        self._runs.end_late([job, *tasks])

    def _delete_task(self, task: Job) -> None:
        Outputs(self._desk).forget(number_of(task), facts(task)["output"])
        self._take(task, list_of(TASK, facts(task)["job"]))

    def _mark(self, jobs: Sequence[Job]) -> None:
        """From now on they start nothing and nobody finds them, but who deletes them: up to some ninety of them in one transaction."""
        left = [job for job in jobs if not leaving(job)]
        for _ in range(TRIES):
            if not left:
                return
            outcomes = self._desk.engine.jobs.update_many([(self._marked(job), job) for job in left])
            lost = [job.id for job, outcome in zip(left, outcomes, strict=True) if isinstance(outcome, Conflict)]
            if faults := [one for one in outcomes if one is not None and not isinstance(one, Conflict | NotFound)]:
                raise faults[0]
            for job in left:
                self._desk.call_off(job)
            left = [job for job in self._desk.engine.jobs.get_many(self._desk.tenant, lost) if not leaving(job)]
        raise Throttled("others change this at the same time", retry_after=1)

    def _marked(self, job: Job) -> Job:
        settings = {name: value for name, value in job.settings.items() if name != "schedule"}
        known = {**facts(job), "deleting": True}
        now = self._desk.engine.clock.now()
        return replace(job, status="disabled", settings={**settings, DIALECT: known}, updated_at=now)

    def _take(self, job: Job, collection: str) -> None:
        if self._desk.engine.clock.now() - self._began > MOST_TIME:
            raise Throttled("this is much to delete: ask again to have it gone on with", retry_after=1)
        with suppress(NotFound):
            self._desk.engine.delete_job(self._desk.tenant, job.id)
        self._desk.call_off(job)
        self._desk.members.leave(collection, number_of(job))

    def _finish(self, collection: str, number: int) -> None:
        """What a deletion that died on the way left of a list. Raises NotFound when that was nothing."""
        if not self._desk.members.clear(collection, number):
            raise NotFound(f"no {collection.partition('/')[0].removesuffix('s')} {number}")
