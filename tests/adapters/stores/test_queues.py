"""Queues: wakes by message or by machine, and attempts of deliveries."""

import json
from datetime import datetime
from typing import Any

import pytest

from quintet.adapters.aws import client
from quintet.adapters.memory import ManualClock
from quintet.adapters.sqs import SqsDeliveries, SqsTimers

from .conftest import Stores
from .samples import NOW, after

RUN = "019a0000-0000-7000-8000-000000000001"


class Machine:
    """Timers for the far moments: notes what was started."""

    def __init__(self) -> None:
        self.started: list[tuple[str, datetime]] = []

    def start(self, run_id: str, at: datetime) -> None:
        """Notes it."""
        self.started.append((run_id, at))


def _queue(name: str) -> str:
    return client("sqs").create_queue(QueueName=name)["QueueUrl"]


@pytest.fixture
def sent(aws: Stores, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests of messages that were sent, which go to the queue all the same."""
    asked: list[dict[str, Any]] = []
    real = client("sqs").send_message

    def send(**request: Any) -> Any:
        asked.append(request)
        return real(**request)

    monkeypatch.setattr(client("sqs"), "send_message", send)
    return asked


@pytest.mark.parametrize(
    ("seconds", "delay"), [(-5, 0), (0, 0), (0.001, 1), (2, 2), (2.25, 3), (899.5, 900), (900, 900)]
)
def test_a_moment_within_a_quarter_of_an_hour_is_a_message(
    sent: list[dict[str, Any]], seconds: float, delay: int
) -> None:
    """Kept back until then, rounded up to a whole second so that nobody is woken early."""
    machine, url = Machine(), _queue("wakes")
    SqsTimers(url, machine, ManualClock(NOW)).start(RUN, after(seconds))  # type: ignore[arg-type]  # as the machine's Timers
    (request,) = sent
    assert (request["QueueUrl"], request["DelaySeconds"]) == (url, delay)
    assert json.loads(request["MessageBody"]) == {"runId": RUN}
    assert machine.started == []


def test_a_farther_moment_is_the_machines(sent: list[dict[str, Any]]) -> None:
    """A queue keeps nothing back for longer."""
    machine = Machine()
    SqsTimers(_queue("wakes"), machine, ManualClock(NOW)).start(RUN, after(900.001))  # type: ignore[arg-type]  # as above
    assert (sent, machine.started) == ([], [(RUN, after(900.001))])


@pytest.mark.parametrize(("seconds", "delay"), [(-1.0, 0), (0.0, 0), (4.2, 5), (900.0, 900), (28_800.0, 900)])
def test_an_attempt_is_kept_back_as_long_as_a_queue_can(sent: list[dict[str, Any]], seconds: float, delay: int) -> None:
    """Longer rests are made of several messages: one that comes before its time is sent on."""
    SqsDeliveries(_queue("deliveries")).put("msg_1", 3, seconds)
    (request,) = sent
    assert request["DelaySeconds"] == delay
    assert json.loads(request["MessageBody"]) == {"delivery": "msg_1", "attempt": 3}
