"""What a run's transactions change besides the run: slots and counters."""

import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from quintet.adapters.dynamodb.table import Item, Operation, Table, key, number, text
from quintet.domain.run import Run
from quintet.domain.status import RunStatus

COUNTER_SHARDS = 8
SLOT = "slot:"


def take(name: str, limit: int, run_ids: Sequence[str]) -> Operation:
    """Takes a place of the slot for each run, unless it has not that many left; labelled `slot:<name>`."""
    values = {":them": {"SS": list(run_ids)}, ":room": number(limit - len(run_ids)), ":last": text(run_ids[-1])}
    condition = "attribute_not_exists(holders) OR size(holders) <= :room"
    if len(run_ids) == 1:
        condition += " OR contains(holders, :run)"
        values[":run"] = text(run_ids[0])
    update = {
        "Key": key(*slot_key(name)),
        "UpdateExpression": "ADD holders :them SET last_holder = :last",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
    }
    return SLOT + name, "Update", update


def free(name: str, run_id: str) -> Operation:
    """Gives a run's place back; harmless when it holds none."""
    update = {
        "Key": key(*slot_key(name)),
        "UpdateExpression": "DELETE holders :me",
        "ExpressionAttributeValues": {":me": {"SS": [run_id]}},
    }
    return "free", "Update", update


def pass_on(name: str, holders: Collection[str], old: str, new: str) -> Operation:
    """Gives a run's place to another, if these are the slot's holders still; labelled `pass`."""
    values = {":were": {"SS": sorted(holders)}, ":are": {"SS": sorted({*holders, new} - {old})}, ":last": text(new)}
    update = {
        "Key": key(*slot_key(name)),
        "UpdateExpression": "SET holders = :are, last_holder = :last",
        "ConditionExpression": "holders = :were",
        "ExpressionAttributeValues": values,
    }
    return "pass", "Update", update


def has_room(table: Table, run: Run, name: str) -> bool:
    """True when the run could take its slot of that name now."""
    limit = next(slot.limit for slot in run.slots if slot.name == name)
    holders = holders_of(table.get(*slot_key(name)))
    return len(holders) < limit or run.id in holders


def slot_key(name: str) -> tuple[str, str]:
    """Where a slot's holders are kept."""
    return f"SLOT#{name}", "#SLOT"


def holders_of(item: Item | None) -> list[str]:
    """The runs that hold the slot of this item."""
    found: list[str] = ((item or {}).get("holders") or {"SS": []})["SS"]
    return found


def count(run: Run, was: RunStatus | None, tried: int) -> Iterator[Operation]:
    """Counts the run's change of status; another shard at each try, so that a contended one is left alone."""
    if was is not run.status:
        yield from count_all([(run, was)], tried)


def count_all(moves: Sequence[tuple[Run, RunStatus | None]], tried: int) -> Iterator[Operation]:
    """Counts many runs' changes of status in one operation for each project and each job group."""
    moved: dict[str, Counter[str]] = {}
    for run, was in moves:
        for partition in counters_of(run):
            counter = moved.setdefault(partition, Counter())
            counter[str(run.status)] += 1
            if was is not None:
                counter[str(was)] -= 1
    shard = str((zlib.crc32(moves[0][0].id.encode()) + tried) % COUNTER_SHARDS)
    for partition, counter in moved.items():
        steps = {status: step for status, step in counter.items() if step}
        if steps:
            yield "count", "Update", _add(partition, shard, steps)


def _add(partition: str, shard: str, steps: Mapping[str, int]) -> dict[str, Any]:
    return {
        "Key": key(partition, shard),
        "UpdateExpression": "ADD " + ", ".join(f"#s{place} :s{place}" for place in range(len(steps))),
        "ExpressionAttributeNames": {f"#s{place}": f"n_{status}" for place, status in enumerate(steps)},
        "ExpressionAttributeValues": {f":s{place}": number(step) for place, step in enumerate(steps.values())},
    }


def counters_of(run: Run) -> list[str]:
    """The partitions that count the run."""
    return [counter_key(run.project, None)] + ([] if run.group is None else [counter_key(run.project, run.group)])


def counter_key(project: str, group: str | None) -> str:
    """The partition of a project's counters, or of a job group's."""
    return f"COUNT#{project}" + ("" if group is None else f"/group/{group}")


def counted(table: Table, project: str, group: str | None = None) -> dict[str, int]:
    """How many of the project's, or the group's, runs stand in each status."""
    totals: dict[str, int] = {}
    found = table.query(
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": text(counter_key(project, group))},
        ConsistentRead=True,
    )
    for item in found:
        for name, value in item.items():
            if name.startswith("n_"):
                totals[name[2:]] = totals.get(name[2:], 0) + int(value["N"])
    return totals
