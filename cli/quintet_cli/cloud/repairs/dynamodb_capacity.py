"""DynamoDB read units as AWS counts them: by the bytes that were read.

Faults: every read is billed one unit (or half), whatever its size; BatchGetItem answers no capacity at all;
TransactGetItems bills two units for an item of any size and names every index as if it had been read;
TransactWriteItems leaves the table out of its INDEXES breakdown.

Repair: reads are billed in steps of 4 KB: an item's own in GetItem, BatchGetItem and TransactGetItems (twice there), the
page's sum in Query and Scan; half of it when eventually consistent. Source: "DynamoDB read and write operations" in
the DynamoDB developer guide.

Asserted: the edited lines of the five operations and of `_add_consumed_capacity`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ministack.services import dynamodb

from .source import rewrite

_STEP = 4096
Bytes = Callable[[], int]


def units(size: int, *, consistent: bool = True) -> float:
    """Read units of this many bytes."""
    return max(1, -(-size // _STEP)) * (1.0 if consistent else 0.5)


def read_units(read_bytes: Bytes | None, consistent: bool) -> float:
    """Units of one request's page or item, measured only when the caller asked for them."""
    return units(read_bytes() if read_bytes is not None else 0, consistent=consistent)


def page_bytes(items: Iterable[Any], table: dict[str, Any], index_name: str | None) -> Bytes:
    """The size of a page, of an index's when one was read."""

    def measure() -> int:
        views = (dynamodb._apply_index_projection(item, table, index_name) if index_name else item for item in items)
        return sum(map(dynamodb._item_size_bytes, views))

    return measure


def item_bytes(item: Any) -> Bytes:
    """The size of one item, 0 when it doesn't exist."""
    return lambda: dynamodb._item_size_bytes(item) if item else 0


def batch_capacity(data: dict[str, Any]) -> list[dict[str, Any]]:
    """A BatchGetItem's ConsumedCapacity: each key's own units, table by table."""
    consumed = []
    for name, config in data["RequestItems"].items():
        table = dynamodb._tables[dynamodb._normalize_table_name(name)]
        consistent = bool(config.get("ConsistentRead"))
        found = [dynamodb._get_item_by_key(table, key) for key in config.get("Keys", [])]
        total = sum(units(dynamodb._item_size_bytes(item) if item else 0, consistent=consistent) for item in found)
        entry: dict[str, Any] = {"TableName": name, "CapacityUnits": total}
        if data.get("ReturnConsumedCapacity") == "INDEXES":
            entry["Table"] = {"CapacityUnits": total}
        consumed.append(entry)
    return consumed


def repair() -> None:
    """Bill what was read."""
    rewrite(
        dynamodb,
        "_add_consumed_capacity",
        ("new_item=None, index_name=None):", "new_item=None, index_name=None, read_bytes=None):"),
        (
            "        table_units = 1.0 if consistent else 0.5\n",
            "        table_units = quintet_read_units(read_bytes, consistent)\n",
        ),
        quintet_read_units=read_units,
        quintet_page_bytes=page_bytes,
        quintet_item_bytes=item_bytes,
        quintet_batch_capacity=batch_capacity,
    )
    rewrite(
        dynamodb,
        "_get_item",
        (
            "_add_consumed_capacity(result, data, name)",
            "_add_consumed_capacity(result, data, name, read_bytes=quintet_item_bytes(item))",
        ),
    )
    for name, page in (("_query", "candidates"), ("_scan", "all_items")):
        rewrite(
            dynamodb,
            name,
            (
                '_add_consumed_capacity(result, data, name, index_name=data.get("IndexName"))',
                '_add_consumed_capacity(result, data, name, index_name=data.get("IndexName"),\n'
                f"                           read_bytes=quintet_page_bytes({page}, table, index_name))",
            ),
        )
    _edit_several()


def _edit_several() -> None:
    """The operations on several items."""
    rewrite(
        dynamodb,
        "_batch_get_item",
        (
            '    return json_response({"Responses": responses, "UnprocessedKeys": unprocessed})\n',
            '    result = {"Responses": responses, "UnprocessedKeys": unprocessed}\n'
            '    if data.get("ReturnConsumedCapacity", "NONE") != "NONE":\n'
            '        result["ConsumedCapacity"] = quintet_batch_capacity(data)\n'
            "    return json_response(result)\n",
        ),
    )
    rewrite(
        dynamodb,
        "_transact_get_items",
        (
            "per_table_units.get(tname, 0.0) + 2.0\n",
            "per_table_units.get(tname, 0.0) + 2.0 * quintet_read_units(\n"
            '            quintet_item_bytes(_get_item_by_key(tbl, get_op.get("Key", {}))), True)\n',
        ),
        ('                if _tables.get(tname, {}).get("GlobalSecondaryIndexes"):\n', "                if False:\n"),
    )
    rewrite(
        dynamodb,
        "_transact_write_items",
        (
            '            if rc == "INDEXES":\n                if gsi_units:\n',
            '            if rc == "INDEXES":\n'
            '                entry["Table"] = {"CapacityUnits": write_units, "WriteCapacityUnits": write_units}\n'
            "                if gsi_units:\n",
        ),
    )
