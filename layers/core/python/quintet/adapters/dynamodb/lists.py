"""Lists of runs: by project, by status, by due time, by place in a queue; each reads its answer and what it skips, no more."""

import heapq
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from quintet.adapters.dynamodb.items import (
    DUE_SHARDS,
    META,
    lapse_of,
    project_status,
    run_key,
    run_of,
)
from quintet.adapters.dynamodb.slots import counted, holders_of, slot_key
from quintet.adapters.dynamodb.table import Item, Table, text
from quintet.domain.events import to_millis
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Lapse

_PAGE = 100


def _newest_first(index: str, attribute: str, value: str) -> dict[str, Any]:
    return {
        "IndexName": index,
        "KeyConditionExpression": "#list = :value",
        "ExpressionAttributeNames": {"#list": attribute},  # `project` is a word that DynamoDB reserves
        "ExpressionAttributeValues": {":value": text(value)},
        "ScanIndexForward": False,
    }


class RunLists:
    """The part of port Runs that reads many runs."""

    table: Table

    def page(self, project: str, statuses: Sequence[RunStatus] | None, limit: int, offset: int) -> list[Run]:
        """A project's runs, newest first, of the statuses (None: all)."""
        if limit <= 0:
            return []
        wanted = None if statuses is None else sorted(set(statuses))
        if wanted is None:
            found = self.table.slice(offset, limit, **_newest_first("by_project", "project", project))
        elif len(wanted) == 1:
            key = project_status(project, wanted[0])
            found = self.table.slice(offset, limit, **_newest_first("by_status", "project_status", key))
        else:
            found = self._merged(project, wanted, limit, offset)
        return [run_of(item) for item in found]

    def _merged(self, project: str, statuses: Sequence[RunStatus], limit: int, offset: int) -> list[Item]:
        """Of several statuses: each is read newest first only as far as the merge needs it."""
        step = min(offset + limit, _PAGE)
        streams: list[Iterator[Item]] = [
            self.table.query(
                **_newest_first("by_status", "project_status", project_status(project, status)), Limit=step
            )
            for status in statuses
        ]
        merged = heapq.merge(*streams, key=lambda item: item["id"]["S"], reverse=True)
        found: dict[str, Item] = {}  # a run that changes its status meanwhile may come twice
        for item in merged:
            found.setdefault(item["id"]["S"], item)
            if len(found) == offset + limit:
                break
        return list(found.values())[offset:]

    def count(self, project: str, statuses: Sequence[RunStatus] | None) -> int:
        """How many runs `page` ranges over."""
        totals = counted(self.table, project)
        if statuses is None:
            return sum(totals.values())
        return sum(totals.get(str(status), 0) for status in set(statuses))

    def next_queued(self, slot: str, passed_over: Collection[str] = ()) -> str | None:
        """The run that stands first in a slot's queue (highest priority, then oldest), of those not passed over."""
        entries = self.table.query(
            IndexName="queue",
            KeyConditionExpression="queue_slot = :slot",
            ExpressionAttributeValues={":slot": text(slot)},
            Limit=1 + len(passed_over),
        )
        ids = (str(entry["queue_rank"]["S"]).partition("#")[2] for entry in entries)
        return next((run_id for run_id in ids if run_id not in passed_over), None)

    def holders(self, slots: Sequence[str]) -> dict[str, frozenset[str]]:
        """By slot the runs that hold a place of it."""
        found = self.table.get_many(slot_key(slot) for slot in dict.fromkeys(slots))
        return {slot: frozenset(holders_of(found.get(slot_key(slot)))) for slot in slots}

    def last_holders(self, slots: Sequence[str]) -> dict[str, Run]:
        """By slot the run that took a place of it last."""
        found = self.table.get_many(slot_key(slot) for slot in dict.fromkeys(slots))
        last = {
            slot: item["last_holder"]["S"]
            for slot in slots
            if (item := found.get(slot_key(slot))) and "last_holder" in item
        }
        items = self.table.get_many((run_key(run_id), META) for run_id in set(last.values()))
        runs = {slot: items.get((run_key(run_id), META)) for slot, run_id in last.items()}
        return {slot: run_of(item) for slot, item in runs.items() if item is not None}

    def due(self, now: datetime, limit: int) -> list[Lapse]:
        """Runs whose due time has come, oldest first."""
        late: list[tuple[str, str]] = []
        for shard in range(DUE_SHARDS):
            late += self._late(str(shard), f"{to_millis(now):015d}#~", limit)
        keys = [(pk, META) for _, pk in sorted(late)[:limit]]
        items = self.table.get_many(keys)
        lapses = [lapse_of(items[key]) for key in keys if key in items and "due_at" in items[key]]
        # The index may lag behind: what was moved on meanwhile is not due.
        return [lapse for lapse in lapses if to_millis(lapse.due_at) <= to_millis(now)]

    def _late(self, shard: str, until: str, limit: int) -> list[tuple[str, str]]:
        pages = self.table.pages(
            IndexName="due",
            KeyConditionExpression="due_shard = :shard AND due_at <= :until",
            ExpressionAttributeValues={":shard": text(shard), ":until": text(until)},
            Limit=limit,
        )
        found: list[tuple[str, str]] = []
        for answer in pages:
            found += [(item["due_at"]["S"], item["pk"]["S"]) for item in answer["Items"]]
            if len(found) >= limit:
                break
        return found
