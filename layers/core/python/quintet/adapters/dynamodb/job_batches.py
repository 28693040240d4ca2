"""Changes of jobs as parts of transactions: one job's, or many jobs' in one."""

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quintet.adapters.dynamodb.job_items import size
from quintet.adapters.dynamodb.table import Item, Operation, key, number
from quintet.domain.job import Job

COUNTER_SHARDS = 4
MOST_OPERATIONS = 100  # of a transaction
MOST_BYTES = 3_500_000  # a transaction holds 4 MB


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What changes with one job besides its project's counters; `was` and `now` are its status, None when it is not there."""

    job: Job
    operations: Sequence[Operation]
    was: str | None
    now: str | None


def all_of(changes: Sequence[Rewrite], tried: int) -> list[Operation]:
    """The operations of one transaction, counters last; another shard at each try, as a contended one is best left alone."""
    moved: dict[str, Counter[str]] = {}
    for change in changes:
        counter = moved.setdefault(f"COUNT#{change.job.project}#{change.job.dialect}", Counter())
        counter.update({f"n_{status}": 1 for status in [change.now] if status})
        counter.subtract({f"n_{status}": 1 for status in [change.was] if status})
    shard = str((zlib.crc32(changes[0].job.id.encode()) + tried) % COUNTER_SHARDS)
    counted = [_count(pk, shard, counter) for pk, counter in moved.items() if any(counter.values())]
    return [*(operation for change in changes for operation in change.operations), *counted]


def _count(pk: str, shard: str, moved: Counter[str]) -> Operation:
    moves = [(status, step) for status, step in sorted(moved.items()) if step]
    update = {
        "Key": key(pk, shard),
        "UpdateExpression": "ADD " + ", ".join(f"#s{place} :s{place}" for place in range(len(moves))),
        "ExpressionAttributeNames": {f"#s{place}": status for place, (status, _) in enumerate(moves)},
        "ExpressionAttributeValues": {f":s{place}": number(step) for place, (_, step) in enumerate(moves)},
    }
    return "count", "Update", update


def batches(changes: Sequence[tuple[int, Rewrite]]) -> Iterator[list[tuple[int, Rewrite]]]:
    """The (numbered) changes, in order, in as few transactions as hold them; no item is touched twice in one."""
    batch: list[tuple[int, Rewrite]] = []
    touched, held = set[tuple[str, str]](), 0
    for one in changes:
        places, length = _touched(one[1]), sum(size(_written(operation)) for operation in one[1].operations)
        counters = {(entry.job.project, entry.job.dialect) for _, entry in [*batch, one]}
        full = len(touched) + len(places) + len(counters) > MOST_OPERATIONS or held + length > MOST_BYTES
        if batch and (full or touched & places):
            yield batch
            batch, touched, held = [], set(), 0
        batch.append(one)
        touched |= places
        held += length
    if batch:
        yield batch


def _touched(change: Rewrite) -> set[tuple[str, str]]:
    return {(item["pk"]["S"], item["sk"]["S"]) for item in map(_written, change.operations)}


def _written(operation: Operation) -> Item:
    _, _, params = operation
    item: Item = params["Item"] if "Item" in params else params["Key"]
    return item
