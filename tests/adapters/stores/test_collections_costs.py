"""Collections on DynamoDB: what is asked of the store, and how much it has to look at."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from quintet.adapters.aws import client
from quintet.adapters.dynamodb.collections import DynamoCollections
from quintet.adapters.dynamodb.table import Item, Table
from quintet.domain.errors import Conflict, TooLarge
from quintet.services.ports.collections import Record
from quintet.services.ports.jobs import Taken

from .conftest import Stores, make_table
from .samples import NOW

ROWS = 2000


@dataclass(frozen=True)
class Asked:
    """One request: the operation, where it looked, whether strongly consistent, and at how many items."""

    name: str
    place: str
    consistent: bool
    items: int


Watch = Callable[[Callable[[], object]], list[Asked]]


@pytest.fixture(scope="module")
def table(aws: Stores) -> str:
    """A table with a collection of 2,000 rows, and one number without a row."""
    name = make_table("DataTable")
    collections, store = DynamoCollections(name), Table(name)
    number = collections.next("acme", "rows/big")
    row = Record("acme", "rows/big", number, {"text": "x" * 200}, NOW, NOW)
    collections.add(row)
    ours: list[Item] = client("dynamodb").scan(TableName=name)["Items"]
    (record,) = [item for item in ours if "body" in item]
    (counter,) = [item for item in ours if "n" in item and item["pk"]["S"].startswith("COUNT#")]
    width = len(record["sk"]["S"])
    store.put_many([record | {"sk": {"S": str(n).zfill(width)}} for n in range(3, ROWS + 2)])
    store.put(counter | {"n": {"N": str(ROWS)}})
    return name


@pytest.fixture
def collections(table: str) -> DynamoCollections:
    """The store on it."""
    return DynamoCollections(table)


@pytest.fixture
def watch(aws: Stores) -> Iterator[Watch]:
    """Does something, and answers the requests that it made."""
    events = client("dynamodb").meta.events
    asked: list[tuple[str, Any]] = []
    looked: list[int] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        asked.append((model.name, params))

    def answered(parsed: dict[str, Any], **_: Any) -> None:
        looked.append(parsed.get("ScannedCount", len(parsed.get("Item", ()))))

    def act(work: Callable[[], object]) -> list[Asked]:
        asked.clear(), looked.clear()
        work()
        return [
            Asked(name, params.get("IndexName", "table"), params.get("ConsistentRead", False), items)
            for (name, params), items in zip(asked, looked, strict=True)
        ]

    events.register("provide-client-params.dynamodb", note)
    events.register("after-call.dynamodb", answered)
    yield act
    events.unregister("provide-client-params.dynamodb", note)
    events.unregister("after-call.dynamodb", answered)


def test_the_first_page_costs_its_rows(collections: DynamoCollections, watch: Watch) -> None:
    """One request to the table itself, strongly consistent, for no more rows than are answered."""
    assert watch(lambda: collections.page("acme", "rows/big", 50)) == [Asked("Query", "table", True, 50)]


@pytest.mark.parametrize("offset", [50, 1000, ROWS - 50])
def test_a_page_behind_costs_its_rows_and_a_skip_over_keys(
    collections: DynamoCollections, watch: Watch, offset: int
) -> None:
    """How many there are is one small read; the rows before it are passed over in an index that holds nothing but keys."""
    found: list[Record] = []
    asked = watch(lambda: found.extend(collections.page("acme", "rows/big", 50, offset)))
    assert [row.number for row in found] == list(range(offset + 2, offset + 52))
    assert asked == [
        Asked("Query", "table", True, 1),
        Asked("Query", "places", False, offset),
        Asked("Query", "table", True, 50),
    ]


def test_the_index_holds_keys_only(table: str) -> None:
    """What a skip reads of a row is some eighty bytes, whatever is in it."""
    (entry,) = client("dynamodb").query(
        TableName=table,
        IndexName="places",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "RECORD#acme#rows/big"}},
        Limit=1,
    )["Items"]
    assert entry.keys() == {"pk", "sk"}
    assert len(json.dumps(entry)) < 100


def test_behind_the_end_nothing_is_skipped(collections: DynamoCollections, watch: Watch) -> None:
    """Who asks for a page that isn't there pays for the count."""
    for offset in (ROWS, 10**12):
        assert watch(lambda at=offset: collections.page("acme", "rows/big", 50, at)) == [
            Asked("Query", "table", True, 1)
        ]


def test_large_rows_are_read_once(aws: Stores, watch: Watch) -> None:
    """A request answers a megabyte; the next one goes on there and asks for no more than is still missing, or gives up."""
    collections = DynamoCollections(make_table("DataTable"))
    for number in range(1, 15):
        collections.add(Record("acme", "rows/a", number, {"text": "x" * 350_000}, NOW, NOW))
    asked = watch(lambda: collections.page("acme", "rows/a", 5))
    assert sum(one.items for one in asked) == 5

    def too_much() -> None:
        with pytest.raises(TooLarge):
            collections.page("acme", "rows/a", 1000)

    assert sum(one.items for one in watch(too_much)) < 14


