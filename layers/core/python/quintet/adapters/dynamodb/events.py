"""Event subscriptions in DynamoDB: EVENTS#<project>#<event key> / <run>#<token>#<path> in the runs' table."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from quintet.adapters.dynamodb.table import Item, Table, key, number, text
from quintet.domain.events import to_millis
from quintet.services.ports.events import Subscription

KEPT_AFTER = timedelta(days=1)
"""How long a subscription outlives its attempt's deadline: DynamoDB removes it some time later."""


class DynamoSubscriptions:
    """Port Subscriptions on the runs' table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def add(self, project: str, event_key: str, subscription: Subscription, until: datetime) -> None:
        """Keeps a subscription; the same again changes nothing."""
        ends = to_millis(until + KEPT_AFTER) // 1000
        self._table.put(_key(project, event_key, subscription) | {"ttl": number(ends)})

    def of(self, project: str, event_key: str) -> Iterator[Subscription]:
        """The subscriptions to an event."""
        found = self._table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": text(_partition(project, event_key))},
            ConsistentRead=True,
        )
        for item in found:
            run_id, token, path = item["sk"]["S"].split("#", 2)
            yield Subscription(run_id, path, int(token))

    def remove(self, project: str, event_key: str, subscription: Subscription) -> None:
        """Forgets a subscription; nothing when it is not there."""
        place = _key(project, event_key, subscription)
        self._table.transact(lambda _: [("subscription", "Delete", {"Key": place})])


def _partition(project: str, event_key: str) -> str:
    return f"EVENTS#{project}#{event_key}"


def _key(project: str, event_key: str, subscription: Subscription) -> Item:
    sort = f"{subscription.run_id}#{subscription.token}#{subscription.path}"
    return key(_partition(project, event_key), sort)
