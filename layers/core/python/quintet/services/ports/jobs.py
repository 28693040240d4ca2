"""Where jobs and their versions are kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from quintet.domain.errors import Conflict
from quintet.domain.job import Job, JobVersion


class Taken(Conflict):
    """Another has that name; `what` says which kind of name it is: slug, webhook path."""

    def __init__(self, what: str, value: str, prefix: str = "") -> None:
        super().__init__(f"{prefix}{what} {value!r} is taken")
        self.what = what
        self.value = value


@dataclass(frozen=True, slots=True)
class JobPage:
    """A part of a list of jobs, newest first. With a `cursor` there are more; jobs deleted meanwhile may make it short."""

    jobs: Sequence[Job]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class VersionPage:
    """A part of a job's versions, newest first; with a `cursor` there are more."""

    versions: Sequence[JobVersion]
    cursor: str | None = None


class Jobs(Protocol):
    """Jobs and their immutable versions; a job's slug, labels and webhook path (settings `webhook.path`) are kept with it."""

    def create(self, job: Job, version: JobVersion) -> None:
        """Writes a new job with its first version and claims its slug and webhook path. Raises Taken, Conflict."""
        ...

    def create_many(self, made: Sequence[tuple[Job, JobVersion]]) -> list[Exception | None]:
        """The same for many, in few transactions: None for each that was written, else what `create` would have raised for it."""
        ...

    def update(self, job: Job, version: JobVersion | None, was: Job) -> None:
        """Writes the job's new face, and its new version if any. Raises Taken; Conflict when it is no longer what it `was`; NotFound."""
        ...

    def update_many(self, changed: Sequence[tuple[Job, Job]]) -> list[Exception | None]:
        """The same for the faces of many (job, was), in few transactions: None for each, or what `update` would have raised."""
        ...

    def get(self, project: str, job_id: str) -> Job:
        """Raises NotFound, also for another project's."""
        ...

    def get_many(self, project: str, job_ids: Iterable[str]) -> list[Job]:
        """Those of the project's jobs that are there, in the order asked for."""
        ...

    def by_slug(self, project: str, dialect: str, slug: str) -> Job:
        """The project's job of that API and slug. Raises NotFound."""
        ...

    def delete(self, job: Job) -> None:
        """Removes the job from lists and gets and frees its names; its versions stay readable for the runs that used them."""
        ...

    def page(self, project: str, dialect: str, status: str | None, limit: int, offset: int) -> list[Job]:
        """A project's jobs of one API, newest first."""
        ...

    def count(self, project: str, dialect: str, status: str | None) -> int:
        """How many jobs `page` ranges over."""
        ...

    def browse(self, project: str, dialect: str, label: str | None, limit: int, cursor: str | None = None) -> JobPage:
        """A project's jobs of one API (of a label), newest first, from a cursor on.

        The first page costs what the thousandth does. Raises Invalid for a bad cursor.
        """
        ...

    def version(self, job_id: str, version: int) -> JobVersion:
        """One version; cacheable for ever. Raises NotFound."""
        ...

    def version_by_id(self, job_id: str, version_id: str) -> JobVersion:
        """A job's version of that id; cacheable for ever. Raises NotFound."""
        ...

    def versions(self, job_id: str, limit: int, offset: int) -> list[JobVersion]:
        """A job's versions, newest first."""
        ...

    def versions_page(self, job_id: str, limit: int, cursor: str | None = None) -> VersionPage:
        """A job's versions, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        ...

    def by_hook(self, path: str) -> Job:
        """The job whose webhook path this is. Raises NotFound."""
        ...

    def scheduled(self, until: datetime, limit: int) -> list[tuple[Job, datetime]]:
        """Jobs whose next scheduled moment is not after `until`, with that moment, earliest first (settings `schedule.next_at`)."""
        ...

    def reschedule(self, job: Job, was: datetime, next_at: datetime | None) -> bool:
        """Moves a job's next moment on; False when someone else did so already. Prevents one tick from firing twice."""
        ...
