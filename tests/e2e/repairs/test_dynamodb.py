"""Repairs of DynamoDB: queries that read only what they return, billed as AWS bills, and transactions the engine relies on."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

Item = dict[str, Any]


@pytest.fixture(scope="module")
def db(cloud: Any) -> Any:
    """The DynamoDB client."""
    return cloud.client("dynamodb")


@pytest.fixture(scope="module")
def table(db: Any) -> Iterator[str]:
    """A table with text keys, a sparse index by number and a hash-only index of keys."""
    name = "journal"
    db.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "due", "AttributeType": "S"}, {"AttributeName": "at", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {"IndexName": "by-time", "Projection": {"ProjectionType": "ALL"},
             "KeySchema": [{"AttributeName": "due", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]},
            {"IndexName": "by-due", "Projection": {"ProjectionType": "KEYS_ONLY"},
             "KeySchema": [{"AttributeName": "due", "KeyType": "HASH"}]},
        ],
    )  # fmt: skip
    yield name
    db.delete_table(TableName=name)


def item(pk: str, sk: str, **more: Any) -> Item:
    """An item in wire form."""
    return {"pk": {"S": pk}, "sk": {"S": sk}, **more}


def sorts(answer: dict[str, Any]) -> list[str]:
    """The sort keys of a page."""
    return [each["sk"]["S"] for each in answer["Items"]]


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("pk = :p", {}, ["a", "ab", "abc", "b", "c", "é"]),
        ("pk = :p AND sk = :x", {":x": "ab"}, ["ab"]),
        ("pk = :p AND sk < :x", {":x": "abc"}, ["a", "ab"]),
        ("pk = :p AND sk <= :x", {":x": "abc"}, ["a", "ab", "abc"]),
        ("pk = :p AND sk > :x", {":x": "abc"}, ["b", "c", "é"]),
        ("pk = :p AND sk >= :x", {":x": "abc"}, ["abc", "b", "c", "é"]),
        ("pk = :p AND begins_with(sk, :x)", {":x": "a"}, ["a", "ab", "abc"]),
        ("pk = :p AND sk BETWEEN :x AND :y", {":x": "ab", ":y": "b"}, ["ab", "abc", "b"]),
        ("(pk = :p) AND (sk > :x)", {":x": "b"}, ["c", "é"]),
        (":x < sk AND pk = :p", {":x": "b"}, ["c", "é"]),
        ("#p = :p AND begins_with(#s, :x)", {":x": "zz"}, []),
    ],
)
@pytest.mark.parametrize("forward", [True, False])
def test_each_form_of_key_condition_finds_its_items(
    db: Any, table: str, condition: str, values: dict[str, str], expected: list[str], forward: bool
) -> None:
    """Every operator, in both directions, in pages of two and in one page."""
    for sk in ("c", "ab", "é", "a", "b", "abc"):
        db.put_item(TableName=table, Item=item("forms", sk))
    query: dict[str, Any] = {
        "TableName": table, "KeyConditionExpression": condition, "ScanIndexForward": forward,
        "ExpressionAttributeValues": {":p": {"S": "forms"}, **{key: {"S": value} for key, value in values.items()}},
    }  # fmt: skip
    if "#" in condition:
        query["ExpressionAttributeNames"] = {"#p": "pk", "#s": "sk"}
    wanted = expected if forward else expected[::-1]
    assert sorts(db.query(**query)) == wanted
    pages = [sorts(page) for page in db.get_paginator("query").paginate(**query, PaginationConfig={"PageSize": 2})]
    assert [sk for page in pages for sk in page] == wanted
    assert all(len(page) <= 2 for page in pages)


def test_partitions_stay_in_order_under_any_writes(db: Any, table: str) -> None:
    """After random puts, updates and deletes, table and indexes answer what a plain model answers, page by page."""
    chance = random.Random(7)
    model: dict[str, Item] = {}
    for _ in range(400):
        sk = f"{chance.randrange(40):03d}"
        if chance.random() < 0.3:
            db.delete_item(TableName=table, Key=item("model", sk))
            model.pop(sk, None)
        elif sk in model and chance.random() < 0.5:
            at = {"N": str(chance.randrange(-5, 15))}
            db.update_item(
                TableName=table, Key=item("model", sk), UpdateExpression="SET #a = :a, due = :d", ExpressionAttributeNames={"#a": "at"},
                ExpressionAttributeValues={":a": at, ":d": {"S": "model"}},
            )  # fmt: skip
            model[sk] |= {"at": at, "due": {"S": "model"}}
        else:
            indexed = {"due": {"S": "model"}, "at": {"N": str(chance.randrange(20))}} if chance.random() < 0.7 else {}
            model[sk] = item("model", sk, **indexed)
            db.put_item(TableName=table, Item=model[sk])
    by_time = sorted(
        (each for each in model.values() if "due" in each), key=lambda e: (int(e["at"]["N"]), e["sk"]["S"])
    )
    for query, expected in (
        ({"KeyConditionExpression": "pk = :p"}, [model[sk] for sk in sorted(model)]),
        ({"KeyConditionExpression": "due = :p", "IndexName": "by-time"}, by_time),
    ):
        pages = db.get_paginator("query").paginate(
            TableName=table, ExpressionAttributeValues={":p": {"S": "model"}}, PaginationConfig={"PageSize": 7}, **query
        )
        assert [each for page in pages for each in page["Items"]] == expected


def test_a_page_is_read_where_it_starts_and_not_from_the_beginning(db: Any, table: str) -> None:
    """A page of a large partition evaluates its own items only: the last event costs what one event costs."""
    for start in range(0, 1000, 25):
        db.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": item("long", f"{n:05d}")}} for n in range(start, start + 25)]}
        )
    answer = db.query(
        TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "long"}},
        ScanIndexForward=False, Limit=1, ReturnConsumedCapacity="TOTAL",
    )  # fmt: skip
    assert (sorts(answer), answer["ScannedCount"]) == (["00999"], 1)
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 0.5
    counted = db.query(
        TableName=table, KeyConditionExpression="pk = :p AND sk >= :s", Select="COUNT",
        ExpressionAttributeValues={":p": {"S": "long"}, ":s": {"S": "00990"}},
    )  # fmt: skip
    assert counted["Count"] == 10


def test_reads_are_billed_by_their_size(db: Any, table: str) -> None:
    """4 KB steps: per item in gets, per page in queries; half when eventually consistent, double in a transaction."""
    body = {"S": "x" * 9000}
    for sk in ("1", "2"):
        db.put_item(TableName=table, Item=item("sizes", sk, body=body, due={"S": "sizes"}, at={"N": sk}))
    key = item("sizes", "1")
    values = {":p": {"S": "sizes"}}

    def units(answer: dict[str, Any]) -> float:
        consumed = answer["ConsumedCapacity"]
        found: float = (consumed[0] if isinstance(consumed, list) else consumed)["CapacityUnits"]
        return found

    def get(**more: Any) -> float:
        return units(db.get_item(TableName=table, Key=key, ReturnConsumedCapacity="INDEXES", **more))

    def query(**more: Any) -> float:
        more = {"KeyConditionExpression": "pk = :p", **more}
        return units(
            db.query(TableName=table, ExpressionAttributeValues=values, ReturnConsumedCapacity="INDEXES", **more)
        )

    assert (get(), get(ConsistentRead=True)) == (1.5, 3.0)
    assert (query(), query(ConsistentRead=True)) == (2.5, 5.0)
    assert query(KeyConditionExpression="due = :p", IndexName="by-time") == 2.5
    assert query(KeyConditionExpression="due = :p", IndexName="by-due") == 0.5
    keys = [key, item("sizes", "2"), item("sizes", "none")]
    batch = db.batch_get_item(RequestItems={table: {"Keys": keys}}, ReturnConsumedCapacity="TOTAL")
    assert units(batch) == 3.5
    together = db.transact_get_items(
        TransactItems=[{"Get": {"TableName": table, "Key": each}} for each in keys], ReturnConsumedCapacity="INDEXES"
    )
    assert units(together) == 14.0


def test_writes_are_billed_for_table_and_indexes(db: Any, table: str) -> None:
    """A KB a unit; an index is billed when its entry changes; a transaction pays double for the table."""
    plain = db.put_item(TableName=table, Item=item("billed", "1"), ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert (plain["Table"]["CapacityUnits"], "GlobalSecondaryIndexes" in plain) == (1.0, False)
    indexed = item("billed", "2", due={"S": "billed"}, at={"N": "1"}, body={"S": "x" * 1500})
    put = {"TableName": table, "Item": indexed}
    first = db.put_item(**put, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert first["Table"]["CapacityUnits"] == 2.0
    assert {name: index["CapacityUnits"] for name, index in first["GlobalSecondaryIndexes"].items()} == {
        "by-time": 2.0, "by-due": 1.0,
    }  # fmt: skip
    again = db.put_item(**put, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert "GlobalSecondaryIndexes" not in again
    (written,) = db.transact_write_items(TransactItems=[{"Put": put}], ReturnConsumedCapacity="INDEXES")[
        "ConsumedCapacity"
    ]
    assert written["Table"]["CapacityUnits"] == 4.0


def test_a_transaction_is_all_or_nothing_and_says_why(db: Any, table: str) -> None:
    """Cancellation reasons stand in the actions' order, with the old item where it was asked for."""
    db.put_item(TableName=table, Item=item("tx", "there", n={"N": "1"}))
    with pytest.raises(db.exceptions.TransactionCanceledException) as cancelled:
        db.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("tx", "new")}},
                {"Put": {"TableName": table, "Item": item("tx", "there"),
                         "ConditionExpression": "attribute_not_exists(pk)",
                         "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}},
            ]
        )  # fmt: skip
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert reasons[1]["Item"]["n"] == {"N": "1"}
    assert "Item" not in db.get_item(TableName=table, Key=item("tx", "new"))


