"""Port Subscriptions."""

from datetime import timedelta

import pytest

from quintet.adapters.aws import client
from quintet.adapters.dynamodb.events import DynamoSubscriptions
from quintet.adapters.memory.events import MemorySubscriptions
from quintet.domain.events import to_millis
from quintet.services.ports.events import Subscription, Subscriptions

from .conftest import make_table
from .samples import NOW, after

ONE = Subscription("run-1", "wait", 3)


@pytest.fixture(params=["memory", "aws"])
def subscriptions(request: pytest.FixtureRequest) -> Subscriptions:
    """An empty store."""
    if request.param == "memory":
        return MemorySubscriptions()
    request.getfixturevalue("aws")
    return DynamoSubscriptions(make_table("RunsTable"))


def test_a_subscription_is_found_by_project_and_key(subscriptions: Subscriptions) -> None:
    """Only by both, and only once however often it is added."""
    others = [
        Subscription("run-1", "each[2].wait", 12),
        Subscription("run-2", "wait", 3),
        Subscription("run-1", "wait", 4),
    ]
    for one in (ONE, *others, ONE):
        subscriptions.add("p", "order 1#paid", one, after(60))
    assert set(subscriptions.of("p", "order 1#paid")) == {ONE, *others}
    assert len(list(subscriptions.of("p", "order 1#paid"))) == 4
    for project, event_key in (("q", "order 1#paid"), ("p", "order 1"), ("p", "order 1#paid2")):
        assert list(subscriptions.of(project, event_key)) == []


def test_a_subscription_is_removed_alone(subscriptions: Subscriptions) -> None:
    """Its siblings stay; removing it again does nothing."""
    other = Subscription("run-1", "wait", 4)
    for one in (ONE, other):
        subscriptions.add("p", "paid", one, after(60))
    subscriptions.remove("p", "paid", ONE)
    subscriptions.remove("p", "paid", ONE)
    subscriptions.remove("p", "never", ONE)
    assert list(subscriptions.of("p", "paid")) == [other]


def test_more_than_a_page_of_subscribers_is_found(subscriptions: Subscriptions) -> None:
    """All of them, whatever a request answers at once; removing while reading loses none."""
    wanted = {Subscription(f"run-{number:04}", "x" * 900, 1) for number in range(1300)}
    for one in wanted:
        subscriptions.add("p", "paid", one, after(60))
    found = []
    for one in subscriptions.of("p", "paid"):
        subscriptions.remove("p", "paid", one)
        found.append(one)
    assert len(found) == len(wanted)
    assert set(found) == wanted
    assert list(subscriptions.of("p", "paid")) == []


@pytest.mark.usefixtures("aws")
def test_a_subscription_expires_after_its_attempt() -> None:
    """A day after the attempt's deadline DynamoDB may forget it: nothing is kept for ever."""
    table = make_table("RunsTable")
    DynamoSubscriptions(table).add("p", "paid", ONE, after(60))
    (item,) = client("dynamodb").scan(TableName=table)["Items"]
    assert int(item["ttl"]["N"]) == to_millis(NOW + timedelta(seconds=60, days=1)) // 1000
