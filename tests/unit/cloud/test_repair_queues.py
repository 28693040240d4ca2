"""Repairs of queues and of the functions they call, and what the write-ahead log keeps of them."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ministack.services import lambda_svc, sqs

from quintet_cli.cloud import wal_sqs
from quintet_cli.cloud.repairs import lambda_event_source, sqs_queues
from quintet_cli.cloud.wal_state import State

NAME = "later"


def ask(action: str, **data: Any) -> Any:
    """One SQS request."""
    return asyncio.run(sqs._dispatch(action, {"QueueUrl": sqs._queue_url(NAME), **data}, ""))


@pytest.fixture
def queue() -> Iterator[dict[str, Any]]:
    """An empty queue of the repaired emulator."""
    sqs_queues.repair()
    lambda_event_source.repair()
    sqs_queues._looked_at.clear()
    asyncio.run(sqs._dispatch("CreateQueue", {"QueueName": NAME, "Attributes": {"VisibilityTimeout": "30"}}, ""))
    yield sqs._queues.get(sqs._queue_url(NAME))
    sqs.reset()


@pytest.fixture
def mapped(queue: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The queue, with a function that takes from it."""
    mappings = type(lambda_svc._esms)()
    mappings["one"] = {"UUID": "one", "Enabled": False}
    monkeypatch.setattr(lambda_svc, "_esms", mappings)
    return queue


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time that the emulator sees."""
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def set_to(moment: float) -> None:
        now[0] = moment

    return set_to


def test_the_poller_rests_until_the_next_message_becomes_visible(mapped: dict[str, Any], clock: Any) -> None:
    """A delayed one, and one whose taker has not deleted it in time; never longer than a second, so that nothing is forgotten."""
    assert lambda_event_source.rest(1000.0) == 1.0
    ask("SendMessage", MessageBody="a", DelaySeconds=10)
    assert lambda_event_source.rest(1000.0) == 1.0
    clock(1009.25)
    assert lambda_event_source.rest(1009.25) == 0.75
    clock(1010.0)
    sqs._receive_messages_for_esm(mapped["url"], 10)
    clock(1039.5)
    assert lambda_event_source.rest(1039.5) == 0.5


def test_what_became_visible_since_the_look_is_looked_at_at_once(mapped: dict[str, Any], clock: Any) -> None:
    """What was visible at the look, and nobody could take, is not: the poller would spin."""
    ask("SendMessage", MessageBody="a", DelaySeconds=1)
    clock(1001.1)
    assert lambda_event_source.rest(1000.9) == 0.0
    assert lambda_event_source.rest(1001.1) == 1.0


def test_without_mappings_nobody_hurries(queue: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The poller of a cloud without event sources rests as it did."""
    monkeypatch.setattr(lambda_svc, "_esms", type(lambda_svc._esms)())
    assert lambda_event_source.rest(time.time()) == 5.0


def test_a_message_sent_while_others_are_taken_away_is_kept(queue: dict[str, Any]) -> None:
    """The function's messages are deleted on one thread while a request sends on another."""
    ask("SendMessage", MessageBody="taken")
    (taken,) = sqs._receive_messages_for_esm(queue["url"], 10)

    class Interrupted(list[Any]):
        """Gives the sender its time between the last message and the list's replacement."""

        def __iter__(self) -> Iterator[Any]:
            yield from super().__iter__()
            sender.start()
            sender.join(0.2)

    sender = threading.Thread(target=ask, args=("SendMessage",), kwargs={"MessageBody": "sent meanwhile"})
    queue["messages"] = Interrupted(queue["messages"])
    sqs._delete_messages_for_esm(queue["url"], {taken["receipt_handle"]})
    sender.join()
    assert [message["body"] for message in queue["messages"]] == ["sent meanwhile"]


