"""Defines and revises jobs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from quintet.domain.definition import Plan
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem, TooLarge
from quintet.domain.job import Job, JobVersion
from quintet.domain.terms import Terms
from quintet.services.checks import Checks
from quintet.services.ports.jobs import Jobs, Taken
from quintet.services.ports.world import Clock, Ids

REVISE_TRIES = 3
"""Changes lost to another writer (a schedule, another editor) before giving up: they name fields, so they can be made again."""

MOST_LABELS = 45
"""A change of all of them, with everything else that a revision writes, is one transaction of at most 100 operations."""

Changes = Mapping[str, Any] | Callable[[Job], Mapping[str, Any]]
"""Fields of a job and their new values, or how they follow from the job as it is."""


@dataclass(frozen=True, slots=True)
class JobDraft:
    """A job that is to be."""

    project: str
    dialect: str
    name: str
    plan: Plan
    source: Mapping[str, Any]
    description: str | None = None
    trigger_type: str = "manual"
    status: str = "active"
    settings: Mapping[str, Any] = field(default_factory=dict)
    slug: str | None = None
    labels: frozenset[str] = frozenset()
    terms: Terms = field(default_factory=Terms)
    job_id: str | None = None


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
        status: str = "active",
        settings: Mapping[str, Any] | None = None,
        slug: str | None = None,
        labels: frozenset[str] = frozenset(),
        terms: Terms | None = None,
        job_id: str | None = None,
    ) -> Job:
        """A new job with version 1. Raises Invalid with every fault of the plan, Taken for its slug or webhook path."""
        draft = JobDraft(
            project,
            dialect,
            name,
            plan,
            source,
            description=description,
            trigger_type=trigger_type,
            status=status,
            settings=settings or {},
            slug=slug,
            labels=labels,
            terms=terms or Terms(),
            job_id=job_id,
        )
        if problems := self._problems(draft):
            raise Invalid(problems)
        job, version = self._made(draft)
        self._jobs.create(job, version)
        return job

    def define_many(self, drafts: Sequence[JobDraft], *, all_or_nothing: bool) -> list[Job | Exception]:
        """Many jobs, in few writes: for each the job, or what `define` would have raised for it.

        With `all_or_nothing` the first error is raised, with the draft's index as first part of the place (or in its text), and no job
        stays: plans are checked before anything is written, and what was written before a name proved to be taken is deleted again.
        """
        faults = {index: found for index, draft in enumerate(drafts) if (found := self._problems(draft))}
        if all_or_nothing and faults:
            raise Invalid([_moved(one, index) for index, found in faults.items() for one in found])
        sound = {index: self._made(draft) for index, draft in enumerate(drafts) if index not in faults}
        errors = dict(zip(sound, self._jobs.create_many(list(sound.values())), strict=True))
        refused = [(index, error) for index, error in errors.items() if error is not None]
        if all_or_nothing and refused:
            self._undo([job for index, (job, _) in sound.items() if errors[index] is None])
            index, error = refused[0]
            raise _at(error, index) from error
        return [
            Invalid(faults[index]) if index in faults else errors[index] or sound[index][0]
            for index in range(len(drafts))
        ]

    def revise(
        self,
        project: str,
        job_id: str,
        changes: Changes,
        plan: Plan | None = None,
        source: Mapping[str, Any] | None = None,
    ) -> Job:
        """Changes fields of a job; with a `source` that differs from the current one, a new version. Raises NotFound, Invalid, Conflict."""
        for _ in range(REVISE_TRIES):
            try:
                return self._revise(project, job_id, changes, plan, source)
            except Taken:
                raise
            except Conflict:
                continue
        return self._revise(project, job_id, changes, plan, source)

    def _revise(
        self,
        project: str,
        job_id: str,
        changes: Changes,
        plan: Plan | None,
        source: Mapping[str, Any] | None,
    ) -> Job:
        was = self._jobs.get(project, job_id)
        now = self._clock.now()
        job = replace(was, **(changes(was) if callable(changes) else changes), updated_at=now)
        if problems := [*_overloaded(job.labels), *job.terms.problems()]:
            raise Invalid(problems)
        version = None
        if plan is not None and source is not None and source != self._jobs.version(job_id, was.version).source:
            if problems := self._checks.problems(plan):
                raise Invalid(problems)
            job = replace(job, version=was.version + 1, version_id=self._ids.version_id())
            version = JobVersion(job.version_id, job.id, job.version, plan, source, now)
        if version is None and replace(job, updated_at=was.updated_at) == was:
            return was
        self._jobs.update(job, version, was)
        return job

    def _made(self, draft: JobDraft) -> tuple[Job, JobVersion]:
        now = self._clock.now()
        job = Job(
            id=draft.job_id or self._ids.new(),
            project=draft.project,
            dialect=draft.dialect,
            name=draft.name,
            version=1,
            version_id=self._ids.version_id(),
            created_at=now,
            updated_at=now,
            description=draft.description,
            status=draft.status,
            trigger_type=draft.trigger_type,
            settings=dict(draft.settings),
            slug=draft.slug,
            labels=draft.labels,
            terms=draft.terms,
        )
        return job, JobVersion(job.version_id, job.id, 1, draft.plan, draft.source, now)

    def _problems(self, draft: JobDraft) -> list[Problem]:
        return [*self._checks.problems(draft.plan), *_overloaded(draft.labels), *draft.terms.problems()]

    def _undo(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            with suppress(NotFound):
                self._jobs.delete(job)


def _overloaded(labels: frozenset[str]) -> list[Problem]:
    if len(labels) <= MOST_LABELS:
        return []
    return [Problem(("labels",), f"a job may have at most {MOST_LABELS} labels", "too_long")]


def _moved(problem: Problem, index: int) -> Problem:
    return replace(problem, place=(index, *problem.place))


def _at(error: Exception, index: int) -> Exception:
    """The error of a draft as the error of all drafts, naming which one it was."""
    match error:
        case Taken():
            return Taken(error.what, error.value, f"[{index}]: ")
        case Conflict():
            return Conflict(f"[{index}]: {error}")
        case TooLarge():
            return TooLarge(f"[{index}]: {error}")
        case _:
            return error
