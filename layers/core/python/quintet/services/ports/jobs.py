"""Where jobs and their versions are kept."""

from datetime import datetime
from typing import Protocol

from quintet.domain.job import Job, JobVersion


class Jobs(Protocol):
    """Jobs and their immutable versions."""

    def create(self, job: Job, version: JobVersion) -> None:
        """Writes a new job with its first version and claims its webhook path (settings `webhook.path`). Raises Conflict."""
        ...

    def update(self, job: Job, version: JobVersion | None, was: Job) -> None:
        """Writes the job's new face, and its new version if any. Raises Conflict when it is no longer what it `was`."""
        ...

    def get(self, project: str, job_id: str) -> Job:
        """Raises NotFound, also for another project's."""
        ...

    def delete(self, job: Job) -> None:
        """Removes the job from lists and gets; its versions stay readable for the runs that used them."""
        ...

    def page(self, project: str, dialect: str, status: str | None, limit: int, offset: int) -> list[Job]:
        """A project's jobs of one API, newest first."""
        ...

    def count(self, project: str, dialect: str, status: str | None) -> int:
        """How many jobs `page` ranges over."""
        ...

    def version(self, job_id: str, version: int) -> JobVersion:
        """One version; cacheable for ever. Raises NotFound."""
        ...

    def versions(self, job_id: str, limit: int, offset: int) -> list[JobVersion]:
        """A job's versions, newest first."""
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