def test_a_transactions_token_makes_it_happen_once(db: Any, table: str) -> None:
    """The same ClientRequestToken and actions change nothing a second time; other actions under it are refused."""
    db.put_item(TableName=table, Item=item("token", "n", n={"N": "0"}))

    def add(step: str) -> None:
        update = {"TableName": table, "Key": item("token", "n"), "UpdateExpression": "ADD n :s",
                  "ExpressionAttributeValues": {":s": {"N": step}}}  # fmt: skip
        db.transact_write_items(TransactItems=[{"Update": update}], ClientRequestToken="once")

    add("1")
    add("1")
    assert db.get_item(TableName=table, Key=item("token", "n"))["Item"]["n"] == {"N": "1"}
    with pytest.raises(db.exceptions.IdempotentParameterMismatchException):
        add("2")


def test_a_failed_condition_answers_the_item_it_met(db: Any, table: str) -> None:
    """ReturnValuesOnConditionCheckFailure spares the engine the read after a lost race."""
    db.put_item(TableName=table, Item=item("race", "7", by={"S": "other"}))
    with pytest.raises(db.exceptions.ConditionalCheckFailedException) as lost:
        db.put_item(
            TableName=table, Item=item("race", "7", by={"S": "me"}), ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )  # fmt: skip
    assert lost.value.response["Item"]["by"] == {"S": "other"}


