"""Has jobs follow other jobs: the edges, what follows a run's end, and the runs that wait for it."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from quintet.domain.dependency import Condition, JobDependency, UpstreamEnd, leads_to
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem, Throttled
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.services.joins import Joins
from quintet.services.payloads import Payloads
from quintet.services.ports.dependencies import DependencyStore, LatestEnd, ReleaseRun, TriggerJob
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.world import Clock, Ids

log = logging.getLogger(__name__)

MAX_DEPENDENCIES = 50
ADD_TRIES = 100
"""Edges of one project are added one after another; of those who try at once one comes through each time."""
FOLLOW_TRIES = 5


class Dependencies:
    """Edges between jobs of one project, and all that passes along them."""

    def __init__(
        self,
        store: DependencyStore,
        jobs: Jobs,
        payloads: Payloads,
        clock: Clock,
        ids: Ids,
        *,
        trigger: TriggerJob,
        release: ReleaseRun,
        latest: LatestEnd,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._payloads = payloads
        self._clock = clock
        self._ids = ids
        self._release = release
        self._latest = latest
        self._joins = Joins(store, payloads, trigger)

    # --- edges -----------------------------------------------------------------------------------------------------------------

    def add(self, project: str, job_id: str, on_job_id: str, condition: str) -> JobDependency:
        """Has a job follow another one; the edge that is there when it already does so on this condition.

        Raises NotFound for the job, Invalid (depends_on_job_id: unknown, itself, a cycle, too many; condition), Conflict when the same
        edge has another condition, Throttled when too many are added at once.
        """
        self._jobs.get(project, job_id)
        asked = self._asked(project, job_id, on_job_id, condition)
        for _ in range(ADD_TRIES):
            revision = self._store.revision(project)
            needed = self._store.of(job_id)
            there = next((one for one in needed if one.depends_on_job_id == on_job_id), None)
            if there is not None:
                return _same(there, asked)
            self._refuse(needed, job_id, on_job_id)
            for followed in (job_id, on_job_id):
                self._have_followed(project, followed)
            edge = JobDependency(self._ids.new(), job_id, on_job_id, asked, self._clock.now())
            # An end of before is not the new edge's; and of a job with one upstream, ends were not gathered until now.
            stale = [on_job_id, *(one.depends_on_job_id for one in needed if len(needed) == 1)]
            if self._store.add(project, edge, revision, stale):
                self._remember_latest(project, on_job_id)
                return edge
        raise Throttled("too many dependencies are being added", retry_after=1)

    def _asked(self, project: str, job_id: str, on_job_id: str, condition: str) -> Condition:
        problems = []
        if on_job_id == job_id:
            problems.append(Problem(("depends_on_job_id",), "a job can't depend on itself", "cycle"))
        else:
            try:
                self._jobs.get(project, on_job_id)
            except NotFound:
                problems.append(Problem(("depends_on_job_id",), "no such job in the project", "unknown_job"))
        if condition not in set(Condition):
            problems.append(Problem(("condition",), f"must be one of {', '.join(Condition)}"))
        if problems:
            raise Invalid(problems)
        return Condition(condition)

    def _refuse(self, needed: Sequence[JobDependency], job_id: str, on_job_id: str) -> None:
        place = ("depends_on_job_id",)
        if len(needed) >= MAX_DEPENDENCIES:
            raise Invalid([Problem(place, f"a job has at most {MAX_DEPENDENCIES} dependencies", "too_many")])
        if leads_to(on_job_id, job_id, self._upstream, self._downstream):
            raise Invalid([Problem(place, "that job depends on this one already: a cycle", "cycle")])

    def _upstream(self, job_id: str) -> list[str]:
        return [one.depends_on_job_id for one in self._store.of(job_id)]

    def _downstream(self, job_id: str) -> list[str]:
        return [one.job_id for one in self._store.dependants(job_id)]

    def _have_followed(self, project: str, job_id: str) -> None:
        """Has the runs that the job gets from now on wait for what it depends on, and their ends passed on."""
        for _ in range(FOLLOW_TRIES):
            job = self._jobs.get(project, job_id)
            if job.terms.follows:
                return
            with suppress(Conflict):  # changed by others since it was read
                self._jobs.update(replace(job, terms=replace(job.terms, follows=True)), None, job)
                return
        raise Throttled(f"job {job_id} is being changed by others", retry_after=1)

    def _remember_latest(self, project: str, job_id: str) -> None:
        """What ended before anybody depended on the job counts for runs that wait."""
        latest = self._latest(project, job_id)
        if latest is not None:
            self._store.keep_last(_end(latest, None))

    def remove(self, project: str, job_id: str, dependency_id: str) -> None:
        """Takes an edge back; nothing when it is gone. Runs that waited for it only go on. Raises NotFound for the job."""
        job = self._jobs.get(project, job_id)
        for one in self._store.of(job_id):
            if one.id == dependency_id:
                self._store.remove(one)
        self._release_met(job)

    def of(self, project: str, job_id: str) -> list[JobDependency]:
        """What a job depends on, oldest first. Raises NotFound for the job."""
        self._jobs.get(project, job_id)
        return self._store.of(job_id)

    def drop(self, project: str, job_id: str) -> None:
        """Forgets a deleted job: its edges on both sides, and all that was heard for it."""
        for one in self._store.of(job_id):
            self._store.remove(one)
        for one in self._store.dependants(job_id):
            self._store.remove(one)
            with suppress(NotFound):
                self._release_met(self._jobs.get(project, one.job_id))
        self._store.drop(job_id)

    # --- runs that wait --------------------------------------------------------------------------------------------------------

    def unmet(self, job: Job) -> list[JobDependency]:
        """The dependencies whose upstream's last ended run does not satisfy the condition, or that has none."""
        needed = self._store.of(job.id)
        last = self._store.last([one.depends_on_job_id for one in needed]) if needed else {}
        ends = [(one, last.get(one.depends_on_job_id)) for one in needed]
        return [one for one, end in ends if end is None or not one.condition.holds(end.status)]

    def wait_for(self, job: Job, run_id: str) -> None:
        """Has the run released when all the job's dependencies are met; at once when they are."""
        self._store.wait(job.id, run_id)
        # What was met between the caller's look at `unmet` and the line above found nobody to release.
        self._release_met(job)

    def waiting(self, job: Job) -> list[str]:
        """The runs that wait, oldest first."""
        return self._store.waiting(job.id)

    def forget(self, job: Job, run_id: str) -> None:
        """The run does not wait any more."""
        self._store.forget(job.id, run_id)

    def _release_met(self, job: Job) -> None:
        waiting = self._store.waiting(job.id)
        if not waiting or self.unmet(job):
            return
        for run_id in waiting:
            waits_on: object = False
            with suppress(NotFound, Conflict):  # it ended, or went on, by itself
                waits_on = self._release(run_id)
            if not waits_on:
                self._store.forget(job.id, run_id)

    # --- what follows a run's end ----------------------------------------------------------------------------------------------

    def heard(self, run: Run, result: object) -> None:
        """Passes a run's end on to the jobs that depend on its job: they are triggered, or their waiting runs released.

        To be called at least once for each followed run that has ended, with its result as one value. Raises the first trouble after all
        have been tried: then it is to be called again, which repeats nothing that was done.
        """
        dependants = self._store.dependants(run.job_id)
        if not dependants:
            return
        end = _end(run, self._payloads.put(result))
        self._store.keep_last(end)
        troubles: list[Exception] = []
        for one in dependants:
            job = self._dependant(run.tenant, one)
            for tell in [] if job is None else [partial(self._joins.tell, job, end), partial(self._release_met, job)]:
                try:
                    tell()
                except Exception as trouble:  # one job's trouble must not keep the run's end from the others
                    log.exception("job %s was not told of run %s", one.job_id, run.id)
                    troubles.append(trouble)
        if troubles:
            raise troubles[0]

    def _dependant(self, project: str, dependency: JobDependency) -> Job | None:
        try:
            return self._jobs.get(project, dependency.job_id)
        except NotFound:
            self._store.remove(dependency)  # the job was deleted, and its edge was not
            return None


def _end(run: Run, result: object) -> UpstreamEnd:
    return UpstreamEnd(run.job_id, run.id, run.status, run.ended_at or run.updated_at, result)


def _same(there: JobDependency, asked: Condition) -> JobDependency:
    if there.condition is not asked:
        raise Conflict(f"the job depends on it already, on the condition {there.condition}")
    return there