def test_messages_are_taken_oldest_first_and_hidden(queue: dict[str, Any], clock: Any) -> None:
    """Those kept back are passed over; what was taken comes again when its time is over, counted; past its retention it is gone."""
    for body, delay in (("a", 0), ("later", 5), ("b", 0), ("c", 0)):
        ask("SendMessage", MessageBody=body, DelaySeconds=delay)
    found = ask("ReceiveMessage", MaxNumberOfMessages=2)["Messages"]
    assert [one["Body"] for one in found] == ["a", "b"]
    assert [one["Body"] for one in ask("ReceiveMessage", MaxNumberOfMessages=10)["Messages"]] == ["c"]
    assert ask("ReceiveMessage") == {}
    clock(1040.0)
    again = ask("ReceiveMessage", MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    assert [(one["Body"], one["Attributes"]["ApproximateReceiveCount"]) for one in again] == [
        ("a", "2"), ("later", "1"), ("b", "2"), ("c", "2")
    ]  # fmt: skip
    clock(1000.0 + 5 * 86_400)
    assert ask("ReceiveMessage") == {}
    assert queue["messages"] == []


def test_what_is_sent_is_logged_without_a_look_at_what_is_there(queue: dict[str, Any]) -> None:
    """One request's messages cost the same whatever the queue holds, and the log adds up to the queue."""
    records: list[Any] = []
    log = wal_sqs.Sqs(records.append)
    log.end("CreateQueue")
    ask("SendMessage", MessageBody="a")
    assert log.end("SendMessage")
    assert not log.end("SendMessage")

    class Known(dict[str, Any]):
        """A message that is known already: asked who it is, and nothing else."""

        def __getitem__(self, name: str) -> Any:
            looked_at.append(name)
            return super().__getitem__(name)

    looked_at: list[str] = []
    queue["messages"][:] = [Known(queue["messages"][0])]
    ask("SendMessageBatch", Entries=[{"Id": body, "MessageBody": body} for body in "bc"])
    assert log.end("SendMessageBatch")
    assert looked_at == ["id"]
    sqs._receive_messages_for_esm(queue["url"], 1)
    sqs._delete_messages_for_esm(queue["url"], {queue["messages"][0]["receipt_handle"]})
    assert log.queues()
    state = State()
    for record in records:
        state.apply(record)
    (messages,) = state.messages.values()
    assert [message["body"] for message in messages.values()] == ["b", "c"]


def restart(log: list[Any], monkeypatch: pytest.MonkeyPatch, port: str) -> State:
    """The state that the log's records add up to, put into an emulator at another port, where the stack's queue is known already."""
    state = State()
    for record in log:
        state.apply(record)
    (queue,) = sqs._queues.all_values()
    queue["messages"] = []  # as the record of the deployment has it
    monkeypatch.setattr(sqs, "DEFAULT_PORT", port)
    wal_sqs.install(state)
    return state


def test_a_queue_is_one_queue_after_every_restart(queue: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address changes with the port; what was sent to it, under whichever address, is what its function takes, once."""
    address = queue["url"]
    log: list[Any] = []
    first = wal_sqs.Sqs(log.append)
    ask("SendMessage", MessageBody="a")
    ask("SendMessage", MessageBody="b")
    first.queues()
    for port, body in (("1111", "c"), ("2222", "d")):
        restart(log, monkeypatch, port)
        assert len(sqs._queues.all_items()) == 1
        (taken,) = sqs._receive_messages_for_esm(sqs._queue_url(NAME), 1)
        sqs._delete_messages_for_esm(sqs._queue_url(NAME), {taken["receipt_handle"]})
        log_now: list[Any] = []
        again = wal_sqs.Sqs(log_now.append)
        again.queues()
        log[:] = log_now
        asyncio.run(sqs._dispatch("SendMessage", {"QueueUrl": address, "MessageBody": body}, ""))
        again.end("SendMessage")
        log[:] = log_now
    state = restart(log, monkeypatch, "3333")
    assert [len(messages) for messages in state.messages.values()] == [2]
    assert [one["body"] for one in sqs._receive_messages_for_esm(sqs._queue_url(NAME), 10)] == ["c", "d"]


def test_logs_that_name_queues_by_address_are_read(queue: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of before: its messages are there, and the deployment's own description where the log has none."""
    ask("SendMessage", MessageBody="a")
    message = dict(queue["messages"][0])
    restart(
        [["q", "000000000000 us-east-1 http://localhost:9/000000000000/later", None, [message], []]],
        monkeypatch,
        "1111",
    )
    assert [one["body"] for one in sqs._receive_messages_for_esm(sqs._queue_url(NAME), 10)] == ["a"]
