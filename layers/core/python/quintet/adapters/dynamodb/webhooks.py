"""Deliveries of webhooks in DynamoDB, for 30 days.

DELIVERY#<id>  #META   the delivery (`view`), its index keys, `rev`: counts its writes, `w`: who wrote it last
DELIVERY#<id>  #BODY   what it carries: apart, since each write of an item is billed by all of it

Lists are one index partition for each state, and one list of all states is the three of them merged: a change of state moves an entry, and
no list needs one of its own. Indexes hold keys only, so that an attempt writes none but `due`.
"""

import heapq
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import uuid4

from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.delivery_text import LIST, delivery_from_text, delivery_to_text, place_of
from quintet.adapters.dynamodb.table import Item, Refused, Table, key, number, text
from quintet.domain.delivery import Delivery, DeliveryState
from quintet.domain.errors import NotFound
from quintet.domain.events import to_millis
from quintet.domain.jsontext import compact
from quintet.services.ports.webhooks import DeliveryPage

META, BODY = "#META", "#BODY"
DUE_SHARDS = 4
BODY_KEPT_LONGER = timedelta(days=3)
"""A body outlives its record, which a replay may keep for longer."""


class DynamoDeliveries:
    """Port Deliveries on one table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def create(self, delivery: Delivery, body: Any) -> bool:
        """Writes it with its body; False when there is one of that id already, which stays as it is."""
        # The body first: a delivery that is there can be sent.
        ends = to_millis(delivery.expires_at + BODY_KEPT_LONGER) // 1000
        self._table.put(key(_pk(delivery.id), BODY) | {"body": text(compact(body)), "ttl": number(ends)})
        return self._put(delivery, 1, ConditionExpression="attribute_not_exists(pk)")

    def change(self, delivery: Delivery) -> Delivery | None:
        """Writes it over the one of the same `rev`; as stored, or None when another wrote first or it is gone."""
        rev = delivery.rev + 1
        was = {":rev": number(delivery.rev)}
        written = self._put(delivery, rev, ConditionExpression="rev = :rev", ExpressionAttributeValues=was)
        return replace(delivery, rev=rev) if written else None

    def _put(self, delivery: Delivery, rev: int, **condition: Any) -> bool:
        writer = str(uuid4())
        try:
            self._table.put(_item(delivery, rev) | {"w": text(writer)}, **condition)
        except Refused:
            # A request that was repeated after a lost answer is refused by its own work.
            found = self._table.get(_pk(delivery.id), META)
            return found is not None and found["w"]["S"] == writer
        return True

    def find(self, delivery_id: str) -> Delivery | None:
        """The delivery as last written; None when there is none."""
        item = self._table.get(_pk(delivery_id), META)
        return None if item is None else _delivery(item)

    def body(self, delivery_id: str) -> Any:
        """What it carries. Raises NotFound."""
        item = self._table.get(_pk(delivery_id), BODY)
        if item is None:
            raise NotFound(f"no webhook delivery {delivery_id}")
        return json.loads(item["body"]["S"])

    def page(
        self, project: str, job_id: str | None, state: DeliveryState | None, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """A project's deliveries, or those of one of its jobs, newest first. Raises Invalid for a cursor that is none."""
        before = from_cursor(LIST, cursor) or "~"
        # One more than asked for tells whether there is a next page. An entry that changes its list may be met in both.
        lists = [
            self._entries(project, job_id, one, before, limit + 1) for one in ([state] if state else DeliveryState)
        ]
        places = _distinct(heapq.merge(*lists, reverse=True))
        found = list(islice(places, limit + 1))
        page = self._deliveries(pk for _, pk in found[:limit])
        wanted = [one for one in page if state in {None, one.state}]
        return DeliveryPage(wanted, to_cursor(LIST, found[limit - 1][0]) if len(found) > limit else None)

    def _entries(
        self, project: str, job_id: str | None, state: DeliveryState, before: str, limit: int
    ) -> Iterator[tuple[str, str]]:
        index, attribute, named = "deliveries", "list_key", _list_key(project, state)
        if job_id is not None:
            index, attribute, named = "deliveries_of_job", "job_list_key", _list_key(f"{project}#{job_id}", state)
        found = self._table.query(
            IndexName=index,
            KeyConditionExpression=f"{attribute} = :list AND made < :before",
            ExpressionAttributeValues={":list": text(named), ":before": text(before)},
            ScanIndexForward=False,
            Limit=limit,
        )
        return ((entry["made"]["S"], entry["pk"]["S"]) for entry in islice(found, limit))

    def due(self, until: datetime, limit: int) -> list[Delivery]:
        """Deliveries whose `due_at` is not after `until`, earliest first."""
        entries: list[tuple[str, str]] = []
        for shard in range(DUE_SHARDS):
            found = self._table.query(
                IndexName="deliveries_due",
                KeyConditionExpression="due_shard = :shard AND due_at <= :until",
                ExpressionAttributeValues={":shard": text(str(shard)), ":until": text(f"{to_millis(until):015d}#~")},
                Limit=limit,
            )
            entries += [(entry["due_at"]["S"], entry["pk"]["S"]) for entry in islice(found, limit)]
        # The index may lag behind: what was settled meanwhile is not due.
        page = self._deliveries(pk for _, pk in sorted(entries)[:limit])
        return [one for one in page if one.due_at is not None and to_millis(one.due_at) <= to_millis(until)]

    def _deliveries(self, keys: Iterable[str]) -> list[Delivery]:
        wanted = list(keys)
        items = self._table.get_many((pk, META) for pk in wanted)
        return [_delivery(items[pk, META]) for pk in wanted if (pk, META) in items]


def _pk(delivery_id: str) -> str:
    return f"DELIVERY#{delivery_id}"


def _list_key(of: str, state: DeliveryState) -> str:
    return f"{of}#{state}"


def _item(delivery: Delivery, rev: int) -> Item:
    item = key(_pk(delivery.id), META) | {
        "view": text(delivery_to_text(delivery)),
        "rev": number(rev),
        "list_key": text(_list_key(delivery.project, delivery.state)),
        "job_list_key": text(_list_key(f"{delivery.project}#{delivery.job_id}", delivery.state)),
        "made": text(place_of(delivery)),
        "ttl": number(to_millis(delivery.expires_at) // 1000),
    }
    if delivery.due_at is not None:
        item["due_shard"] = text(str(zlib.crc32(delivery.id.encode()) % DUE_SHARDS))
        item["due_at"] = text(f"{to_millis(delivery.due_at):015d}#{delivery.id}")
    return item


def _delivery(item: Item) -> Delivery:
    return delivery_from_text(item["view"]["S"], int(item["rev"]["N"]))


def _distinct(places: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    last = None
    for place in places:
        if place != last:
            yield place
        last = place
