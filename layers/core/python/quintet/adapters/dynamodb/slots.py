"""What a run's transactions change besides the run: slots, the project's counters, guards."""

import zlib
from collections.abc import Iterator
from datetime import datetime

from quintet.adapters.dynamodb.table import Operation, Table, key, number, text
from quintet.domain.events import to_millis
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus

COUNTER_SHARDS = 8
SLOT = "slot:"


def distinct(run: Run) -> list[Slot]:
    """The run's slots, each name once: a transaction may touch an item only once."""
    return list({slot.name: slot for slot in run.slots}.values())


def take(run: Run) -> Iterator[Operation]:
    """Takes the run's slots, each unless it is full; labelled `slot:<name>`."""
    for slot in distinct(run):
        update = {
            "Key": key(f"SLOT#{slot.name}", "#SLOT"),
            "UpdateExpression": "ADD holders :me",
            "ConditionExpression": "attribute_not_exists(holders) OR size(holders) < :limit OR contains(holders, :run)",
            "ExpressionAttributeValues": {":me": {"SS": [run.id]}, ":run": text(run.id), ":limit": number(slot.limit)},
        }
        yield SLOT + slot.name, "Update", update


def free(run: Run) -> Iterator[Operation]:
    """Gives the run's slots back; harmless when it holds none."""
    for slot in distinct(run):
        update = {
            "Key": key(f"SLOT#{slot.name}", "#SLOT"),
            "UpdateExpression": "DELETE holders :me",
            "ExpressionAttributeValues": {":me": {"SS": [run.id]}},
        }
        yield "free", "Update", update


def has_room(table: Table, run: Run, name: str) -> bool:
    """True when the run could take its slot of that name now."""
    limit = next(slot.limit for slot in run.slots if slot.name == name)
    holders = ((table.get(f"SLOT#{name}", "#SLOT") or {}).get("holders") or {"SS": []})["SS"]
    return len(holders) < limit or run.id in holders


def guarding(run: Run, name: str, until: datetime | None) -> Operation:
    """Claims the guard's name, unless another run has it at the run's creation."""
    item = key(f"GUARD#{name}", "#GUARD") | {"run_id": text(run.id)}
    if until is not None:
        item |= {"until": number(to_millis(until)), "ttl": number(to_millis(until) // 1000 + 1)}
    put = {
        "Item": item,
        "ConditionExpression": "attribute_not_exists(pk) OR #until <= :now",
        "ExpressionAttributeNames": {"#until": "until"},
        "ExpressionAttributeValues": {":now": number(to_millis(run.created_at))},
    }
    return "guard", "Put", put


def guarded_by(table: Table, name: str) -> str | None:
    """The run that has the guard."""
    item = table.get(f"GUARD#{name}", "#GUARD")
    return item["run_id"]["S"] if item else None


def count(run: Run, was: RunStatus | None, tried: int) -> Iterator[Operation]:
    """Counts the run's change of status; another shard at each try, so that a contended one is left alone."""
    if was is run.status:
        return
    names = {"#new": f"n_{run.status}"} | ({"#old": f"n_{was}"} if was else {})
    values = {":one": number(1)} | ({":less": number(-1)} if was else {})
    shard = (zlib.crc32(run.id.encode()) + tried) % COUNTER_SHARDS
    update = {
        "Key": key(f"COUNT#{run.project}", str(shard)),
        "UpdateExpression": "ADD #new :one" + (", #old :less" if was else ""),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    yield "count", "Update", update


def counted(table: Table, project: str) -> dict[str, int]:
    """How many of the project's runs stand in each status."""
    totals: dict[str, int] = {}
    found = table.query(
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": text(f"COUNT#{project}")},
        ConsistentRead=True,
    )
    for item in found:
        for name, value in item.items():
            if name.startswith("n_"):
                totals[name[2:]] = totals.get(name[2:], 0) + int(value["N"])
    return totals
