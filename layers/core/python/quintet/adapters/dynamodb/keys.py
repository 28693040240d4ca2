"""API keys in DynamoDB: KEY#<digest> / #KEY in the jobs' table."""

from quintet.adapters.dynamodb.table import Table, text
from quintet.adapters.dynamodb.table import key as item_key
from quintet.adapters.records import key_from_text, key_to_text
from quintet.services.ports.keys import Key


class DynamoKeys:
    """Port Keys on the jobs' table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def put(self, digest: str, key: Key) -> None:
        """Writes a key under the SHA-256 (hex) of its secret; the same digest again replaces the record."""
        self._table.put(item_key(f"KEY#{digest}", "#KEY") | {"view": text(key_to_text(key))})

    def find(self, digest: str) -> Key | None:
        """The key of that digest, also when revoked or expired."""
        item = self._table.get(f"KEY#{digest}", "#KEY")
        return None if item is None else key_from_text(item["view"]["S"])
