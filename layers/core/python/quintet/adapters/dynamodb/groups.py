"""Job groups in DynamoDB.

GROUPS#<project>              <id>          the group
GROUP_SLUG#<project>#<slug>   #GROUP_SLUG   the group that claims the slug
"""

from collections.abc import Iterator
from typing import Any

from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.dynamodb.table import Item, Operation, Refused, Table, key, text
from quintet.adapters.job_records import group_from_text, group_to_text
from quintet.domain.errors import Conflict, NotFound
from quintet.services.ports.groups import GroupPage, JobGroup
from quintet.services.ports.jobs import Taken

_NEW = {"ConditionExpression": "attribute_not_exists(pk)"}
_AS_READ = "#view = :was"
_NAMES = {"#view": "view"}  # a word that DynamoDB reserves


class DynamoGroups:
    """Port Groups on one table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def create(self, group: JobGroup) -> None:
        """Writes a new group. Raises Taken for its slug, Conflict."""
        operations: list[Operation] = [("group", "Put", {"Item": _item(group), **_NEW}), *_slugs(None, group)]
        self._write(group, operations)

    def get(self, project: str, group_id: str) -> JobGroup:
        """Raises NotFound, also for another project's."""
        item = self._table.get(_group_key(project), group_id)
        if item is None:
            raise NotFound(f"no job group {group_id}")
        return group_from_text(item["view"]["S"])

    def update(self, group: JobGroup, was: JobGroup) -> None:
        """Replaces what it `was`. Raises Taken for its slug, Conflict when it is no longer that, NotFound."""
        self.get(was.project, was.id)
        put = {"Item": _item(group), **_if(was)}
        self._write(group, [("group", "Put", put), *_slugs(was, group)])

    def delete(self, group: JobGroup) -> None:
        """Removes the group and frees its slug. Raises NotFound."""
        while True:
            stored = self.get(group.project, group.id)
            removal = {"Key": key(_group_key(stored.project), stored.id), **_if(stored)}
            try:
                self._transact([("group", "Delete", removal), *_slugs(stored, None)])
            except Refused:
                continue  # written since it was read: read it again
            return

    def page(self, project: str, limit: int, cursor: str | None = None) -> GroupPage:
        """A project's groups, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        place = from_cursor("groups", cursor)
        if limit <= 0:
            return GroupPage([])
        after = {} if place is None else {":after": text(place)}
        found = self._table.slice(
            0,
            limit + 1,
            KeyConditionExpression="pk = :pk" + (" AND sk < :after" if after else ""),
            ExpressionAttributeValues={":pk": text(_group_key(project)), **after},
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        groups = [group_from_text(item["view"]["S"]) for item in found[:limit]]
        return GroupPage(groups, to_cursor("groups", groups[-1].id) if len(found) > limit else None)

    def _write(self, group: JobGroup, operations: list[Operation]) -> None:
        try:
            self._transact(operations)
        except Refused as refused:
            if "slug" in refused.labels:
                raise Taken("slug", group.slug) from None
            raise Conflict(f"job group {group.id} was changed meanwhile, or exists") from None

    def _transact(self, operations: list[Operation]) -> None:
        self._table.transact(lambda _: operations)


def _group_key(project: str) -> str:
    return f"GROUPS#{project}"


def _item(group: JobGroup) -> Item:
    return key(_group_key(group.project), group.id) | {"view": text(group_to_text(group))}


def _if(was: JobGroup) -> dict[str, Any]:
    values = {":was": text(group_to_text(was))}
    return {
        "ConditionExpression": _AS_READ,
        "ExpressionAttributeNames": _NAMES,
        "ExpressionAttributeValues": values,
    }


def _slugs(stored: JobGroup | None, group: JobGroup | None) -> Iterator[Operation]:
    """Gives up the slug of before, claims the one of now."""
    before, after = (_slug_key(one) if one else None for one in (stored, group))
    if before == after:
        return
    if before is not None:
        yield "unslug", "Delete", {"Key": key(before, "#GROUP_SLUG")}
    if group is not None and after is not None:
        item = key(after, "#GROUP_SLUG") | {"group": text(group.id)}
        yield "slug", "Put", {"Item": item, **_NEW}


def _slug_key(group: JobGroup) -> str:
    return f"GROUP_SLUG#{group.project}#{group.slug}"
