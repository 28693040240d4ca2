"""Signing secrets in DynamoDB: SIGNING#<name> / #SECRET in the jobs' table."""

from quintet.adapters.dynamodb.table import Refused, Table, key, text


class DynamoSigningSecrets:
    """Port SigningSecrets on the jobs' table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def find(self, name: str) -> str | None:
        """The sealed secret of that name, None when none is kept."""
        item = self._table.get(f"SIGNING#{name}", "#SECRET")
        return None if item is None else item["sealed"]["S"]

    def keep(self, name: str, sealed: str) -> str:
        """Keeps a sealed secret unless one is kept already; the one that is kept."""
        item = key(f"SIGNING#{name}", "#SECRET") | {"sealed": text(sealed)}
        try:
            self._table.put(item, ConditionExpression="attribute_not_exists(pk)")
        except Refused:  # by another, or by this very request repeated after a lost answer: what is kept counts
            return self.find(name) or sealed
        return sealed
