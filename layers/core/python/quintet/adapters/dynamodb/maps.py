"""What the items of a fanned-out map came to: ITEMS#<run>#<token>, one item of the table for each item of the map."""

import json
from collections.abc import Mapping
from typing import Any

from quintet.adapters.dynamodb.table import Table, key, text
from quintet.adapters.records import pack


class MapBook:
    """The part of port Runs that keeps the outcomes of items."""

    table: Table

    def keep_item(self, run_id: str, token: int, index: int, outcome: Mapping[str, Any]) -> None:
        """Keeps what one item came to; the same item again is the same outcome."""
        self.table.put(key(_partition(run_id, token), f"{index:08d}") | {"outcome": text(pack(dict(outcome)))})

    def items(self, run_id: str, token: int) -> dict[int, Mapping[str, Any]]:
        """What the items came to, by index."""
        found = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": text(_partition(run_id, token))},
            ConsistentRead=True,
        )
        return {int(item["sk"]["S"]): json.loads(item["outcome"]["S"]) for item in found}


def _partition(run_id: str, token: int) -> str:
    return f"ITEMS#{run_id}#{token}"
