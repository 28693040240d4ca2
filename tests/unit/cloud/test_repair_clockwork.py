"""Repairs that go by the clock, driven by hand: EventBridge's rules and DynamoDB's time to live."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import dynamodb, eventbridge

from quintet_cli.cloud.repairs import dynamodb_order, dynamodb_range, dynamodb_ttl, eventbridge_schedule

SCOPE = ("000000000000", "us-east-1")
RULE = "arn:aws:events:us-east-1:000000000000:rule/tick"


@pytest.fixture
def fired(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Ticks the scheduler at given times; answers the times at which the rule fired."""
    eventbridge_schedule.repair()
    times: list[float] = []
    clock = {"now": 0.0}
    monkeypatch.setattr(eventbridge, "_now_ts", lambda: clock["now"])
    monkeypatch.setattr(eventbridge, "_invoke_target", lambda *_: times.append(clock["now"]))
    eventbridge._rule_last_fired.clear()

    def tick(expression: str, created: float, seconds: range) -> list[float]:
        rule = {
            "State": "ENABLED",
            "ScheduleExpression": expression,
            "CreationTime": created,
            "Arn": RULE,
            "Name": "tick",
        }
        eventbridge._rules._data[(*SCOPE, "tick")] = rule
        eventbridge._targets._data[(*SCOPE, "tick")] = [
            {"Id": "1", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}
        ]
        times.clear()
        for second in seconds:
            clock["now"] = second + 0.25
            eventbridge._tick_scheduled_rules()
        return list(times)

    yield tick
    eventbridge._rule_last_fired.clear()
    eventbridge._rules._data.pop((*SCOPE, "tick"), None)
    eventbridge._targets._data.pop((*SCOPE, "tick"), None)


def test_rules_are_looked_at_every_second(fired: Any) -> None:
    """The loop's own interval is a second."""
    assert eventbridge._SCHEDULER_TICK_INTERVAL == 1


def test_a_rate_fires_within_a_second_and_does_not_drift(fired: Any) -> None:
    """Ten minutes of ticks at a quarter past each second: ten firings, each in the minute's first second."""
    start = 1_800_000_000
    times = fired("rate(1 minute)", start, range(start, start + 601))
    assert times == [start + 60 * n + 0.25 for n in range(1, 11)]


def test_a_restart_does_not_fire_a_rate_at_once(fired: Any) -> None:
    """A rule that was made long ago waits for its next occurrence."""
    start = 1_800_000_000
    times = fired("rate(1 minute)", start - 3600.0 - 20, range(start, start + 60))
    assert times == [start + 40 + 0.25]


def test_a_cron_fires_in_its_minutes_first_second(fired: Any) -> None:
    """cron(* * * * ? *) fires at each full minute."""
    start = 1_800_000_000
    assert start % 60 == 0
    times = fired("cron(* * * * ? *)", start, range(start + 10, start + 190))
    assert times == [start + 60 * n + 0.25 for n in (1, 2, 3)]


def test_events_are_not_remembered_for_ever(fired: Any) -> None:
    """The log of events that nobody asked to archive is bounded."""
    for number in range(3000):
        eventbridge._events_log_list().append(number)
    kept = eventbridge._events_log_list()
    assert (len(kept) <= 2000, kept[-1]) == (True, 2999)
    eventbridge._events_log.clear()


@pytest.fixture
def table() -> Iterator[dict[str, Any]]:
    """A table with a time to live, and one item from before it was switched on."""
    dynamodb_order.repair()
    dynamodb_range.repair()
    dynamodb_ttl.repair()
    made = {
        "TableName": "ends", "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/ends",
        "pk_name": "pk", "sk_name": None, "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "items": defaultdict(dict),
    }  # fmt: skip
    dynamodb._tables.set_scoped(*SCOPE, "ends", made)
    put(made, "early", 100)
    dynamodb._ttl_settings.set_scoped(*SCOPE, "ends", {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"})
    dynamodb_ttl.sweep(0)
    yield made
    dynamodb._tables.pop_scoped(*SCOPE, "ends")
    dynamodb._ttl_settings.pop_scoped(*SCOPE, "ends")
    dynamodb_ttl.sweep(0)


def put(table: dict[str, Any], name: str, end: float | None) -> None:
    """Store an item that ends at a time."""
    item = {"pk": {"S": name}} | ({} if end is None else {"ttl": {"N": str(end)}})
    dynamodb_order.set_item(table, name, "__no_sort__", item)


def test_items_go_when_their_time_has_come(table: dict[str, Any]) -> None:
    """Those from before the time to live was switched on, too; those without an end, or with a later one, stay."""
    put(table, "soon", 200)
    put(table, "never", None)
    put(table, "renewed", 150)
    put(table, "renewed", 500)
    dynamodb_ttl.sweep(99)
    assert set(table["items"]) == {"early", "soon", "never", "renewed"}
    dynamodb_ttl.sweep(300)
    assert set(table["items"]) == {"never", "renewed"}
    dynamodb_ttl.sweep(500)
    assert set(table["items"]) == {"never"}


def test_only_what_is_due_is_looked_at(table: dict[str, Any]) -> None:
    """The table is not walked through again once its items are entered."""

    class Unwalkable(dict[str, Any]):
        """A mapping that can be asked for a key and not be walked through."""

        def items(self) -> Any:
            raise AssertionError("the table was walked through")

    table["items"] = Unwalkable(table["items"])
    dynamodb_ttl.sweep(200)
    assert "early" not in table["items"]


def test_ministacks_own_thread_sees_no_table(table: dict[str, Any]) -> None:
    """Its walk through every table each minute finds none."""
    seen: list[Any] = []
    thread = threading.Thread(
        target=lambda: seen.append(dynamodb._ttl_settings.all_items()), name="dynamodb-ttl-reaper"
    )
    thread.start()
    thread.join()
    assert seen == [[]]
