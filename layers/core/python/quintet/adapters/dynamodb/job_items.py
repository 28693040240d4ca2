"""How a job lies in its table: keys, index keys, what it claims, and its items read back.

JOB#<id>       #META          the job's face (`view`, or `body`: compressed), index keys, `rev`: counts its writes
JOB#<id>       V#<number>     a version (`text`, or `body`: compressed)
JOB#<id>       VID#<id>       the number of the version of that id
HOOK#<path>    #HOOK          the job that claims the webhook path
SLUG#<project>#<dialect>#<slug>     #SLUG      the job that claims the slug
LABEL#<project>#<dialect>#<label>   <job id>   a job of that label
COUNT#<project>#<dialect>           <shard>    how many jobs stand in each status
"""

import zlib
from collections.abc import Iterator

from quintet.adapters.dynamodb.table import Item, Operation, Refused, key, number, text
from quintet.adapters.job_records import (
    hook_path,
    job_from_text,
    job_to_text,
    next_moment,
    version_from_text,
    version_to_text,
)
from quintet.domain.errors import Conflict
from quintet.domain.events import to_millis
from quintet.domain.job import Job, JobVersion
from quintet.services.ports.jobs import Taken

META, SLUG, HOOK = "#META", "#SLUG", "#HOOK"
SCHEDULE_SHARDS = 4
WRITE_UNIT = 1024  # bytes
_NEW = {"ConditionExpression": "attribute_not_exists(pk)"}


def job_key(job_id: str) -> str:
    """The partition of a job and its versions."""
    return f"JOB#{job_id}"


def version_key(version: int) -> str:
    """Where a version lies."""
    return f"V#{version:08d}"


def version_id_key(version_id: str) -> str:
    """Where the number of a version lies."""
    return f"VID#{version_id}"


def hook_key(path: str) -> str:
    """Who claims a webhook path."""
    return f"HOOK#{path}"


def slug_key(project: str, dialect: str, slug: str) -> str:
    """Who claims a slug."""
    return f"SLUG#{project}#{dialect}#{slug}"


def label_key(project: str, dialect: str, label: str) -> str:
    """The jobs of a label."""
    return f"LABEL#{project}#{dialect}#{label}"


def list_key(project: str, dialect: str, status: str | None) -> str:
    """The partition of the index by_dialect, and of by_status for a status."""
    return f"{project}#{dialect}" if status is None else f"{project}#{dialect}#{status}"


def job_item(job: Job, rev: int) -> Item:
    """A job's item at its so many-th write."""
    item = key(job_key(job.id), META) | {
        "id": text(job.id),
        "rev": number(rev),
        "dialect_key": text(list_key(job.project, job.dialect, None)),
        "status_key": text(list_key(job.project, job.dialect, job.status)),
    }
    moment = next_moment(job)
    if moment is not None:
        item["schedule_shard"] = text(str(zlib.crc32(job.id.encode()) % SCHEDULE_SHARDS))
        item["schedule_at"] = text(f"{to_millis(moment):015d}#{job.id}")
    return item | _held("view", job_to_text(job), size(item))


def job_of(item: Item) -> Job:
    """The job of its item."""
    return job_from_text(_read("view", item))


def _held(name: str, written: str, beside: int) -> Item:
    """The text as it is, or compressed when that saves a unit of an item that has so many other bytes."""
    body = written.encode()
    if beside + len(body) > WRITE_UNIT:
        packed = zlib.compress(body, 9)
        if _units(beside + len(packed)) < _units(beside + len(body)):
            return {"body": {"B": packed}}
    return {name: text(written)}


def _units(size_: int) -> int:
    return -(-size_ // WRITE_UNIT)


def _read(name: str, item: Item) -> str:
    written: str = item[name]["S"] if name in item else zlib.decompress(item["body"]["B"]).decode()
    return written


def size(item: Item) -> int:
    """An item's bytes, about as DynamoDB counts them."""
    return sum(len(name) + sum(_length(value) for value in typed.values()) for name, typed in item.items())


def _length(value: str | bytes) -> int:
    return len(value) if isinstance(value, bytes) else len(value.encode())


# --- operations ----------------------------------------------------------------------------------------------------------------


def job_put(job: Job) -> Operation:
    """Writes a new job's item."""
    return "job", "Put", {"Item": job_item(job, 1), **_NEW}


def job_replaced(job: Job, rev: int) -> Operation:
    """Writes the item anew, unless it was written since it was read at that `rev`."""
    return "job", "Put", {"Item": job_item(job, rev + 1), **_as_read(rev)}


def job_deleted(job: Job, rev: int) -> Operation:
    """Removes the item, unless it was written since it was read at that `rev`."""
    return "job", "Delete", {"Key": key(job_key(job.id), META), **_as_read(rev)}


def _as_read(rev: int) -> Item:
    return {"ConditionExpression": "rev = :rev", "ExpressionAttributeValues": {":rev": number(rev)}}


def version_put(version: JobVersion) -> Iterator[Operation]:
    """Writes a version, and its number under its id."""
    place = key(job_key(version.job_id), version_key(version.version))
    yield "version", "Put", {"Item": place | _held("text", version_to_text(version), size(place)), **_NEW}
    named = key(job_key(version.job_id), version_id_key(version.id)) | {"number": number(version.version)}
    yield "version", "Put", {"Item": named, **_NEW}


def version_of(item: Item) -> JobVersion:
    """The version of its item."""
    return version_from_text(_read("text", item))


def claims(stored: Job | None, job: Job | None) -> Iterator[Operation]:
    """Gives up the webhook path, slug and labels that the job had before, claims those of now."""
    before, after = (_unique(one) if one else {} for one in (stored, job))
    for label, place in before.items():
        if after.get(label) != place:
            yield f"un{label}", "Delete", {"Key": key(*place)}
    for label, place in after.items():
        if job and before.get(label) != place:
            yield label, "Put", {"Item": key(*place) | {"job": text(job_key(job.id))}, **_NEW}
    had, has = (_labels(one) if one else set() for one in (stored, job))
    for place in sorted(had - has):
        yield "unlabel", "Delete", {"Key": key(*place)}
    for place in sorted(has - had):
        yield "label", "Put", {"Item": key(*place)}


def _unique(job: Job) -> dict[str, tuple[str, str]]:
    path = hook_path(job)
    found = {} if path is None else {"hook": (hook_key(path), HOOK)}
    return found if job.slug is None else found | {"slug": (slug_key(job.project, job.dialect, job.slug), SLUG)}


def _labels(job: Job) -> set[tuple[str, str]]:
    return {(label_key(job.project, job.dialect, label), job.id) for label in job.labels}


def taken(job: Job, refused: Refused) -> Conflict:
    """What a refused transaction means for its author."""
    if "hook" in refused.labels:
        return Taken("webhook path", hook_path(job) or "")
    if "slug" in refused.labels:
        return Taken("slug", job.slug or "")
    return Conflict(f"job {job.id} exists, or its version")
