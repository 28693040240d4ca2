"""DynamoDB partitions kept in order, so that a Query costs what it returns.

Fault: MiniStack sorts the whole partition for every Query, parses and evaluates the key condition for each of its
items, and then cuts the page out: reading the last event of a journal of 2,000 costs as much as reading them all.

Repair: each partition, of the table and of every index, is a sorted list that writes keep in order; a Query finds its first
item by bisection and reads on from there. All writes go through two functions, which also tell listeners
(the write-ahead log, the time-to-live index) what changed, under one lock.

Asserted: the sources of `_set_item`, `_remove_item`, `_index_members` and `_index_item`, and the edited lines of
`_query`.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import dynamodb

from .dynamodb_range import TOP, bounds_of
from .source import replace, rewrite

Table = dict[str, Any]
Item = dict[str, Any]
Entry = tuple[Any, ...]
Listener = Callable[[Table, str, str, Item | None], None]
# Items are written by the event loop, by Step Functions' threads and by the time-to-live thread.
lock = threading.RLock()
listeners: list[Listener] = []


class Index:
    """The order of one index's partitions, or of the table's own."""

    def __init__(self, table: Table, hashes: list[str], ranges: list[str]) -> None:
        self.hashes, self.ranges = hashes, ranges
        names = [*ranges, table["pk_name"], table["sk_name"]]
        self.keys = [(name, dynamodb._get_attr_type(table, name)) for name in dict.fromkeys(names) if name]
        self.partitions: dict[Any, list[Entry]] = {}

    def entry(self, pk: str, sk: str, item: Item) -> tuple[Any, Entry] | None:
        """The partition and the sorted place of an item; None when the index leaves it out."""
        partition = dynamodb._index_partition(item, self.hashes, self.ranges)
        if partition is None:
            return None
        return partition, (*self.order(item), pk, sk)

    def order(self, item: Item) -> Entry:
        """The values an item, or a start key, is ordered by."""
        return tuple(dynamodb._sort_key_value(item.get(name), kind) for name, kind in self.keys)

    def add(self, place: tuple[Any, Entry]) -> None:
        """Put an entry into its partition."""
        insort(self.partitions.setdefault(place[0], []), place[1])

    def discard(self, place: tuple[Any, Entry]) -> None:
        """Take an entry out of its partition."""
        entries = self.partitions.get(place[0], [])
        at = bisect_left(entries, place[1])
        if at < len(entries) and entries[at] == place[1]:
            del entries[at]
            if not entries:
                del self.partitions[place[0]]


def indexes_of(table: Table) -> dict[str | None, Index]:
    """The table's indexes by name, its own under None; built on first use after a start or a change of indexes."""
    found: dict[str | None, Index] | None = table.get(dynamodb._INDEX_MEMBERS)
    if found is None:
        own = [table["sk_name"]] if table["sk_name"] else []
        found = {None: Index(table, [table["pk_name"]], own)}
        found |= {name: Index(table, *keys) for name, *keys in dynamodb._index_key_schemas(table)}
        for pk, items in table["items"].items():
            for sk, item in items.items():
                for index in found.values():
                    place = index.entry(pk, sk, item)
                    if place is not None:
                        index.partitions.setdefault(place[0], []).append(place[1])
        for index in found.values():
            for entries in index.partitions.values():
                entries.sort()
        table[dynamodb._INDEX_MEMBERS] = found
    return found


def set_item(table: Table, pk: str, sk: str, item: Item) -> Item | None:
    """Store an item; answers the one it replaces."""
    with lock:
        old: Item | None = table["items"].get(pk, {}).get(sk)
        if old is None:
            table["ItemCount"] = table.get("ItemCount", 0) + 1
            table["TableSizeBytes"] = table["ItemCount"] * 200
        for index in indexes_of(table).values():
            before = index.entry(pk, sk, old) if old is not None else None
            after = index.entry(pk, sk, item)
            if before == after:
                continue
            if before is not None:
                index.discard(before)
            if after is not None:
                index.add(after)
        table["items"].setdefault(pk, {})[sk] = item
        for listener in listeners:
            listener(table, pk, sk, item)
        return old


