"""API keys in DynamoDB, in the jobs' table.

KEY#<digest>     #KEY       the key (`view`); `revoked_ms`, `used_ms`: what changes while it lives
KEYID#<id>       #KEY       the project that the key is bound to
KEYS#<project>   <key id>   the digest of the key's present secret
"""

from dataclasses import replace
from datetime import datetime

from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.dynamodb.projects import added
from quintet.adapters.dynamodb.table import Item, Operation, Refused, Table, number, text
from quintet.adapters.dynamodb.table import key as item_key
from quintet.adapters.records import key_from_text, key_to_text
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.events import from_millis, to_millis
from quintet.services.ports.keys import Key, KeyPage

KEY = "#KEY"
NOTED_EVERY_MS = 60_000
READS = 5
_NEW = "attribute_not_exists(pk)"
_LIVE = "attribute_exists(pk) AND attribute_not_exists(revoked_ms)"


class DynamoKeys:
    """Port Keys on the jobs' table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    # --- writing ---------------------------------------------------------------------------------------------------------------

    def put(self, digest: str, key: Key) -> None:
        """Writes a key, new or not, under the SHA-256 (hex) of its secret; a secret that it had before stops working."""
        while True:
            before = self._digest(key.project, key.id)
            changes: list[Operation] = [
                ("key", "Put", {"Item": _key_item(digest, key)}),
                *_found_by(digest, key, before),
            ]
            if before not in {None, digest}:
                changes.append(("before", "Delete", {"Key": item_key(f"KEY#{before}", KEY)}))
            if self._done(changes):
                return

    def add(self, digest: str, key: Key, *, recorded: bool) -> None:
        """Writes a new key; when its project is `recorded`, only while that record is there. Raises NotFound."""
        new = {"Item": _key_item(digest, key), "ConditionExpression": _NEW}
        changes: list[Operation] = [("key", "Put", new), *_found_by(digest, key, None)]
        if recorded:
            changes.append(added(key.project))
        if not self._done(changes):
            raise NotFound(f"no project {key.project}")

    def _done(self, changes: list[Operation]) -> bool:
        try:
            self._table.transact(lambda _: changes)
        except Refused:
            return False
        return True

    def revoke(self, project: str, key_id: str, at: datetime) -> Key:
        """The key, revoked from then on; one that was revoked before keeps its moment. Raises NotFound."""
        while True:
            digest, key = self._stored(project, key_id)
            if key.revoked_at is not None:
                return key
            change = {
                "UpdateExpression": "SET revoked_ms = :at",
                "ConditionExpression": _LIVE,
                "ExpressionAttributeValues": {":at": number(to_millis(at))},
            }
            try:
                self._table.update(f"KEY#{digest}", KEY, **change)
            except Refused:
                continue  # revoked, or under another secret, since it was read

    def rotate(self, project: str, key_id: str, digest: str, prefix: str) -> Key:
        """Gives a key another secret in place of its own. Raises NotFound, Conflict for a revoked key."""
        while True:
            before, key = self._stored(project, key_id)
            if key.revoked_at is not None:
                raise Conflict(f"key {key_id} is revoked")
            if before == digest:
                return key  # an own write whose answer was lost
            key = replace(key, prefix=prefix)
            end = {"Key": item_key(f"KEY#{before}", KEY), "ConditionExpression": _LIVE}
            changes: list[Operation] = [
                ("before", "Delete", end),
                ("key", "Put", {"Item": _key_item(digest, key), "ConditionExpression": _NEW}),
                *_found_by(digest, key, before),
            ]
            if self._done(changes):
                return key

    def used(self, digest: str, at: datetime) -> None:
        """Notes when a key was last used, unless that was noted less than a minute before."""
        moment = to_millis(at)
        change = {
            "UpdateExpression": "SET used_ms = :at",
            "ConditionExpression": "attribute_exists(pk) AND (attribute_not_exists(used_ms) OR used_ms <= :before)",
            "ExpressionAttributeValues": {":at": number(moment), ":before": number(moment - NOTED_EVERY_MS)},
        }
        try:
            self._table.update(f"KEY#{digest}", KEY, **change)
        except Refused:
            return  # noted by another process, or the key has another secret now

    # --- reading ---------------------------------------------------------------------------------------------------------------

    def find(self, digest: str) -> Key | None:
        """The key of that digest, also when revoked or expired."""
        item = self._table.get(f"KEY#{digest}", KEY)
        return None if item is None else _key_of(item)

    def get(self, project: str, key_id: str) -> Key:
        """A project's key. Raises NotFound."""
        return self._stored(project, key_id)[1]

    def _stored(self, project: str, key_id: str) -> tuple[str, Key]:
        for _ in range(READS):  # it may be rotated between the two reads
            digest = self._digest(project, key_id)
            if digest is None:
                break
            if (key := self.find(digest)) is not None:
                return digest, key
        raise NotFound(f"no key {key_id}")

    def _digest(self, project: str, key_id: str) -> str | None:
        entry = self._table.get(f"KEYS#{project}", key_id)
        return None if entry is None else str(entry["digest"]["S"])

    def project_of(self, key_id: str) -> str:
        """The project that a key is bound to. Raises NotFound."""
        item = self._table.get(f"KEYID#{key_id}", KEY)
        if item is None:
            raise NotFound(f"no key {key_id}")
        return str(item["project"]["S"])

    def page(self, project: str, limit: int, cursor: str | None = None) -> KeyPage:
        """A project's keys, newest first. Raises Invalid for a bad cursor."""
        values = {":pk": text(f"KEYS#{project}")}
        condition = "pk = :pk"
        if (before := from_cursor("keys", cursor)) is not None:
            values[":before"] = text(before)
            condition += " AND sk < :before"
        entries = self._table.slice(
            0,
            limit + 1,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        shown = entries[:limit]
        found = self._table.get_many((f"KEY#{entry['digest']['S']}", KEY) for entry in shown)
        items = [found.get((f"KEY#{entry['digest']['S']}", KEY)) for entry in shown]
        keys = [
            self.get(project, entry["sk"]["S"]) if item is None else _key_of(item)
            for entry, item in zip(shown, items, strict=True)
        ]
        return KeyPage(keys, to_cursor("keys", keys[-1].id) if keys and len(entries) > limit else None)


def _key_item(digest: str, key: Key) -> Item:
    item = item_key(f"KEY#{digest}", KEY)
    item["view"] = text(key_to_text(replace(key, revoked_at=None, last_used_at=None)))
    if key.revoked_at is not None:
        item["revoked_ms"] = number(to_millis(key.revoked_at))
    if key.last_used_at is not None:
        item["used_ms"] = number(to_millis(key.last_used_at))
    return item


def _key_of(item: Item) -> Key:
    key = key_from_text(item["view"]["S"])
    if "revoked_ms" in item:
        key = replace(key, revoked_at=from_millis(int(item["revoked_ms"]["N"])))
    if "used_ms" in item:
        key = replace(key, last_used_at=from_millis(int(item["used_ms"]["N"])))
    return key


def _found_by(digest: str, key: Key, before: str | None) -> list[Operation]:
    """Has the key found by its project and by its id, in place of the secret before."""
    entry = item_key(f"KEYS#{key.project}", key.id) | {"digest": text(digest)}
    listed = {"Item": entry, "ConditionExpression": _NEW}
    if before is not None:
        listed = {
            "Item": entry,
            "ConditionExpression": "digest = :before",
            "ExpressionAttributeValues": {":before": text(before)},
        }
    named = {"Item": item_key(f"KEYID#{key.id}", KEY) | {"project": text(key.project)}}
    return [("listed", "Put", listed), ("named", "Put", named)]
