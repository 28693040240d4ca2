"""Jobs and their versions in memory."""

from dataclasses import replace
from datetime import datetime
from threading import RLock

from quintet.adapters.records import (
    hook_path,
    job_from_text,
    job_to_text,
    next_moment,
    version_from_text,
    version_to_text,
    with_next_moment,
)
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.events import from_millis, to_millis
from quintet.domain.job import Job, JobVersion


class MemoryJobs:
    """Port Jobs in dictionaries of JSON texts, so that nobody can change what is stored by holding on to it."""

    def __init__(self) -> None:
        self._jobs: dict[str, str] = {}
        self._versions: dict[str, dict[int, str]] = {}
        self._hooks: dict[str, str] = {}
        self._lock = RLock()

    def create(self, job: Job, version: JobVersion) -> None:
        """Writes a new job with its first version and claims its webhook path. Raises Conflict when taken."""
        with self._lock:
            if job.id in self._jobs:
                raise Conflict(f"job {job.id} exists")
            self._claim(None, job)
            self._versions.setdefault(job.id, {})[version.version] = version_to_text(version)
            self._jobs[job.id] = job_to_text(job)

    def update(self, job: Job, version: JobVersion | None, was: Job) -> None:
        """Writes the job's new face, and its new version if any. Raises Conflict, NotFound."""
        with self._lock:
            stored = self.get(job.project, job.id)
            if stored != was:
                raise Conflict(f"job {job.id} was changed meanwhile")
            self._claim(stored, job)
            if version is not None:
                self._versions[job.id][version.version] = version_to_text(version)
            self._jobs[job.id] = job_to_text(job)

    def _claim(self, stored: Job | None, job: Job) -> None:
        before, path = hook_path(stored) if stored else None, hook_path(job)
        if path is not None and self._hooks.get(path, job.id) != job.id:
            raise Conflict(f"webhook path {path} is taken")
        if before is not None:
            del self._hooks[before]
        if path is not None:
            self._hooks[path] = job.id

    def get(self, project: str, job_id: str) -> Job:
        """Raises NotFound, also for another project's."""
        with self._lock:
            text = self._jobs.get(job_id)
        job = job_from_text(text) if text else None
        if job is None or job.project != project:
            raise NotFound(f"no job {job_id}")
        return job

    def delete(self, job: Job) -> None:
        """Removes the job from lists and gets; its versions stay readable. Raises NotFound."""
        with self._lock:
            path = hook_path(self.get(job.project, job.id))
            if path is not None:
                del self._hooks[path]
            del self._jobs[job.id]

    def _listed(self, project: str, dialect: str, status: str | None) -> list[Job]:
        with self._lock:
            jobs = [job_from_text(text) for text in self._jobs.values()]
        found = (job for job in jobs if job.project == project and job.dialect == dialect)
        return sorted((job for job in found if status in {None, job.status}), key=lambda job: job.id, reverse=True)

    def page(self, project: str, dialect: str, status: str | None, limit: int, offset: int) -> list[Job]:
        """A project's jobs of one API, newest first."""
        return self._listed(project, dialect, status)[offset : offset + limit]

    def count(self, project: str, dialect: str, status: str | None) -> int:
        """How many jobs `page` ranges over."""
        return len(self._listed(project, dialect, status))

    def version(self, job_id: str, version: int) -> JobVersion:
        """One version. Raises NotFound."""
        text = self._versions.get(job_id, {}).get(version)
        if text is None:
            raise NotFound(f"job {job_id} has no version {version}")
        return version_from_text(text)

    def versions(self, job_id: str, limit: int, offset: int) -> list[JobVersion]:
        """A job's versions, newest first."""
        with self._lock:
            texts = sorted(self._versions.get(job_id, {}).items(), reverse=True)
        return [version_from_text(text) for _, text in texts[offset : offset + limit]]

    def by_hook(self, path: str) -> Job:
        """The job whose webhook path this is. Raises NotFound."""
        with self._lock:
            job_id = self._hooks.get(path)
            if job_id is None:
                raise NotFound(f"no webhook {path}")
            return job_from_text(self._jobs[job_id])

    def scheduled(self, until: datetime, limit: int) -> list[tuple[Job, datetime]]:
        """Jobs whose next scheduled moment is not after `until`, with that moment, earliest first."""
        with self._lock:
            jobs = [job_from_text(text) for text in self._jobs.values()]
        moments = ((job, next_moment(job)) for job in jobs)
        due = [(job, moment) for job, moment in moments if moment is not None and to_millis(moment) <= to_millis(until)]
        return sorted(due, key=lambda pair: (pair[1], pair[0].id))[:limit]

    def reschedule(self, job: Job, was: datetime, next_at: datetime | None) -> bool:
        """Moves a job's next moment on; False when someone else did so already, or the job is gone."""
        with self._lock:
            text = self._jobs.get(job.id)
            stored = job_from_text(text) if text else None
            if stored is None or next_moment(stored) != from_millis(to_millis(was)):
                return False
            self._jobs[job.id] = job_to_text(replace(stored, settings=with_next_moment(stored, next_at)))
            return True
