"""Defines and revises jobs."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from quintet.domain.definition import Plan
from quintet.domain.errors import Conflict, Invalid
from quintet.domain.job import Job, JobVersion
from quintet.services.checks import Checks
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.world import Clock, Ids

REVISE_TRIES = 3
"""Changes lost to another writer (a schedule, another editor) before giving up: they name fields, so they can be made again."""


class DefineJob:
    """Creates jobs and their versions."""

    def __init__(self, jobs: Jobs, checks: Checks, clock: Clock, ids: Ids) -> None:
        self._jobs = jobs
        self._checks = checks
        self._clock = clock
        self._ids = ids

    def define(
        self,
        project: str,
        dialect: str,
        name: str,
        plan: Plan,
        source: Mapping[str, Any],
        *,
        description: str | None = None,
        trigger_type: str = "manual",
        settings: Mapping[str, Any] | None = None,
        job_id: str | None = None,
    ) -> Job:
        """A new job with version 1. Raises Invalid with every fault of the plan, Conflict for a taken webhook path."""
        self._check(plan)
        now = self._clock.now()
        job = Job(
            id=job_id or self._ids.new(),
            project=project,
            dialect=dialect,
            name=name,
            version=1,
            version_id=self._ids.new(),
            created_at=now,
            updated_at=now,
            description=description,
            trigger_type=trigger_type,
            settings=dict(settings or {}),
        )
        self._jobs.create(job, JobVersion(job.version_id, job.id, 1, plan, source, now))
        return job

    def revise(
        self,
        project: str,
        job_id: str,
        changes: Mapping[str, Any],
        plan: Plan | None = None,
        source: Mapping[str, Any] | None = None,
    ) -> Job:
        """Changes fields of a job; with a plan that differs from the current one, a new version. Raises NotFound, Invalid, Conflict."""
        for _ in range(REVISE_TRIES):
            with suppress(Conflict):
                return self._revise(project, job_id, changes, plan, source)
        return self._revise(project, job_id, changes, plan, source)

    def _revise(
        self,
        project: str,
        job_id: str,
        changes: Mapping[str, Any],
        plan: Plan | None,
        source: Mapping[str, Any] | None,
    ) -> Job:
        was = self._jobs.get(project, job_id)
        now = self._clock.now()
        job = replace(was, **changes, updated_at=now)
        version = None
        if plan is not None and source is not None and source != self._jobs.version(job_id, was.version).source:
            self._check(plan)
            job = replace(job, version=was.version + 1, version_id=self._ids.new())
            version = JobVersion(job.version_id, job.id, job.version, plan, source, now)
        if version is None and replace(job, updated_at=was.updated_at) == was:
            return was
        self._jobs.update(job, version, was)
        return job

    def _check(self, plan: Plan) -> None:
        if problems := self._checks.problems(plan):
            raise Invalid(problems)
