"""What a repaired Query touches: the items of its page, whatever its partition holds."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import dynamodb

from quintet_cli.cloud.repairs import dynamodb_order, dynamodb_range

SCOPE = ("000000000000", "us-east-1")


class Counted(defaultdict[str, dict[str, Any]]):
    """A table's items that count how often one is fetched."""

    fetched = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Fetch a partition on the way to an item."""
        self.fetched += 1
        return super().get(key, default)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A partition of 500 items, with its index, that fails a test in which a condition is evaluated item by item."""
    dynamodb_order.repair()
    dynamodb_range.repair()
    made = {
        "TableName": "counted", "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/counted",
        "pk_name": "pk", "sk_name": "sk", "items": Counted(dict),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "kind")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-kind", "Projection": {"ProjectionType": "ALL"},
            "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]}],
    }  # fmt: skip
    dynamodb._tables.set_scoped(*SCOPE, "counted", made)
    for number in range(500):
        sort = f"{number:03d}"
        item = {"pk": {"S": "one"}, "sk": {"S": sort}, "kind": {"S": "k"}}
        dynamodb_order.set_item(made, "one", sort, item)

    def evaluated(*_: Any, **__: Any) -> bool:
        raise AssertionError("the key condition was evaluated for an item")

    monkeypatch.setattr(dynamodb, "_evaluate_condition", evaluated)
    made["items"].fetched = 0
    yield made
    dynamodb._tables.pop_scoped(*SCOPE, "counted")


@pytest.mark.parametrize(
    "query",
    [
        {"KeyConditionExpression": "pk = :p AND sk > :s"},
        {"KeyConditionExpression": "pk = :p", "ScanIndexForward": False},
        {"KeyConditionExpression": "kind = :p AND sk > :s", "IndexName": "by-kind"},
    ],
)
def test_a_page_touches_its_own_items(table: dict[str, Any], query: dict[str, Any]) -> None:
    """Three of five hundred: three are fetched, and no condition is evaluated."""
    values = {":p": {"S": "k" if "IndexName" in query else "one"}}
    if ":s" in query["KeyConditionExpression"]:
        values[":s"] = {"S": "250"}
    status, _, body = dynamodb._query(
        {"TableName": "counted", "ExpressionAttributeValues": values, "Limit": 3, **query}
    )
    answer = json.loads(body)
    assert (status, answer["Count"]) == (200, 3), answer
    expected = ["499", "498", "497"] if "ScanIndexForward" in query else ["251", "252", "253"]
    assert [item["sk"]["S"] for item in answer["Items"]] == expected
    assert table["items"].fetched <= 3
