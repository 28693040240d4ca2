"""What a change of a run writes, as parts of transactions: its item, its journal, and the slots that its end gives back."""

from collections.abc import Sequence
from typing import Any

from quintet.adapters.dynamodb.items import META, due_item, face_item, queue_item, run_key
from quintet.adapters.dynamodb.items import project_status as status_key
from quintet.adapters.dynamodb.slots import free
from quintet.adapters.dynamodb.table import Item, Operation, key, text
from quintet.adapters.standing import ADMISSIBLE, queue_of, slots_freed
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Change

QUEUE_KEYS = ("queue_slot", "queue_rank")
_LEASE_KEYS = ("lease_until", "dirty", "due_shard", "due_at")


def update(run: Run, attributes: Item, remove: Sequence[str], condition: str, values: Item) -> Operation:
    """Changes the run's item within a transaction."""
    names = {f"#a{place}": name for place, name in enumerate(attributes)}
    taken = {f":a{place}": value for place, value in enumerate(attributes.values())}
    expression = "SET " + ", ".join(f"{name} = :{name[1:]}" for name in names)
    params: dict[str, Any] = {
        "Key": key(run_key(run.id), META),
        "UpdateExpression": expression + (f" REMOVE {', '.join(remove)}" if remove else ""),
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": taken | values,
    }
    return "run", "Update", params


def changed(change: Change) -> Operation:
    """Writes the run's item after a change, unless it is not what it was."""
    run = change.run
    attributes = face_item(run) | ({} if change.due_at is None else due_item(run.id, change.due_at))
    remove: list[str] = []
    if run.status.terminal:
        attributes["active"] = {"BOOL": False}
        remove += _LEASE_KEYS
    if run.status is RunStatus.QUEUED and change.was is not RunStatus.QUEUED:
        attributes |= queue_item(run, queue_of(run.slots))
    elif run.status is not RunStatus.QUEUED and change.was in ADMISSIBLE:
        remove += QUEUE_KEYS
    if change.was is not RunStatus.EXECUTING:
        remove.append("pending")
    condition = "project_status = :was AND attribute_not_exists(ended)"
    values = {":was": text(status_key(run.project, change.was))}
    return update(run, attributes, [name for name in remove if name not in attributes], condition, values)


def freed(change: Change, but: Sequence[str] = ()) -> list[Operation]:
    """Gives back what the run held, if the change is its end, `but` some slots."""
    if not change.run.status.terminal:
        return []
    return [free(slot.name, change.run.id) for slot in slots_freed(change.run, change.was) if slot.name not in but]
