"""What a run's program keeps, in DynamoDB: REC#<run>#<kind> / <id> in the runs' table."""

import json
from collections.abc import Mapping
from typing import Any

from quintet.adapters.dynamodb.table import Table, key, text
from quintet.adapters.records import record_to_text


class DynamoRecords:
    """Port Records on the runs' table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def put(self, run_id: str, kind: str, id: str, body: Mapping[str, Any]) -> None:  # noqa: A002  # the port's own word
        """Writes a record; the same id again replaces it. Raises TooLarge."""
        self._table.put(key(_partition(run_id, kind), id) | {"body": text(record_to_text(body))})

    def page(self, run_id: str, kind: str, limit: int, after: str | None = None) -> list[tuple[str, Mapping[str, Any]]]:
        """Up to `limit` records in the order of their ids, from the first after `after`."""
        low = "" if after is None else " AND sk > :after"
        values = {":pk": text(_partition(run_id, kind))} | ({} if after is None else {":after": text(after)})
        found = self._table.slice(
            0,
            limit,
            KeyConditionExpression=f"pk = :pk{low}",
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        return [(item["sk"]["S"], json.loads(item["body"]["S"])) for item in found]


def _partition(run_id: str, kind: str) -> str:
    return f"REC#{run_id}#{kind}"
