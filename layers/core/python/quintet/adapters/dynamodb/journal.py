"""Reading and extending a run's journal."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from secrets import token_hex
from typing import Any

from quintet.adapters.dynamodb.items import (
    LAST,
    META,
    Chunk,
    chunks,
    journal_item,
    journal_key,
    lease_of,
    numbered,
    run_key,
    run_of,
)
from quintet.adapters.dynamodb.table import Item, Operation, Refused, Table, key, number, text
from quintet.adapters.records import pack
from quintet.domain.errors import AppendConflict, NotFound, TooLarge
from quintet.domain.events import Event
from quintet.domain.run import Run
from quintet.services.ports.runs import StoredRun

_FIRST_PAGE = 60
_TAIL_PAGE = 4
_PART_BYTES = 350_000
_PARTS = 10  # a transaction holds 4 MB
_NEW = "attribute_not_exists(pk)"


def journal_puts(run_id: str, parts: Sequence[Chunk]) -> Iterator[Operation]:
    """Writes journal items in a transaction; labelled `journal` when another was first."""
    for part in parts:
        yield "journal", "Put", {"Item": journal_item(run_id, part), "ConditionExpression": _NEW}


def append_alone(table: Table, run_id: str, base: int, events: Sequence[Event]) -> None:
    """Writes events `base`+1, ...: one conditional put. Raises AppendConflict."""
    parts = chunks(base, events)
    if len(parts) > 1:
        try:
            table.transact(lambda _: list(journal_puts(run_id, parts)))
        except Refused:
            raise AppendConflict(f"run {run_id} is past {base}") from None
    elif parts:
        _put_alone(table, run_id, parts[0])


def _put_alone(table: Table, run_id: str, part: Chunk) -> None:
    writer = token_hex(4)
    item = journal_item(run_id, part, writer)
    try:
        table.put(item, ConditionExpression=_NEW)
    except Refused:
        # A put that was repeated after a lost answer finds itself there.
        there = table.get(run_key(run_id), journal_key(part.first)) or {}
        if there.get("w") != text(writer):
            raise AppendConflict(f"run {run_id} is past {part.first - 1}") from None


class JournalReads:
    """The part of port Runs that reads one run and keeps its snapshots."""

    table: Table

    def get(self, run_id: str) -> Run:
        """The run's item alone. Raises NotFound."""
        item = self.table.get(run_key(run_id), META)
        if item is None:
            raise NotFound(f"no run {run_id}")
        return run_of(item)

    def load(self, run_id: str) -> StoredRun:
        """The run with its newest snapshot and later events. Raises NotFound."""
        pages = self.table.pages(**_between(run_id, META, LAST), Limit=_FIRST_PAGE)
        items: list[Item] = next(pages)["Items"]
        if not items or items[0]["sk"]["S"] != META:
            raise NotFound(f"no run {run_id}")
        meta = items[0]
        snapshot, start = None, 0
        known = int(meta["snapshot_number"]["N"]) if "snapshot_number" in meta else 0
        if known:
            snapshot, start, items = self._after_snapshot(run_id, known)
        else:
            items += [item for answer in pages for item in answer["Items"]]
        return StoredRun(
            run=run_of(meta),
            epoch=int(meta["epoch"]["N"]),
            active=meta["active"]["BOOL"],
            lease_until=lease_of(meta),
            snapshot=snapshot,
            snapshot_number=start,
            events=_events(items, start),
        )

    def _after_snapshot(self, run_id: str, known: int) -> tuple[Any, int, list[Item]]:
        """The newest snapshot, its number and the journal items from `known` on."""
        while True:
            items = list(self.table.query(**_between(run_id, journal_key(known + 1), "SNAP#~")))
            parts = [item for item in items if item["sk"]["S"].startswith("SNAP#")]
            first = parts[0]
            same = [part for part in parts if part["number"] == first["number"]]
            if len(same) == int(first["parts"]["N"]):
                body = zlib.decompress(b"".join(part["body"]["B"] for part in same))
                return json.loads(body), int(first["number"]["N"]), items[: -len(parts)]
            # Read while a newer one was being written: read again.

    def tail(self, run_id: str, after: int, limit: int | None = None) -> list[Event]:
        """The (first `limit`) events with numbers above `after`; none for an unknown run."""
        wanted = max(after, 0) + 1
        return self._tail(run_id, wanted) if limit is None else self._stretch(run_id, wanted, limit)

    def _stretch(self, run_id: str, wanted: int, limit: int) -> list[Event]:
        """Up to `limit` events from number `wanted` on."""
        # The event may lie inside an item that begins before it.
        before = self.table.slice(0, 1, **_between(run_id, META, journal_key(wanted)), ScanIndexForward=False)
        if not before or limit <= 0:
            return []
        found: list[Event] = []
        for item in self.table.query(**_between(run_id, before[0]["sk"]["S"], LAST), Limit=min(limit + 1, _FIRST_PAGE)):
            first, events = numbered(item)
            found += islice(events, max(wanted - first, 0), None)
            if len(found) >= limit:
                break
        return found[:limit]

    def _tail(self, run_id: str, wanted: int) -> list[Event]:
        found: list[tuple[int, list[Event]]] = []
        limit = _TAIL_PAGE
        params = _between(run_id, META, LAST) | {"ScanIndexForward": False}
        # Newest first: a client that follows the run then reads next to nothing, and a number inside an item is found too.
        while True:
            answer = next(self.table.pages(**params, Limit=limit))
            for item in answer["Items"]:
                found.append(numbered(item))
                if found[-1][0] <= wanted and (found[-1][1] or item["sk"]["S"] == META):
                    return _flat(found, wanted)
            if "LastEvaluatedKey" not in answer:
                return _flat(found, wanted)
            params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            limit = min(limit * 8, 1000)

    def keep_snapshot(self, run_id: str, number_: int, snapshot: Mapping[str, Any]) -> None:
        """Keeps the fold up to event `number_`, unless a newer one is kept."""
        body = zlib.compress(pack(snapshot).encode(), 6)
        bodies = [body[start : start + _PART_BYTES] for start in range(0, len(body), _PART_BYTES)]
        if len(bodies) > _PARTS:
            raise TooLarge(f"a snapshot of {len(body)} bytes is above what the journal holds")
        mark = {
            "Key": key(run_key(run_id), META),
            "UpdateExpression": "SET snapshot_number = :number",
            "ConditionExpression": "attribute_exists(pk) AND "
            "(attribute_not_exists(snapshot_number) OR snapshot_number < :number)",
            "ExpressionAttributeValues": {":number": number(number_)},
        }
        operations: list[Operation] = [("mark", "Update", mark)]
        for place, part in enumerate(bodies):
            item = key(run_key(run_id), f"SNAP#{place:02d}") | {"number": number(number_), "body": {"B": part}}
            item["parts"] = number(len(bodies))
            operations.append(("part", "Put", {"Item": item}))
        try:
            self.table.transact(lambda _: operations)
        except Refused:
            self.get(run_id)  # an unknown run is NotFound; a newer snapshot stays


def _between(run_id: str, low: str, high: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
        "ExpressionAttributeValues": {":pk": text(run_key(run_id)), ":low": text(low), ":high": text(high)},
        "ConsistentRead": True,
    }


def _events(items: Sequence[Item], start: int) -> list[Event]:
    """The events above number `start` of journal items in order."""
    found: list[Event] = []
    for item in items:
        first, events = numbered(item)
        found += islice(events, max(start + 1 - first, 0), None)
    return found


def _flat(newest_first: Sequence[tuple[int, list[Event]]], wanted: int) -> list[Event]:
    return [event for first, events in reversed(newest_first) for event in islice(events, max(wanted - first, 0), None)]
