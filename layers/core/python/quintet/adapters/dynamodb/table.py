"""One DynamoDB table: its requests, with conditions told from conflicts, and conflicts tried again."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from quintet.adapters.aws import client
from quintet.domain.errors import Throttled, TooLarge

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

T = TypeVar("T")
Item = dict[str, Any]
Operation = tuple[str, str, dict[str, Any]]  # what it is for; Put, Update or Delete; its parameters without the table

TRIES = 14
_LONGEST_REST = 0.4
_AGAIN = frozenset(
    {
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingError",
        "ThrottlingException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    }
)
_REFUSED = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})


class Refused(Exception):
    """A condition did not hold; `labels` are the refused parts of a transaction, in order."""

    def __init__(self, labels: tuple[str, ...] = ()) -> None:
        super().__init__(*labels)
        self.labels = labels


def retried(request: Callable[[int], T]) -> T:
    """What the request (given how often it was tried) answers, tried again after conflicts and throttling.

    Raises Refused when a condition failed, TooLarge for an item above 400 KB, Throttled when conflicts don't end.
    """
    from botocore.exceptions import ClientError  # here, as in aws.py

    for tried in range(TRIES):
        try:
            return request(tried)
        except ClientError as error:
            _judge(error)
        time.sleep(random.uniform(0, min(_LONGEST_REST, 0.005 * 2**tried)))  # noqa: S311 - jitter
    raise Throttled("the store is busy", retry_after=1)


def _judge(error: "ClientError") -> None:
    """Raises unless the request may be tried again."""
    code = error.response["Error"]["Code"]
    reasons: Any = error.response.get("CancellationReasons") or []
    codes = [reason.get("Code") or "None" for reason in reasons] if code == "TransactionCanceledException" else [code]
    if any(code in _REFUSED for code in codes):
        raise Refused(tuple(str(place) for place, code in enumerate(codes) if code in _REFUSED)) from error
    if "Item size has exceeded" in error.response["Error"].get("Message", ""):
        raise TooLarge("an item is above what the store holds (400 KB)") from error
    if not any(code in _AGAIN for code in codes):
        raise error


class Table:
    """A table with keys `pk` and `sk`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def transact(self, operations: Callable[[int], list[Operation]]) -> None:
        """Does all the operations or none; they are asked for anew at each try. Raises Refused with the labels of the refused."""
        labels: list[str] = []

        def request(tried: int) -> None:
            asked = operations(tried)
            labels[:] = [label for label, _, _ in asked]
            items: Any = [{verb: {"TableName": self.name, **params}} for _, verb, params in asked]
            # The token lets botocore's own repetition of this one request, after a lost answer, be done once.
            client("dynamodb").transact_write_items(TransactItems=items, ClientRequestToken=str(uuid4()))

        try:
            retried(request)
        except Refused as refused:
            raise Refused(tuple(labels[int(place)] for place in refused.labels)) from None

    def put(self, item: Item, **params: Any) -> None:
        """Writes an item. Raises Refused."""
        retried(lambda _: client("dynamodb").put_item(TableName=self.name, Item=item, **params))

    def update(self, pk: str, sk: str, **params: Any) -> Item:
        """Changes an item; the attributes that `ReturnValues` asks for. Raises Refused."""
        answer = retried(lambda _: client("dynamodb").update_item(TableName=self.name, Key=key(pk, sk), **params))
        return answer.get("Attributes", {})

    def put_many(self, items: Sequence[Item]) -> None:
        """Writes items with distinct keys, 25 a request."""
        left = list(items)
        tried = 0
        while left:
            asking: Any = {self.name: [{"PutRequest": {"Item": item}} for item in left[:25]]}
            answer = retried(partial(_batch_write, asking))
            unwritten: Any = answer.get("UnprocessedItems", {}).get(self.name, [])
            left = [request["PutRequest"]["Item"] for request in unwritten] + left[25:]
            tried = _rest_after(tried, unfinished=bool(unwritten))

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, strongly consistent; None when it is not there."""
        answer = retried(
            lambda _: client("dynamodb").get_item(TableName=self.name, Key=key(pk, sk), ConsistentRead=True)
        )
        return answer.get("Item")

    def get_many(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """The items of those keys that are there, strongly consistent."""
        wanted = [key(pk, sk) for pk, sk in keys]
        found: dict[tuple[str, str], Item] = {}
        tried = 0
        while wanted:
            asking: Any = {self.name: {"Keys": wanted[:100], "ConsistentRead": True}}
            answer = retried(partial(_batch_get, asking))
            for item in answer["Responses"].get(self.name, []):
                found[item["pk"]["S"], item["sk"]["S"]] = item
            left: Any = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            wanted = left + wanted[100:]
            tried = _rest_after(tried, unfinished=bool(left))
        return found

    def query(self, **params: Any) -> Iterator[Item]:
        """The items a Query finds, page after page as they are taken."""
        for answer in self.pages(**params):
            yield from answer["Items"]

    def pages(self, **params: Any) -> Iterator[Any]:
        """The answers of a Query, until nothing is left."""
        while True:
            answer = retried(partial(_query, {"TableName": self.name, **params}))
            yield answer
            if "LastEvaluatedKey" not in answer:
                return
            params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def slice(self, offset: int, limit: int, **params: Any) -> list[Item]:
        """The `limit` items of a Query after its first `offset`, which are counted but not fetched."""
        while offset > 0:
            answer = retried(partial(_query, {"TableName": self.name, **params, "Select": "COUNT", "Limit": offset}))
            offset -= answer["Count"]
            if "LastEvaluatedKey" not in answer:
                return []
            params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return list(islice(self.query(**params, Limit=limit), limit)) if limit > 0 else []


def _query(params: dict[str, Any], _tried: int) -> Any:
    return client("dynamodb").query(**params)


def _batch_get(asking: Any, _tried: int) -> Any:
    return client("dynamodb").batch_get_item(RequestItems=asking)


def _batch_write(asking: Any, _tried: int) -> Any:
    return client("dynamodb").batch_write_item(RequestItems=asking)


def _rest_after(tried: int, *, unfinished: bool) -> int:
    """Rests after a batch that was served in part; how often that happened in a row."""
    if not unfinished:
        return 0
    if tried >= TRIES:
        raise Throttled("the store is busy", retry_after=1)
    time.sleep(min(_LONGEST_REST, 0.01 * 2**tried))
    return tried + 1


def key(pk: str, sk: str) -> Item:
    """A primary key."""
    return {"pk": text(pk), "sk": text(sk)}


def text(value: str) -> Item:
    """A string attribute."""
    return {"S": value}


def number(value: int) -> Item:
    """A number attribute."""
    return {"N": str(value)}
