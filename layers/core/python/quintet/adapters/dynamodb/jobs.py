"""Jobs and their versions in DynamoDB.

JOB#<id>       #META        the job's face (`view`), index keys, `rev`: counts its writes
JOB#<id>       V#<number>   a version, compressed when that saves a unit
HOOK#<path>    #HOOK        the job that claims the webhook path
COUNT#<project>#<dialect> <shard>   how many jobs stand in each status
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from quintet.adapters.dynamodb.table import Item, Operation, Refused, Table, key, number, text
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

META = "#META"
COUNTER_SHARDS = 4
SCHEDULE_SHARDS = 4
COMPRESS_ABOVE = 1000  # bytes: below, an item costs one unit either way
_AS_READ = "rev = :rev"


class DynamoJobs:
    """Port Jobs on one table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    # --- writing ---------------------------------------------------------------------------------------------------------------

    def create(self, job: Job, version: JobVersion) -> None:
        """Writes a new job with its first version and claims its webhook path. Raises Conflict when taken."""
        new = {"Item": _job_item(job, 1), "ConditionExpression": "attribute_not_exists(pk)"}

        def operations(tried: int) -> list[Operation]:
            versions = _version_put(version)
            return [("job", "Put", new), versions, *_hook(None, job), *_count(job, None, job.status, tried)]

        try:
            self._table.transact(operations)
        except Refused as refused:
            raise _taken(job, refused) from None

    def update(self, job: Job, version: JobVersion | None, was: Job) -> None:
        """Writes the job's new face, and its new version if any. Raises Conflict, NotFound."""
        while True:
            stored, rev = self._stored(job.project, job.id)
            if stored != was:
                raise Conflict(f"job {job.id} was changed meanwhile")
            changed: list[Operation] = [("job", "Put", _if_as_read(_job_item(job, rev + 1), rev))]
            if version is not None:
                changed.append(_version_put(version))
            changed += _hook(stored, job)
            try:
                self._table.transact(_with_count(changed, job, stored.status, job.status))
            except Refused as refused:
                if "job" not in refused.labels:
                    raise _taken(job, refused) from None
            else:
                return

    def delete(self, job: Job) -> None:
        """Removes the job from lists and gets; its versions stay readable. Raises NotFound."""
        while True:
            stored, rev = self._stored(job.project, job.id)
            condition = {"ConditionExpression": _AS_READ, "ExpressionAttributeValues": {":rev": number(rev)}}
            changed: list[Operation] = [("job", "Delete", {"Key": key(f"JOB#{job.id}", META), **condition})]
            changed += _hook(stored, None)
            try:
                self._table.transact(_with_count(changed, stored, stored.status, None))
            except Refused:
                continue  # written since it was read: read it again
            return

    def reschedule(self, job: Job, was: datetime, next_at: datetime | None) -> bool:
        """Moves a job's next moment on; False when someone else did so already, or the job is gone."""
        while True:
            try:
                stored, rev = self._stored(job.project, job.id)
            except NotFound:
                return False
            if next_moment(stored) != from_millis(to_millis(was)):
                return False
            item = _job_item(replace(stored, settings=with_next_moment(stored, next_at)), rev + 1)
            moved: list[Operation] = [("job", "Put", _if_as_read(item, rev))]
            try:
                # A transaction, though of one item: repeated after a lost answer it is still one move, which a put could not tell.
                self._table.transact(_with_count(moved, stored, None, None))
            except Refused:
                continue
            return True

    # --- reading ---------------------------------------------------------------------------------------------------------------

    def _stored(self, project: str, job_id: str) -> tuple[Job, int]:
        item = self._table.get(f"JOB#{job_id}", META)
        job = job_from_text(item["view"]["S"]) if item else None
        if item is None or job is None or job.project != project:
            raise NotFound(f"no job {job_id}")
        return job, int(item["rev"]["N"])

    def get(self, project: str, job_id: str) -> Job:
        """Raises NotFound, also for another project's."""
        return self._stored(project, job_id)[0]

    def page(self, project: str, dialect: str, status: str | None, limit: int, offset: int) -> list[Job]:
        """A project's jobs of one API, newest first."""
        index, attribute = ("by_dialect", "dialect_key") if status is None else ("by_status", "status_key")
        entries = self._table.slice(
            offset,
            limit,
            IndexName=index,
            KeyConditionExpression=f"{attribute} = :value",
            ExpressionAttributeValues={":value": text(_list_key(project, dialect, status))},
            ScanIndexForward=False,
        )
        return self._faces([entry["pk"]["S"] for entry in entries])

    def _faces(self, keys: list[str]) -> list[Job]:
        items = self._table.get_many((pk, META) for pk in keys)
        return [job_from_text(items[pk, META]["view"]["S"]) for pk in keys if (pk, META) in items]

    def count(self, project: str, dialect: str, status: str | None) -> int:
        """How many jobs `page` ranges over."""
        found = self._table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": text(f"COUNT#{project}#{dialect}")},
            ConsistentRead=True,
        )
        counted = "n_" if status is None else f"n_{status}"
        return sum(
            int(value["N"])
            for item in found
            for name, value in item.items()
            if (name.startswith(counted) if status is None else name == counted)
        )

    def version(self, job_id: str, version: int) -> JobVersion:
        """One version. Raises NotFound."""
        item = self._table.get(f"JOB#{job_id}", _version_key(version))
        if item is None:
            raise NotFound(f"job {job_id} has no version {version}")
        return _version_of(item)

    def versions(self, job_id: str, limit: int, offset: int) -> list[JobVersion]:
        """A job's versions, newest first."""
        params: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        values = {":pk": text(f"JOB#{job_id}"), ":low": text("V#"), ":high": text("V~")}
        if offset > 0:
            # Versions are numbered without gaps: the first of the page is known once the newest is.
            newest = self._table.slice(0, 1, **params, ExpressionAttributeValues=values)
            first = int(newest[0]["sk"]["S"].removeprefix("V#")) - offset if newest else 0
            if first < 1:
                return []
            values[":high"] = text(_version_key(first))
        return [_version_of(item) for item in self._table.slice(0, limit, **params, ExpressionAttributeValues=values)]

    def by_hook(self, path: str) -> Job:
        """The job whose webhook path this is. Raises NotFound."""
        claim = self._table.get(f"HOOK#{path}", "#HOOK")
        item = self._table.get(claim["job"]["S"], META) if claim else None
        if item is None:
            raise NotFound(f"no webhook {path}")
        return job_from_text(item["view"]["S"])

    def scheduled(self, until: datetime, limit: int) -> list[tuple[Job, datetime]]:
        """Jobs whose next scheduled moment is not after `until`, with that moment, earliest first."""
        due: list[tuple[str, str]] = []
        for shard in range(SCHEDULE_SHARDS):
            entries = self._table.slice(
                0,
                limit,
                IndexName="scheduled",
                KeyConditionExpression="schedule_shard = :shard AND schedule_at <= :until",
                ExpressionAttributeValues={":shard": text(str(shard)), ":until": text(f"{to_millis(until):015d}#~")},
            )
            due += [(entry["schedule_at"]["S"], entry["pk"]["S"]) for entry in entries]
        jobs = self._faces([pk for _, pk in sorted(due)[:limit]])
        # The index may lag behind: what was moved on meanwhile is not due.
        moments = [(job, moment) for job in jobs if (moment := next_moment(job)) is not None]
        return [(job, moment) for job, moment in moments if to_millis(moment) <= to_millis(until)]


