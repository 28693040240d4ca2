"""Enables and disables many jobs at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.job import Job
from quintet.services.jobs import REVISE_TRIES
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.world import Clock
from quintet.services.upkeep import NextMoment

BATCH = 90
"""A page of jobs that is changed in one transaction."""


class SwitchJobs:
    """Sets the status of jobs that are named, or that have a label; no version is made of it."""

    def __init__(self, jobs: Jobs, clock: Clock, next_moment: NextMoment) -> None:
        self._jobs = jobs
        self._clock = clock
        self._next_moment = next_moment

    def __call__(
        self,
        project: str,
        status: str,
        *,
        ids: Iterable[str] | None = None,
        label: str | None = None,
        dialect: str = "jobs",
        by: str | None = None,
    ) -> int:
        """How many jobs were changed: of those named, of those with the label, of those that are both when both are given.

        Jobs that have the status already, or that aren't the project's and API's, count for nothing. `by` goes into settings `updated_by`.
        Raises Invalid when neither is given; Conflict when a job goes on being changed by others.
        """
        changed = 0
        for jobs in self._asked(project, dialect, ids, label):
            changed += self._switch(project, jobs, status, by)
        return changed

    def _asked(
        self, project: str, dialect: str, ids: Iterable[str] | None, label: str | None
    ) -> Iterator[Sequence[Job]]:
        if ids is not None:
            found = self._jobs.get_many(project, ids)
            yield [one for one in found if one.dialect == dialect and (label is None or label in one.labels)]
            return
        if label is None:
            raise Invalid([Problem((), "name the jobs, or a label")])
        page = self._jobs.browse(project, dialect, label, BATCH)
        yield page.jobs
        while page.cursor is not None:
            page = self._jobs.browse(project, dialect, label, BATCH, page.cursor)
            yield page.jobs

    def _switch(self, project: str, jobs: Sequence[Job], status: str, by: str | None) -> int:
        changed = 0
        left = [job for job in jobs if job.status != status]
        for tried in range(REVISE_TRIES + 1):
            outcomes = self._jobs.update_many([(self._switched(job, status, by), job) for job in left])
            changed += sum(outcome is None for outcome in outcomes)
            again = []
            for job, outcome in zip(left, outcomes, strict=True):
                if isinstance(outcome, Conflict) and tried < REVISE_TRIES:
                    again.append(job.id)
                elif outcome is not None and not isinstance(outcome, NotFound):
                    raise outcome
            left = [job for job in self._jobs.get_many(project, again) if job.status != status] if again else []
            if not left:
                break
        return changed

    def _switched(self, job: Job, status: str, by: str | None) -> Job:
        now = self._clock.now()
        settings: dict[str, Any] = dict(job.settings)
        if by is not None:
            settings["updated_by"] = by
        if schedule := settings.get("schedule"):
            moment = self._next_moment(job, now) if status == "active" else None
            upcoming = None if moment is None else moment.isoformat().replace("+00:00", "Z")
            settings["schedule"] = {**schedule, "next_at": upcoming}
        return replace(job, status=status, settings=settings, updated_at=now)
