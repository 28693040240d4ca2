"""Jobs and their versions in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from threading import RLock

from quintet.adapters.cursors import from_cursor, from_numbered, to_cursor
from quintet.adapters.job_records import (
    hook_path,
    job_from_text,
    job_to_text,
    next_moment,
    version_from_text,
    version_to_text,
    with_next_moment,
)
from quintet.adapters.memory.job_index import JobIndex
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.events import from_millis, to_millis
from quintet.domain.job import Job, JobVersion
from quintet.services.ports.jobs import JobPage, Taken, VersionPage


class MemoryJobs:
    """Port Jobs in dictionaries of JSON texts, so that nobody can change what is stored by holding on to it."""

    def __init__(self) -> None:
        self._jobs: dict[str, str] = {}
        self._versions: dict[str, dict[int, str]] = {}
        self._claims: dict[tuple[str, ...], str] = {}
        self._index = JobIndex()
        self._lock = RLock()

    # --- writing ---------------------------------------------------------------------------------------------------------------

    def create(self, job: Job, version: JobVersion) -> None:
        """Writes a new job with its first version and claims its slug and webhook path. Raises Taken, Conflict."""
        with self._lock:
            if job.id in self._jobs:
                raise Conflict(f"job {job.id} exists")
            self._write(None, job, version)

    def create_many(self, made: Sequence[tuple[Job, JobVersion]]) -> list[Exception | None]:
        """The same for many: None for each that was written, else what `create` would have raised for it."""
        found: list[Exception | None] = []
        for job, version in made:
            try:
                self.create(job, version)
            except Conflict as error:
                found.append(error)
            else:
                found.append(None)
        return found

    def update(self, job: Job, version: JobVersion | None, was: Job) -> None:
        """Writes the job's new face, and its new version if any. Raises Taken, Conflict, NotFound."""
        with self._lock:
            stored = self.get(job.project, job.id)
            if stored != was:
                raise Conflict(f"job {job.id} was changed meanwhile")
            self._write(stored, job, version)

    def update_many(self, changed: Sequence[tuple[Job, Job]]) -> list[Exception | None]:
        """The same for the faces of many (job, was): None for each, or what `update` would have raised."""
        found: list[Exception | None] = []
        for job, was in changed:
            try:
                self.update(job, None, was)
            except (Conflict, NotFound) as error:
                found.append(error)
            else:
                found.append(None)
        return found

    def delete(self, job: Job) -> None:
        """Removes the job from lists and gets and frees its names; its versions stay readable. Raises NotFound."""
        with self._lock:
            stored = self.get(job.project, job.id)
            for claim in _claims(stored):
                del self._claims[claim]
            self._index.move(stored, None)
            del self._jobs[job.id]

    def reschedule(self, job: Job, was: datetime, next_at: datetime | None) -> bool:
        """Moves a job's next moment on; False when someone else did so already, or the job is gone."""
        with self._lock:
            text = self._jobs.get(job.id)
            stored = job_from_text(text) if text else None
            if stored is None or next_moment(stored) != from_millis(to_millis(was)):
                return False
            self._write(stored, replace(stored, settings=with_next_moment(stored, next_at)), None)
            return True

    def _write(self, stored: Job | None, job: Job, version: JobVersion | None) -> None:
        before, after = (_claims(one) if one else {} for one in (stored, job))
        for claim, (what, value) in after.items():
            if self._claims.get(claim, job.id) != job.id:
                raise Taken(what, value)
        for claim in before:
            del self._claims[claim]
        self._claims |= dict.fromkeys(after, job.id)
        if version is not None:
            self._versions.setdefault(job.id, {})[version.version] = version_to_text(version)
        self._index.move(stored, job)
        self._jobs[job.id] = job_to_text(job)

    # --- reading ---------------------------------------------------------------------------------------------------------------

    def get(self, project: str, job_id: str) -> Job:
        """Raises NotFound, also for another project's."""
        found = self.get_many(project, [job_id])
        if not found:
            raise NotFound(f"no job {job_id}")
        return found[0]

    def get_many(self, project: str, job_ids: Iterable[str]) -> list[Job]:
        """Those of the project's jobs that are there, in the order asked for."""
        return [job for job in self._faces(dict.fromkeys(job_ids)) if job.project == project]

    def _faces(self, job_ids: Iterable[str]) -> list[Job]:
        with self._lock:
            texts = [self._jobs.get(job_id) for job_id in job_ids]
        return [job_from_text(text) for text in texts if text]

    def by_hook(self, path: str) -> Job:
        """The job whose webhook path this is. Raises NotFound."""
        return self._claimed(("hook", path), f"no webhook {path}")

    def by_slug(self, project: str, dialect: str, slug: str) -> Job:
        """The project's job of that API and slug. Raises NotFound."""
        return self._claimed(("slug", project, dialect, slug), f"no job {slug}")

    def _claimed(self, claim: tuple[str, ...], missing: str) -> Job:
        with self._lock:
            job_id = self._claims.get(claim)
            if job_id is None:
                raise NotFound(missing)
            return job_from_text(self._jobs[job_id])

    def page(self, project: str, dialect: str, status: str | None, limit: int, offset: int) -> list[Job]:
        """A project's jobs of one API, newest first."""
        with self._lock:
            return self._faces(self._index.newest(_list(project, dialect, status), limit, offset))

    def count(self, project: str, dialect: str, status: str | None) -> int:
        """How many jobs `page` ranges over."""
        with self._lock:
            return self._index.size(_list(project, dialect, status))

    def browse(self, project: str, dialect: str, label: str | None, limit: int, cursor: str | None = None) -> JobPage:
        """A project's jobs of one API (of a label), newest first, from a cursor on. Raises Invalid for a bad cursor."""
        place = from_cursor("jobs", cursor)
        if limit <= 0:
            return JobPage([])
        name = _list(project, dialect, None) if label is None else ("label", project, dialect, label)
        with self._lock:
            found = self._index.newest(name, limit + 1, before=place)
            jobs = self._faces(found[:limit])
        return JobPage(jobs, to_cursor("jobs", found[limit - 1]) if len(found) > limit else None)

    def scheduled(self, until: datetime, limit: int) -> list[tuple[Job, datetime]]:
        """Jobs whose next scheduled moment is not after `until`, with that moment, earliest first."""
        with self._lock:
            jobs = self._faces(self._index.due(to_millis(until), limit))
        return [(job, moment) for job in jobs if (moment := next_moment(job)) is not None]

    def version(self, job_id: str, version: int) -> JobVersion:
        """One version. Raises NotFound."""
        text = self._versions.get(job_id, {}).get(version)
        if text is None:
            raise NotFound(f"job {job_id} has no version {version}")
        return version_from_text(text)

    def version_by_id(self, job_id: str, version_id: str) -> JobVersion:
        """A job's version of that id. Raises NotFound."""
        found = next((one for one in self._newest(job_id) if one.id == version_id), None)
        if found is None:
            raise NotFound(f"job {job_id} has no version {version_id}")
        return found

    def versions(self, job_id: str, limit: int, offset: int) -> list[JobVersion]:
        """A job's versions, newest first."""
        return self._newest(job_id)[offset : offset + limit]

    def versions_page(self, job_id: str, limit: int, cursor: str | None = None) -> VersionPage:
        """A job's versions, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        place = from_numbered("versions", cursor)
        found = [one for one in self._newest(job_id) if place is None or one.version < place][: max(limit, 0)]
        more = bool(found) and found[-1].version > 1
        return VersionPage(found, to_cursor("versions", str(found[-1].version)) if more else None)

    def _newest(self, job_id: str) -> list[JobVersion]:
        with self._lock:
            texts = sorted(self._versions.get(job_id, {}).items(), reverse=True)
        return [version_from_text(text) for _, text in texts]


def _list(project: str, dialect: str, status: str | None) -> tuple[str, ...]:
    return ("all", project, dialect) if status is None else ("status", project, dialect, status)


def _claims(job: Job) -> dict[tuple[str, ...], tuple[str, str]]:
    """The names that no other job may have, and what they are."""
    path = hook_path(job)
    found: dict[tuple[str, ...], tuple[str, str]] = {} if path is None else {("hook", path): ("webhook path", path)}
    if job.slug is not None:
        found[("slug", job.project, job.dialect, job.slug)] = ("slug", job.slug)
    return found
