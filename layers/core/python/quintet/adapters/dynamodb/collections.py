"""Numbered records in DynamoDB.

RECORD#<project>#<collection>  <number>        a record: `body` as JSON text (numbers stay exact), `created`, `updated`, `rev`, `name`;
                                               `w`: who changed it last, to know an own repeated write
NAME#<project>#<collection>    <name's hash>   the `number` of the record that has the name
COUNT#<project>#<collection>   <shard>         how many records there are
NEXT#<project>#<kind>          #NEXT           the last number given

Collections and kinds hold no `#`: what stands behind the last one is the collection, whatever the project is called.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from quintet.adapters.collection_records import PageBytes, as_stored, body_text
from quintet.adapters.dynamodb.table import Item, Operation, Refused, Table, key, number, text
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.events import from_millis, to_millis
from quintet.domain.jsontext import exact
from quintet.services.ports.collections import Record
from quintet.services.ports.jobs import Taken

COUNTER_SHARDS = 8
NEXT = "#NEXT"
_DIGITS = 15
_NEW = {"ConditionExpression": "attribute_not_exists(pk)"}
_NAMES = {"#name": "name"}  # a word that DynamoDB reserves


class DynamoCollections:
    """Port Collections on one table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def next(self, project: str, kind: str) -> int:
        """A number that was never given before for this kind in the project. One whose answer is lost on the way stays unused."""
        counted = self._table.update(
            f"NEXT#{project}#{kind}",
            NEXT,
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": number(1)},
            ReturnValues="UPDATED_NEW",
        )
        return int(counted["n"]["N"])

    def add(self, record: Record) -> None:
        """Writes a new record. Raises Taken, Conflict, TooLarge."""
        operations: list[Operation] = [("record", "Put", {"Item": _to_item(record, body_text(record)), **_NEW})]
        operations += _names(None, record)
        try:
            self._transact(operations, record, 1)
        except Refused as refused:
            raise _refusal(record, refused, f"{record.collection} has a record {record.number}") from None

    def get(self, project: str, collection: str, number: int) -> Record:
        """Raises NotFound."""
        return _record(self._item(project, collection, number))

    def _item(self, project: str, collection: str, number: int) -> Item:
        item = self._table.get(_partition(project, collection), _place(number))
        if item is None:
            raise NotFound(f"{collection} has no record {number}")
        return item

    def get_many(self, project: str, places: Sequence[tuple[str, int]]) -> list[Record]:
        """Those of the records that are there, in the order asked for; a request a hundred."""
        keys = [(_partition(project, collection), _place(number)) for collection, number in places]
        found = self._table.get_many(dict.fromkeys(keys))
        return [_record(found[one]) for one in keys if one in found]

    def named(self, project: str, collection: str, name: str) -> Record:
        """Raises NotFound."""
        while True:
            claim = self._table.get(*_name_key(project, collection, name))
            if claim is None:
                raise NotFound(f"{collection} has no record named {name!r}")
            try:
                found = self.get(project, collection, int(claim["number"]["N"]))
            except NotFound:
                continue  # removed between the two reads, and its name freed with it
            if found.name == name:
                return found

    def change(self, record: Record) -> Record:
        """Writes a record over the one of the same revision; as stored. Raises NotFound, Taken, Conflict, TooLarge."""
        written = body_text(record)
        changed = replace(record, revision=record.revision + 1)
        item = _to_item(changed, written) | {"w": text(uuid4().hex)}
        try:
            self._table.put(item, **_as_read(record))  # it keeps its name, most often
        except Refused:
            self._rename(record, item)
        return as_stored(changed, written)

    def _rename(self, record: Record, item: Item) -> None:
        stored = self._item(record.project, record.collection, record.number)
        if stored.get("w") == item["w"]:
            return  # this very write was there already: it was repeated after its answer was lost
        was = _record(stored)
        said = f"record {record.number} of {record.collection} was changed meanwhile"
        if was.revision != record.revision:
            raise Conflict(said)
        operations: list[Operation] = [("record", "Put", {"Item": item, **_as_read(was)}), *_names(was, record)]
        try:
            self._table.transact(lambda _: operations)
        except Refused as refused:
            raise _refusal(record, refused, said) from None

    def remove(self, project: str, collection: str, number: int) -> Record:
        """Removes a record and frees its name; the record as it was. Raises NotFound."""
        while True:
            was = self.get(project, collection, number)
            removal = {"Key": key(_partition(project, collection), _place(number)), **_as_read(was)}
            operations: list[Operation] = [("record", "Delete", removal), *_names(was, None)]
            try:
                self._transact(operations, was, -1)
            except Refused:
                continue  # written since it was read: read it again
            return was

    def _transact(self, operations: list[Operation], record: Record, step: int) -> None:
        self._table.transact(lambda tried: [*operations, _counted(record, step, tried)])

    def page(self, project: str, collection: str, limit: int, offset: int = 0) -> list[Record]:
        """A collection's records, lowest number first. What is skipped is counted by the index; what is answered, and nothing else, is read
        from the table. Raises TooLarge."""
        if limit <= 0 or (offset > 0 and offset >= self.count(project, collection)):
            return []
        start = self._skip(project, collection, offset)
        found, held = list[Record](), PageBytes()
        while start is not None and len(found) < limit:
            answer = self._ask(project, collection, start, Limit=limit - len(found), ConsistentRead=True)
            for item in answer["Items"]:
                held.add(item["body"]["S"])
                found.append(_record(item))
            start = _start(answer)
        return found

    def _skip(self, project: str, collection: str, offset: int) -> Item | None:
        """What a Query starts from to pass over so many records; None when there are no more of them."""
        start: Item = {}
        # The index may lag behind: what it doesn't have yet is passed over in the table itself.
        for place in ({"IndexName": "places"}, {"ConsistentRead": True}):
            while offset > 0:
                answer = self._ask(project, collection, start, **place, Select="COUNT", Limit=offset)
                after = _start(answer)
                if after is None:
                    break
                start = after
                offset -= answer["Count"]
        return None if offset else start

    def _ask(self, project: str, collection: str, start: Item, **params: Any) -> Any:
        values = {":pk": text(_partition(project, collection))}
        condition = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": values}
        return next(self._table.pages(**condition, **start, **params))

    def count(self, project: str, collection: str) -> int:
        """How many records a collection has."""
        counters = self._table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": text(_counters(project, collection))},
            ConsistentRead=True,
        )
        return sum(int(counter["n"]["N"]) for counter in counters)


