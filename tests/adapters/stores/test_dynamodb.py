"""What only the DynamoDB stores can get wrong: lost answers, conflicts, bytes that are billed, the meter."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ClientError
from moto.core.botocore_stubber import MockRawResponse

from quintet.adapters.aws import client, forget_clients
from quintet.adapters.dynamodb.runs import DynamoRuns
from quintet.domain.errors import Throttled
from quintet.domain.events import Event, EventType
from quintet.domain.run import Slot, Trigger
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import AlreadyThere, Change, Creation

from .conftest import Stores, make_table
from .samples import a_run, after, created, progress

Losing = Callable[[str], None]


@pytest.fixture
def table(aws: Stores) -> str:
    """An empty runs' table."""
    return make_table("RunsTable")


@pytest.fixture
def runs(table: str) -> DynamoRuns:
    """The store on it."""
    return DynamoRuns(table)


@pytest.fixture
def lose_the_answer(aws: Stores) -> Iterator[Losing]:
    """Has botocore repeat the next request of an operation although it was done, as after a broken connection."""
    events = client("dynamodb").meta.events
    lost: list[str] = []
    hooks: list[tuple[str, Any]] = []

    def lose(operation: str) -> None:
        def repeat(**_: Any) -> float | None:
            if operation in lost:
                return None
            lost.append(operation)
            return 0.0

        hooks.append((f"needs-retry.dynamodb.{operation}", repeat))
        events.register_first(*hooks[-1])

    yield lose
    for hook in hooks:
        events.unregister(*hook)
    assert lost


def test_an_append_whose_answer_was_lost_is_done_once(runs: DynamoRuns, lose_the_answer: Losing) -> None:
    """The repeated put finds its own events and is no conflict."""
    run = a_run()
    runs.create(Creation(run, created()))
    lose_the_answer("PutItem")
    runs.append(run.id, 2, [progress(3)])
    assert runs.tail(run.id, 2) == [progress(3)]


def test_a_repeated_transaction_is_known_by_its_token(runs: DynamoRuns) -> None:
    """After a fault of the service botocore sends the very same transaction, which DynamoDB does once; the next one is another."""
    sent: list[str] = []

    def fail_once(request: AWSRequest, **_: Any) -> AWSResponse | None:
        sent.append(json.loads(request.body)["ClientRequestToken"])
        return AWSResponse(request.url, 500, {}, MockRawResponse(b"{}")) if len(sent) == 1 else None

    events = client("dynamodb").meta.events
    events.register_first("before-send.dynamodb.TransactWriteItems", fail_once)
    try:
        with suppress(AlreadyThere):  # moto does not know tokens; DynamoDB and the local cloud do
            runs.create(Creation(a_run(), created()))
        runs.create(Creation(a_run(), created()))
    finally:
        events.unregister("before-send.dynamodb.TransactWriteItems", fail_once)
    assert len(sent) == 3
    assert sent[0] == sent[1] != sent[2]


def test_a_wake_whose_answer_was_lost_still_starts_a_burst(runs: DynamoRuns, lose_the_answer: Losing) -> None:
    """The repeated wake finds that it has the run, and gives the epoch it made."""
    run = a_run()
    runs.create(Creation(run, created()))
    lose_the_answer("UpdateItem")
    assert runs.wake(run.id, after(60)) == 1
    assert runs.rest(run.id, 1, None)


def test_a_reclaim_whose_answer_was_lost_still_starts_a_burst(runs: DynamoRuns, lose_the_answer: Losing) -> None:
    """The repeated reclaim finds that it has the run, and gives the epoch it made."""
    run = a_run()
    runs.create(Creation(run, created(), lease_until=after(1)))
    lose_the_answer("UpdateItem")
    assert runs.reclaim(run.id, 1, after(60)) == 2


def test_a_rest_whose_answer_was_lost_is_a_rest(runs: DynamoRuns, lose_the_answer: Losing) -> None:
    """The repeated rest finds the run at rest under its own epoch."""
    run = a_run()
    runs.create(Creation(run, created(), lease_until=after(1)))
    lose_the_answer("UpdateItem")
    assert runs.rest(run.id, 1, None)
    assert not runs.load(run.id).active


@pytest.fixture
def just_before(aws: Stores) -> Iterator[Callable[[str, Callable[[], object]], None]]:
    """Has someone else act once, right before the next request of an operation."""
    events = client("dynamodb").meta.events
    hooks: list[tuple[str, Any]] = []

    def register(operation: str, act: Callable[[], object]) -> None:
        waiting = [act]

        def intrude(**_: Any) -> None:
            if waiting:
                waiting.pop()()

        hooks.append((f"before-call.dynamodb.{operation}", intrude))
        events.register_first(*hooks[-1])

    yield register
    for hook in hooks:
        events.unregister(*hook)


def test_a_wake_that_misses_the_rest_wakes_after_it(runs: DynamoRuns, just_before: Callable[..., None]) -> None:
    """A burst that rests between the waker's look and its mark is woken."""
    run = a_run()
    runs.create(Creation(run, created(), lease_until=after(1)))
    # The wake is refused, reads the active run, and would mark it: right then the burst rests.
    just_before("GetItem", lambda: just_before("UpdateItem", lambda: runs.rest(run.id, 1, None)))
    assert runs.wake(run.id, after(60)) == 2


def test_a_rest_that_meets_a_wake_in_between_looks_again(runs: DynamoRuns, just_before: Callable[..., None]) -> None:
    """A wake right before the rest's write is not slept over."""
    run = a_run()
    runs.create(Creation(run, created(), lease_until=after(1)))
    just_before("UpdateItem", lambda: runs.wake(run.id, after(60)))
    assert not runs.rest(run.id, 1, None)
    assert runs.rest(run.id, 1, None)


