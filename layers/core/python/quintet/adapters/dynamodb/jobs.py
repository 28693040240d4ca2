"""Jobs and their versions in DynamoDB: writing. Where what lies: job_items."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from quintet.adapters.dynamodb.job_batches import Rewrite, all_of, batches
from quintet.adapters.dynamodb.job_items import claims, job_deleted, job_put, job_replaced, taken, version_put
from quintet.adapters.dynamodb.job_lists import JobLists
from quintet.adapters.dynamodb.table import Refused, Table
from quintet.adapters.job_records import next_moment, with_next_moment
from quintet.domain.errors import Conflict, NotFound, QuintetError, Throttled, TooLarge
from quintet.domain.events import from_millis, to_millis
from quintet.domain.job import Job, JobVersion

Outcome = Exception | None


class DynamoJobs(JobLists):
    """Port Jobs on one table."""

    def __init__(self, table: str) -> None:
        self.table = Table(table)

    def create(self, job: Job, version: JobVersion) -> None:
        """Writes a new job with its first version and claims its slug and webhook path. Raises Taken, Conflict."""
        try:
            self._transact([_creation(job, version)])
        except Refused as refused:
            raise taken(job, refused) from None

    def create_many(self, made: Sequence[tuple[Job, JobVersion]]) -> list[Outcome]:
        """The same for many, in few transactions: None for each that was written, else what `create` would have raised for it."""
        changes = [(place, _creation(job, version)) for place, (job, version) in enumerate(made)]
        found = self._in_batches(changes, lambda place: self.create(*made[place]))
        return [found[place] for place in range(len(made))]

    def update(self, job: Job, version: JobVersion | None, was: Job) -> None:
        """Writes the job's new face, and its new version if any. Raises Taken, Conflict, NotFound."""
        while True:
            stored, rev = self.stored(job.project, job.id)
            try:
                self._transact([_revision(job, version, was, stored, rev)])
            except Refused as refused:
                if "job" not in refused.labels:
                    raise taken(job, refused) from None
            else:
                return

    def update_many(self, changed: Sequence[tuple[Job, Job]]) -> list[Outcome]:
        """The same for the faces of many (job, was), in few transactions: None for each, or what `update` would have raised."""
        stored = self.stored_many(job.id for job, _ in changed)
        found: dict[int, Outcome] = {}
        changes: list[tuple[int, Rewrite]] = []
        for place, (job, was) in enumerate(changed):
            try:
                if job.id not in stored or stored[job.id][0].project != job.project:
                    raise NotFound(f"no job {job.id}")  # noqa: TRY301  # as update does, for this one
                changes.append((place, _revision(job, None, was, *stored[job.id])))
            except (Conflict, NotFound) as refusal:
                found[place] = refusal
        found |= self._in_batches(changes, lambda place: self.update(changed[place][0], None, changed[place][1]))
        return [found[place] for place in range(len(changed))]

    def delete(self, job: Job) -> None:
        """Removes the job from lists and gets and frees its names; its versions stay readable. Raises NotFound."""
        while True:
            stored, rev = self.stored(job.project, job.id)
            change = Rewrite(stored, [job_deleted(stored, rev), *claims(stored, None)], stored.status, None)
            try:
                self._transact([change])
            except Refused:
                continue  # written since it was read: read it again
            return

    def reschedule(self, job: Job, was: datetime, next_at: datetime | None) -> bool:
        """Moves a job's next moment on; False when someone else did so already, or the job is gone."""
        while True:
            try:
                stored, rev = self.stored(job.project, job.id)
            except NotFound:
                return False
            if next_moment(stored) != from_millis(to_millis(was)):
                return False
            moved = replace(stored, settings=with_next_moment(stored, next_at))
            try:
                # A transaction, though of one item: repeated after a lost answer it is still one move, which a put could not tell.
                self._transact([Rewrite(moved, [job_replaced(moved, rev)], stored.status, moved.status)])
            except Refused:
                continue
            return True

    def _transact(self, changes: Sequence[Rewrite]) -> None:
        self.table.transact(lambda tried: all_of(changes, tried))

    def _in_batches(self, changes: Sequence[tuple[int, Rewrite]], alone: Callable[[int], None]) -> dict[int, Outcome]:
        """Does the (numbered) changes in few transactions; those of a refused one are done each alone."""
        found: dict[int, Outcome] = {}
        for batch in batches(changes):
            try:
                self._transact([change for _, change in batch])
            except Throttled as busy:
                found |= dict.fromkeys((place for place, _ in batch), busy)
            except (Refused, TooLarge):
                found |= {place: _outcome(alone, place) for place, _ in batch}
            else:
                found |= dict.fromkeys(place for place, _ in batch)
        return found


def _outcome(alone: Callable[[int], None], place: int) -> Outcome:
    try:
        alone(place)
    except QuintetError as error:
        return error
    return None


def _creation(job: Job, version: JobVersion) -> Rewrite:
    return Rewrite(job, [job_put(job), *version_put(version), *claims(None, job)], None, job.status)


def _revision(job: Job, version: JobVersion | None, was: Job, stored: Job, rev: int) -> Rewrite:
    """What an update of a job writes. Raises Conflict when the job is no longer what it was."""
    if stored != was:
        raise Conflict(f"job {job.id} was changed meanwhile")
    versions = [] if version is None else version_put(version)
    return Rewrite(job, [job_replaced(job, rev), *versions, *claims(stored, job)], stored.status, job.status)