# --- items ---------------------------------------------------------------------------------------------------------------------


def _list_key(project: str, dialect: str, status: str | None) -> str:
    return f"{project}#{dialect}" if status is None else f"{project}#{dialect}#{status}"


def _job_item(job: Job, rev: int) -> Item:
    item = key(f"JOB#{job.id}", META) | {
        "id": text(job.id),
        "view": text(job_to_text(job)),
        "rev": number(rev),
        "dialect_key": text(_list_key(job.project, job.dialect, None)),
        "status_key": text(_list_key(job.project, job.dialect, job.status)),
    }
    moment = next_moment(job)
    if moment is not None:
        item["schedule_shard"] = text(str(zlib.crc32(job.id.encode()) % SCHEDULE_SHARDS))
        item["schedule_at"] = text(f"{to_millis(moment):015d}#{job.id}")
    return item


def _if_as_read(item: Item, rev: int) -> dict[str, Any]:
    return {"Item": item, "ConditionExpression": _AS_READ, "ExpressionAttributeValues": {":rev": number(rev)}}


def _version_key(version: int) -> str:
    return f"V#{version:08d}"


def _version_put(version: JobVersion) -> Operation:
    body = version_to_text(version).encode()
    held: Item = {"text": text(body.decode())}
    if len(body) > COMPRESS_ABOVE:
        held = {"body": {"B": zlib.compress(body, 9)}}
    item = key(f"JOB#{version.job_id}", _version_key(version.version)) | held
    return "version", "Put", {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}


def _version_of(item: Item) -> JobVersion:
    return version_from_text(item["text"]["S"] if "text" in item else zlib.decompress(item["body"]["B"]).decode())


def _hook(stored: Job | None, job: Job | None) -> Iterator[Operation]:
    """Gives up the webhook path of before, claims the one of now."""
    before, path = hook_path(stored) if stored else None, hook_path(job) if job else None
    if before == path:
        return
    if before is not None:
        yield "unhook", "Delete", {"Key": key(f"HOOK#{before}", "#HOOK")}
    if path is not None and job is not None:
        item = key(f"HOOK#{path}", "#HOOK") | {"job": text(f"JOB#{job.id}")}
        yield "hook", "Put", {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}


def _taken(job: Job, refused: Refused) -> Conflict:
    if "hook" in refused.labels:
        return Conflict(f"webhook path {hook_path(job)} is taken")
    return Conflict(f"job {job.id} exists, or its version")


def _with_count(changed: list[Operation], job: Job, was: str | None, now: str | None) -> Any:
    return lambda tried: [*changed, *_count(job, was, now, tried)]


def _count(job: Job, was: str | None, now: str | None, tried: int) -> Iterator[Operation]:
    """Counts a job's change of status (None: not there); another shard at each try, as a contended one is best left alone."""
    if was == now:
        return
    moves = [(f"n_{status}", step) for status, step in ((now, 1), (was, -1)) if status is not None]
    shard = (zlib.crc32(job.id.encode()) + tried) % COUNTER_SHARDS
    update = {
        "Key": key(f"COUNT#{job.project}#{job.dialect}", str(shard)),
        "UpdateExpression": "ADD " + ", ".join(f"#s{place} :s{place}" for place in range(len(moves))),
        "ExpressionAttributeNames": {f"#s{place}": name for place, (name, _) in enumerate(moves)},
        "ExpressionAttributeValues": {f":s{place}": number(step) for place, (_, step) in enumerate(moves)},
    }
    yield "count", "Update", update