def remove_item(table: Table, pk: str, sk: str) -> Item | None:
    """Delete an item; answers what it was."""
    with lock:
        items = table["items"].get(pk)
        old: Item | None = items.pop(sk, None) if items is not None else None
        if items is not None and not items:
            del table["items"][pk]
        if old is None:
            return None
        for index in indexes_of(table).values():
            place = index.entry(pk, sk, old)
            if place is not None:
                index.discard(place)
        table["ItemCount"] = max(0, table.get("ItemCount", 0) - 1)
        table["TableSizeBytes"] = table["ItemCount"] * 200
        for listener in listeners:
            listener(table, pk, sk, None)
        return old


def candidates(
    table: Table, index_name: str | None, partition: Any, condition: str, values: dict[str, Any], names: dict[str, str],
    start: Item | None, forward: bool, limit: int | None,
) -> Iterator[Item] | None:  # fmt: skip
    """A Query's items in order, from its start key on; None for a condition that only MiniStack's own way answers."""
    with lock:
        index = indexes_of(table).get(index_name)
        if index is None or len(index.hashes) > 1 or len(index.ranges) > 1:
            return None
        sort_key = index.keys[0] if index.ranges else None
        limits = bounds_of(condition, values, names, index.hashes[0], sort_key)
        if limits is None:
            return None
        entries = index.partitions.get(partition, [])
        low, high = (bisect_left(entries, limit) for limit in limits)
        if start:
            cursor = index.order(start)
            if forward:
                low = max(low, bisect_right(entries, (*cursor, TOP)))
            else:
                high = min(high, bisect_left(entries, cursor))
        if limit is not None:
            low, high = (low, min(high, low + limit)) if forward else (max(low, high - limit), high)
        places = entries[low:high]
    if not forward:
        places.reverse()
    return _items(table, places)


def _items(table: Table, places: list[Entry]) -> Iterator[Item]:
    items = table["items"]
    for place in places:
        item = items.get(place[-2], {}).get(place[-1])
        if item is not None:
            yield item


def _unused(table: Table, pk: str, sk: str, item: Item, add: bool) -> None:
    """Stands for `_index_item`, which only the replaced functions called."""


def repair() -> None:
    """Store and query through the ordered partitions."""
    replace(dynamodb, "_index_members", indexes_of, "0cb24364f003")
    replace(dynamodb, "_index_item", _unused, "72c4575bce27")
    replace(dynamodb, "_set_item", set_item, "4e78ad492132")
    replace(dynamodb, "_remove_item", remove_item, "5cce50c99688")
    rewrite(
        dynamodb,
        "_query",
        (
            "    members = _index_members(table).get(index_name) if index_name else None\n    if members is not None:\n",
            "    quintet = None if key_conditions else quintet_candidates(\n"
            "        table, index_name, pk_val, key_cond, eav, ean, esk, scan_forward, limit)\n"
            "    members = None\n"
            "    if quintet is not None:\n"
            "        candidates = quintet\n"
            "    elif members is not None:\n",
        ),
        (
            "    if is_gsi or index_name:\n        # GSI/LSI: order by",
            "    if quintet is not None:\n        pass\n    elif is_gsi or index_name:\n        # GSI/LSI: order by",
        ),
        (
            "    if key_conditions:\n        candidates = [",
            "    if quintet is not None:\n        pass\n    elif key_conditions:\n        candidates = [",
        ),
        (
            "    if esk:\n        candidates = _apply_exclusive_start_key(",
            "    if esk and quintet is None:\n        candidates = _apply_exclusive_start_key(",
        ),
        quintet_candidates=candidates,
    )