def test_an_index_that_lags_behind_hides_nothing(collections: DynamoCollections, watch: Watch) -> None:
    """What it doesn't have yet is passed over in the table itself; the page is the same."""
    lagging = {"Items": [], "Count": 600, "ScannedCount": 600}

    def lag(params: dict[str, Any], **_: Any) -> Any:
        return (SimpleNamespace(status_code=200), lagging) if b"IndexName" in params["body"] else None

    events = client("dynamodb").meta.events
    events.register_first("before-call.dynamodb.Query", lag)
    found: list[Record] = []
    try:
        asked = watch(lambda: found.extend(collections.page("acme", "rows/big", 3, 1500)))
    finally:
        events.unregister("before-call.dynamodb.Query", lag)
    assert [row.number for row in found] == [1502, 1503, 1504]
    assert [(one.place, one.items) for one in asked] == [("table", 1), ("places", 600), ("table", 1500), ("table", 3)]


def test_writes_cost_what_they_change(aws: Stores, watch: Watch) -> None:
    """A new record is one transaction, a change that keeps the name one write, a removal a read and a transaction; a refusal no more."""
    collections = DynamoCollections(make_table("DataTable"))
    record = Record("acme", "rows/a", 1, {"a": 1}, NOW, NOW)

    def named(work: Callable[[], object]) -> list[str]:
        return [one.name for one in watch(work)]

    assert named(lambda: collections.next("acme", "rows/a")) == ["UpdateItem"]
    assert named(lambda: collections.add(record)) == ["TransactWriteItems"]
    assert named(lambda: collections.change(record)) == ["PutItem"]
    kept = replace(record, revision=2)
    assert named(lambda: collections.change(replace(kept, name="one"))) == ["PutItem", "GetItem", "TransactWriteItems"]
    named_one = replace(kept, revision=3, name="one")
    assert named(lambda: collections.change(named_one)) == ["PutItem"]

    def refused() -> None:
        with pytest.raises(Conflict):
            collections.change(named_one)
        with pytest.raises(Taken):
            collections.add(replace(record, number=2, name="one"))

    assert named(refused) == ["PutItem", "GetItem", "TransactWriteItems"]
    assert named(lambda: collections.named("acme", "rows/a", "one")) == ["GetItem"] * 2
    assert named(lambda: collections.count("acme", "rows/a")) == ["Query"]
    assert named(lambda: collections.get_many("acme", [("rows/a", n) for n in range(150)])) == ["BatchGetItem"] * 2
    assert named(lambda: collections.remove("acme", "rows/a", 1)) == ["GetItem", "TransactWriteItems"]


@pytest.mark.parametrize("also", ["renamed", "removed"])
def test_a_name_that_moves_on_while_it_is_looked_up_is_followed(aws: Stores, also: str) -> None:
    """Between the reads of the name and of its record another record may have taken it: that one is answered."""
    collections = DynamoCollections(make_table("DataTable"))
    first, second = (Record("acme", "rows/a", number, {}, NOW, NOW) for number in (1, 2))
    first = replace(first, name="x")
    collections.add(first)
    events = client("dynamodb").meta.events

    def move(**_: Any) -> None:
        events.unregister("after-call.dynamodb.GetItem", move)
        if also == "renamed":
            collections.change(replace(first, name="y"))
        else:
            collections.remove("acme", "rows/a", 1)
        collections.add(replace(second, name="x"))

    events.register("after-call.dynamodb.GetItem", move)
    assert collections.named("acme", "rows/a", "x").number == 2


def test_a_change_whose_answer_was_lost_is_no_conflict_with_itself(aws: Stores) -> None:
    """The client asks again, and finds its own write; who wrote the same a moment before is another all the same."""
    collections = DynamoCollections(make_table("DataTable"))
    record = Record("acme", "rows/a", 1, {"n": 0}, NOW, NOW, "x")
    collections.add(record)
    events = client("dynamodb").meta.events
    lost: list[int] = []

    def lose(attempts: int, **_: Any) -> int | None:
        lost.append(attempts)
        return 0 if attempts == 1 else None

    events.register_first("needs-retry.dynamodb.PutItem", lose)
    try:
        changed = collections.change(replace(record, body={"n": 1}))
        with pytest.raises(Conflict):
            collections.change(replace(record, body={"n": 1}))
    finally:
        events.unregister("needs-retry.dynamodb.PutItem", lose)
    assert lost == [1, 2, 1, 2]
    assert collections.get("acme", "rows/a", 1) == changed == replace(record, body={"n": 1}, revision=2)