def test_an_update_keeps_what_it_does_not_name(db: Any, table: str) -> None:
    """Nested values are copied, not shared: the old values answered are the old ones."""
    db.put_item(TableName=table, Item=item("nested", "1", doc={"M": {"list": {"L": [{"N": "1"}]}, "k": {"S": "v"}}}))
    answer = db.update_item(
        TableName=table, Key=item("nested", "1"), ReturnValues="ALL_OLD",
        UpdateExpression="SET doc.#l = list_append(doc.#l, :more) REMOVE doc.k",
        ExpressionAttributeNames={"#l": "list"}, ExpressionAttributeValues={":more": {"L": [{"N": "2"}]}},
    )  # fmt: skip
    assert answer["Attributes"]["doc"] == {"M": {"list": {"L": [{"N": "1"}]}, "k": {"S": "v"}}}
    stored = db.get_item(TableName=table, Key=item("nested", "1"))["Item"]["doc"]
    assert stored == {"M": {"list": {"L": [{"N": "1"}, {"N": "2"}]}}}


def test_an_index_that_is_added_later_holds_the_older_items(db: Any) -> None:
    """UpdateTable's new index is filled from the table and kept in order from then on."""
    db.create_table(
        TableName="grows", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )  # fmt: skip
    db.put_item(TableName="grows", Item={"pk": {"S": "b"}, "kind": {"S": "k"}})
    db.update_table(
        TableName="grows",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "kind", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": {
            "IndexName": "by-kind", "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"}}}],
    )  # fmt: skip
    db.put_item(TableName="grows", Item={"pk": {"S": "a"}, "kind": {"S": "k"}})
    found = db.query(
        TableName="grows", IndexName="by-kind", KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "k"}},
    )["Items"]  # fmt: skip
    assert [each["pk"]["S"] for each in found] == ["a", "b"]
