"""Step logs in DynamoDB: RUN#<id> / L#<entry id>, for 30 days."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

from quintet.adapters.dynamodb.table import Item, Table, key, number, text
from quintet.adapters.records import log_parts
from quintet.domain.events import from_millis, to_millis
from quintet.services.ports.world import LogEntry

KEPT_SECONDS = 30 * 24 * 3600


class DynamoLogs:
    """Port Logs on one table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def write(self, run_id: str, entries: Sequence[LogEntry]) -> None:
        """Adds lines; an id again replaces its line."""
        self._table.put_many([_item(run_id, entry) for entry in {entry.id: entry for entry in entries}.values()])

    def read(self, run_id: str, after: str | None, limit: int) -> list[LogEntry]:
        """Lines in order, from the first after `after`."""
        if limit <= 0:
            return []
        low = "L#" if after is None else f"L#{after}\x00"  # the least text above `after`
        return [_entry(item) for item in islice(self._table.query(**_lines(run_id, low), Limit=limit), limit)]

    def last(self, run_id: str, limit: int) -> list[LogEntry]:
        """The last lines, in order; what comes before them is not read."""
        if limit <= 0:
            return []
        newest = self._table.query(**_lines(run_id, "L#"), ScanIndexForward=False, Limit=limit)
        return [_entry(item) for item in islice(newest, limit)][::-1]


def _lines(run_id: str, low: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
        "ExpressionAttributeValues": {":pk": text(f"RUN#{run_id}"), ":low": text(low), ":high": text("L~")},
        "ConsistentRead": True,
    }


def _item(run_id: str, entry: LogEntry) -> Item:
    at = to_millis(entry.at)
    message, data = log_parts(entry)
    item = key(f"RUN#{run_id}", f"L#{entry.id}") | {
        "at": number(at),
        "level": text(entry.level),
        "message": text(message),
        "ttl": number(at // 1000 + KEPT_SECONDS),
    }
    more = {"path": entry.path, "data": data}
    return item | {name: text(value) for name, value in more.items() if value is not None}


def _entry(item: Item) -> LogEntry:
    return LogEntry(
        id=item["sk"]["S"].removeprefix("L#"),
        at=from_millis(int(item["at"]["N"])),
        path=item["path"]["S"] if "path" in item else None,
        level=item["level"]["S"],
        message=item["message"]["S"],
        data=json.loads(item["data"]["S"]) if "data" in item else None,
    )