def test_a_slot_freed_while_a_run_changes_queues_lets_it_in(runs: DynamoRuns, just_before: Callable[..., None]) -> None:
    """Whoever frees a slot before the run stands in its queue cannot find it there: the admission finds the slot."""
    slots = (Slot("a", 1), Slot("b", 1))
    holder, queued = a_run(slots=slots[1:]), a_run(RunStatus.QUEUED, slots=slots)
    for run in (holder, queued):
        runs.create(Creation(run, created()))
    ended = Change(replace(holder, status=RunStatus.COMPLETED), RunStatus.EXECUTING)
    just_before("UpdateItem", lambda: runs.append(holder.id, 2, [progress(3)], ended))
    assert runs.admit(replace(queued, status=RunStatus.EXECUTING), 2, [progress(3)], after(60)) == 1


def test_a_snapshot_read_while_it_is_replaced_is_whole(runs: DynamoRuns, just_before: Callable[..., None]) -> None:
    """A load that learned of one snapshot may find a newer one, and the events that belong to it."""
    run = a_run()
    runs.create(Creation(run, created()))
    for number in range(3, 7):
        runs.append(run.id, number - 1, [progress(number)])
    runs.keep_snapshot(run.id, 3, {"at": 3})
    newer = lambda: just_before("Query", lambda: runs.keep_snapshot(run.id, 5, {"at": 5}))  # noqa: E731 - read in place
    just_before("Query", newer)
    stored = runs.load(run.id)
    assert (stored.snapshot, stored.snapshot_number, list(stored.events)) == ({"at": 5}, 5, [progress(6)])


def _failing(times: int, reasons: list[str]) -> Callable[..., Any]:
    """A hook that cancels the first transactions for those reasons."""
    left = [times]

    def cancel(parsed: dict[str, Any], **_: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            error = {
                "Error": {"Code": "TransactionCanceledException", "Message": "canceled"},
                "CancellationReasons": [{"Code": reason} for reason in reasons],
            }
            raise ClientError(error, "TransactWriteItems")

    return cancel


@pytest.fixture
def refuse(aws: Stores) -> Iterator[Callable[[int, list[str]], None]]:
    """Cancels transactions before they are sent."""
    events = client("dynamodb").meta.events
    hooks: list[tuple[str, Any]] = []

    def register(times: int, reasons: list[str]) -> None:
        fail = _failing(times, reasons)
        hooks.append(("before-call.dynamodb.TransactWriteItems", lambda **_: fail({})))
        events.register_first(*hooks[-1])

    yield register
    for hook in hooks:
        events.unregister(*hook)


def test_conflicting_transactions_are_tried_again(runs: DynamoRuns, refuse: Callable[..., None]) -> None:
    """A conflict with another transaction is not the caller's business while it ends soon."""
    run = a_run()
    refuse(3, ["None", "TransactionConflict"])
    runs.create(Creation(run, created()))
    assert runs.get(run.id) == run


def test_conflicts_that_do_not_end_are_throttling(
    runs: DynamoRuns, refuse: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After bounded tries the caller hears when to come again."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    refuse(1000, ["TransactionConflict"])
    with pytest.raises(Throttled):
        runs.create(Creation(a_run(), created()))


def test_an_unknown_refusal_is_not_hidden(runs: DynamoRuns, refuse: Callable[..., None]) -> None:
    """A validation fault is raised as it is, not taken for a conflict."""
    refuse(1, ["None", "ValidationError"])
    with pytest.raises(ClientError):
        runs.create(Creation(a_run(), created()))


def _bytes(item: dict[str, Any]) -> int:
    return sum(len(name) + sum(len(str(value).encode()) for value in typed.values()) for name, typed in item.items())


def test_a_small_run_costs_one_unit_a_write(table: str, runs: DynamoRuns) -> None:
    """A usual run's item, its journal's head inside, stays below 1 KB; its beginning needs no item of its own."""
    run = a_run(trigger=Trigger("manual", "api", "0199b2f4-1111-7000-8000-000000000001"), started_at=after(0))
    begin = [
        Event(EventType.RUN_CREATED, after(0), None, {"input": {"date": "2026-03-01", "limit": 10}}),
        Event(EventType.RUN_STARTED, after(0)),
    ]
    runs.create(Creation(run, begin, lease_until=after(60), due_at=after(60)))
    assert runs.wake(run.id, after(90)) is None
    found = client("dynamodb").query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"RUN#{run.id}"}},
    )["Items"]
    assert [item["sk"]["S"] for item in found] == ["#META"]
    assert _bytes(found[0]) < 1000


def test_requests_are_metered_when_asked(
    aws: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """With QUINTET_METER each request is one line: its service, operation and units by table and index."""
    meter = tmp_path / "meter.jsonl"
    monkeypatch.setenv("QUINTET_METER", str(meter))
    forget_clients()
    try:
        runs = DynamoRuns(table)
        run = a_run()
        runs.create(Creation(run, created()))
        runs.append(run.id, 2, [progress(3)])
        runs.load(run.id)
    finally:
        monkeypatch.delenv("QUINTET_METER")
        forget_clients()
    lines = [json.loads(line)["quintet_meter"] for line in meter.read_text(encoding="utf-8").splitlines()]
    assert [line["operation"] for line in lines] == ["TransactWriteItems", "PutItem", "Query"]
    assert {line["service"] for line in lines} == {"dynamodb"}
    assert all(name.startswith("RunsTable") and units > 0 for line in lines for name, units in line["capacity"].items())
    assert lines[1]["capacity"]
