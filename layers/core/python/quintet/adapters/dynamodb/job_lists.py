"""Reading jobs: one by its names, lists by their index, versions; each reads its answer and what it skips, no more."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from quintet.adapters.cursors import from_cursor, from_numbered, to_cursor
from quintet.adapters.dynamodb.job_items import (
    HOOK,
    META,
    SCHEDULE_SHARDS,
    SLUG,
    hook_key,
    job_key,
    job_of,
    label_key,
    list_key,
    slug_key,
    version_id_key,
    version_key,
    version_of,
)
from quintet.adapters.dynamodb.table import Item, Table, text
from quintet.adapters.job_records import next_moment
from quintet.domain.errors import NotFound
from quintet.domain.events import to_millis
from quintet.domain.job import Job, JobVersion
from quintet.services.ports.jobs import JobPage, VersionPage


class JobLists:
    """The part of port Jobs that reads."""

    table: Table

    def stored(self, project: str, job_id: str) -> tuple[Job, int]:
        """The job and its `rev`. Raises NotFound."""
        item = self.table.get(job_key(job_id), META)
        job = job_of(item) if item else None
        if item is None or job is None or job.project != project:
            raise NotFound(f"no job {job_id}")
        return job, int(item["rev"]["N"])

    def stored_many(self, job_ids: Iterable[str]) -> dict[str, tuple[Job, int]]:
        """The jobs that are there, and their `rev`, by id."""
        items = self.table.get_many((job_key(job_id), META) for job_id in dict.fromkeys(job_ids))
        found = ((job_of(item), int(item["rev"]["N"])) for item in items.values())
        return {job.id: (job, rev) for job, rev in found}

    def get(self, project: str, job_id: str) -> Job:
        """Raises NotFound, also for another project's."""
        return self.stored(project, job_id)[0]

    def get_many(self, project: str, job_ids: Iterable[str]) -> list[Job]:
        """Those of the project's jobs that are there, in the order asked for."""
        wanted = list(dict.fromkeys(job_ids))
        found = self.stored_many(wanted)
        return [found[one][0] for one in wanted if one in found and found[one][0].project == project]

    def by_hook(self, path: str) -> Job:
        """The job whose webhook path this is. Raises NotFound."""
        item = self._claimed(hook_key(path), HOOK)
        if item is None:
            raise NotFound(f"no webhook {path}")
        return job_of(item)

    def by_slug(self, project: str, dialect: str, slug: str) -> Job:
        """The project's job of that API and slug. Raises NotFound."""
        item = self._claimed(slug_key(project, dialect, slug), SLUG)
        job = job_of(item) if item else None
        if job is None or job.slug != slug:  # given up between the two reads
            raise NotFound(f"no job {slug}")
        return job

    def _claimed(self, pk: str, sk: str) -> Item | None:
        claim = self.table.get(pk, sk)
        return self.table.get(claim["job"]["S"], META) if claim else None

    # --- lists -----------------------------------------------------------------------------------------------------------------

    def page(self, project: str, dialect: str, status: str | None, limit: int, offset: int) -> list[Job]:
        """A project's jobs of one API, newest first."""
        index, attribute = ("by_dialect", "dialect_key") if status is None else ("by_status", "status_key")
        entries = self.table.slice(
            offset,
            limit,
            IndexName=index,
            KeyConditionExpression=f"{attribute} = :value",
            ExpressionAttributeValues={":value": text(list_key(project, dialect, status))},
            ScanIndexForward=False,
        )
        return self._faces(entry["id"]["S"] for entry in entries)

    def _faces(self, job_ids: Iterable[str]) -> list[Job]:
        wanted = list(job_ids)
        found = self.stored_many(wanted)
        return [found[job_id][0] for job_id in wanted if job_id in found]

    def browse(self, project: str, dialect: str, label: str | None, limit: int, cursor: str | None = None) -> JobPage:
        """A project's jobs of one API (of a label), newest first, from a cursor on. Raises Invalid for a bad cursor."""
        place = from_cursor("jobs", cursor)
        if limit <= 0:
            return JobPage([])
        params: dict[str, Any] = {"ScanIndexForward": False}
        if label is None:
            lists, ids, value = "dialect_key", "id", list_key(project, dialect, None)
            params |= {"IndexName": "by_dialect"}
        else:
            lists, ids, value = "pk", "sk", label_key(project, dialect, label)
            params |= {"ConsistentRead": True}
        values = {":list": text(value)} | ({} if place is None else {":after": text(place)})
        after = "" if place is None else f" AND {ids} < :after"
        params |= {"KeyConditionExpression": f"{lists} = :list{after}", "ExpressionAttributeValues": values}
        found = [entry[ids]["S"] for entry in self.table.slice(0, limit + 1, **params)]
        # What an index or a label still shows may be gone, or labelled otherwise, by now.
        jobs = [job for job in self._faces(found[:limit]) if label is None or label in job.labels]
        return JobPage(jobs, to_cursor("jobs", found[limit - 1]) if len(found) > limit else None)

    def count(self, project: str, dialect: str, status: str | None) -> int:
        """How many jobs `page` ranges over."""
        found = self.table.query(
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

    def scheduled(self, until: datetime, limit: int) -> list[tuple[Job, datetime]]:
        """Jobs whose next scheduled moment is not after `until`, with that moment, earliest first."""
        due: list[tuple[str, str]] = []
        for shard in range(SCHEDULE_SHARDS):
            entries = self.table.slice(
                0,
                limit,
                IndexName="scheduled",
                KeyConditionExpression="schedule_shard = :shard AND schedule_at <= :until",
                ExpressionAttributeValues={":shard": text(str(shard)), ":until": text(f"{to_millis(until):015d}#~")},
            )
            due += [(entry["schedule_at"]["S"], entry["pk"]["S"].partition("#")[2]) for entry in entries]
        jobs = self._faces(job_id for _, job_id in sorted(due)[:limit])
        # The index may lag behind: what was moved on meanwhile is not due.
        moments = [(job, moment) for job in jobs if (moment := next_moment(job)) is not None]
        return [(job, moment) for job, moment in moments if to_millis(moment) <= to_millis(until)]

    # --- versions --------------------------------------------------------------------------------------------------------------

    def version(self, job_id: str, version: int) -> JobVersion:
        """One version. Raises NotFound."""
        item = self.table.get(job_key(job_id), version_key(version))
        if item is None:
            raise NotFound(f"job {job_id} has no version {version}")
        return version_of(item)

    def version_by_id(self, job_id: str, version_id: str) -> JobVersion:
        """A job's version of that id. Raises NotFound."""
        item = self.table.get(job_key(job_id), version_id_key(version_id))
        if item is None:
            raise NotFound(f"job {job_id} has no version {version_id}")
        return self.version(job_id, int(item["number"]["N"]))

    def versions(self, job_id: str, limit: int, offset: int) -> list[JobVersion]:
        """A job's versions, newest first."""
        if offset <= 0:
            return self._versions(job_id, limit, None)
        # Versions are numbered without gaps: the first of the page is known once the newest is.
        newest = self._versions(job_id, 1, None)
        return self._versions(job_id, limit, newest[0].version - offset) if newest else []

    def versions_page(self, job_id: str, limit: int, cursor: str | None = None) -> VersionPage:
        """A job's versions, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        place = from_numbered("versions", cursor)
        found = self._versions(job_id, limit, None if place is None else place - 1)
        more = bool(found) and found[-1].version > 1
        return VersionPage(found, to_cursor("versions", str(found[-1].version)) if more else None)

    def _versions(self, job_id: str, limit: int, newest: int | None) -> list[JobVersion]:
        if newest is not None and newest < 1:
            return []
        last = "V#~" if newest is None else version_key(newest)
        found = self.table.slice(
            0,
            limit,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues={":pk": text(job_key(job_id)), ":low": text("V#"), ":high": text(last)},
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return [version_of(item) for item in found]