def _partition(project: str, collection: str) -> str:
    return f"RECORD#{project}#{collection}"


def _place(number: int) -> str:
    return f"{number:0{_DIGITS}d}"


def _counters(project: str, collection: str) -> str:
    return f"COUNT#{project}#{collection}"


def _name_key(project: str, collection: str, name: str) -> tuple[str, str]:
    return f"NAME#{project}#{collection}", hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()


def _start(answer: Any) -> Item | None:
    """How the Query after this one begins; None when nothing is left."""
    return {"ExclusiveStartKey": answer["LastEvaluatedKey"]} if "LastEvaluatedKey" in answer else None


def _to_item(record: Record, written: str) -> Item:
    item = key(_partition(record.project, record.collection), _place(record.number)) | {
        "body": text(written),
        "created": number(to_millis(record.created_at)),
        "updated": number(to_millis(record.updated_at)),
        "rev": number(record.revision),
    }
    return item if record.name is None else item | {"name": text(record.name)}


def _record(item: Item) -> Record:
    project, _, collection = item["pk"]["S"].removeprefix("RECORD#").rpartition("#")
    return Record(
        project=project,
        collection=collection,
        number=int(item["sk"]["S"]),
        body=exact(item["body"]["S"]),
        created_at=from_millis(int(item["created"]["N"])),
        updated_at=from_millis(int(item["updated"]["N"])),
        name=item["name"]["S"] if "name" in item else None,
        revision=int(item["rev"]["N"]),
    )


def _as_read(record: Record) -> dict[str, Any]:
    """The condition that a record still has this revision and name."""
    values = {":rev": number(record.revision)}
    if record.name is None:
        condition = "rev = :rev AND attribute_not_exists(#name)"
    else:
        condition = "rev = :rev AND #name = :name"
        values[":name"] = text(record.name)
    return {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": _NAMES,
        "ExpressionAttributeValues": values,
    }


def _names(was: Record | None, record: Record | None) -> Iterator[Operation]:
    """Gives up the name of before, claims the one of now."""
    before, after = (one.name if one else None for one in (was, record))
    if before == after:
        return
    if was is not None and before is not None:
        yield "unname", "Delete", {"Key": key(*_name_key(was.project, was.collection, before))}
    if record is not None and after is not None:
        claim = key(*_name_key(record.project, record.collection, after)) | {"number": number(record.number)}
        yield "name", "Put", {"Item": claim, **_NEW}


def _counted(record: Record, step: int, tried: int) -> Operation:
    """Counts a record that came or went; another shard at each try, so that a contended one is left alone."""
    update = {
        "Key": key(_counters(record.project, record.collection), str((record.number + tried) % COUNTER_SHARDS)),
        "UpdateExpression": "ADD n :step",
        "ExpressionAttributeValues": {":step": number(step)},
    }
    return "count", "Update", update


def _refusal(record: Record, refused: Refused, said: str) -> Conflict:
    if "record" in refused.labels or record.name is None:
        return Conflict(said)
    return Taken("name", record.name)
