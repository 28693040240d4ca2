"""Keeps the plans of jobs and projects to what they hold.

A plan is composed of a list that was read before, and the list may have changed since. So whoever has written a plan reads the list again,
and goes on until both fit: of those who change the list at one moment the last writer has seen it whole.
"""

from collections.abc import Callable, Collection
from typing import Any

from quintet.dialects.etl.members import Members, list_of
from quintet.dialects.etl.places import facts, leaving, number_of
from quintet.dialects.etl.plans import Member, Source, job_source, project_source
from quintet.dialects.etl.revising import TRIES, Revising, Revision
from quintet.dialects.etl.words import DIALECT, JOB, TASK
from quintet.domain.errors import NotFound, Throttled
from quintet.domain.job import Job

NONE: Collection[int] = ()


class Composing:
    """Composes plans."""

    def __init__(self, members: Members, revising: Revising) -> None:
        self._members = members
        self._revise = revising

    def job(self, job: Job, without: Collection[int] = NONE) -> Job:
        """A job's plan as of its tasks; `without` those that are about to go. Raises NotFound when the job itself goes."""

        def decide(found: list[Member]) -> Callable[[Job], Revision]:
            return lambda fresh: _revision(fresh, job_source(found), {"tasks": [one.number for one in found]})

        return self._fit(job, list_of(TASK, number_of(job)), without, decide)

    def project(self, project: Job, without: Collection[int] = NONE) -> Job:
        """A project's plan as of its jobs. A schedule that starts a job that is no more ends with it. Raises NotFound as `job` does."""

        def decide(found: list[Member]) -> Callable[[Job], Revision]:
            return lambda fresh: _project_revision(fresh, found)

        return self._fit(project, list_of(JOB, number_of(project)), without, decide)

    def _fit(
        self,
        job: Job,
        collection: str,
        without: Collection[int],
        decide: Callable[[list[Member]], Callable[[Job], Revision]],
    ) -> Job:
        composed: list[Member] | None = None
        for _ in range(TRIES):
            listed = [Member.of(one) for one in self._members.all(collection) if not leaving(one)]
            found = [one for one in listed if one.number not in without]
            if found == composed:
                return job
            revised = self._revise(job, decide(found))
            if revised == job:  # nothing was written, so that there is nothing to see to
                return job
            job, composed = revised, found
        raise Throttled("others change this at the same time", retry_after=1)


def _revision(fresh: Job, source: Source, known: dict[str, Any]) -> Revision:
    if leaving(fresh):
        raise NotFound(f"{fresh.slug} is being deleted")
    return Revision({"settings": {**fresh.settings, DIALECT: {**facts(fresh), **known}}}, source)


def _project_revision(fresh: Job, found: list[Member]) -> Revision:
    numbers, only = [one.number for one in found], facts(fresh).get("only")
    if only is None or only in numbers:
        return _revision(fresh, project_source(found, only), {"jobs": numbers})
    revision = _revision(fresh, project_source(found, None), {"jobs": numbers, "only": None})
    settings = {name: value for name, value in revision.fields["settings"].items() if name != "schedule"}
    return Revision({"settings": settings, "trigger_type": "manual"}, revision.source)
