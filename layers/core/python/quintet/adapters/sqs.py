"""Queues call for what is to be done later: a run's wake, a webhook's attempt."""

import json
import math
from datetime import datetime

from quintet.adapters.aws import client
from quintet.adapters.stepfunctions import StepFunctionsTimers
from quintet.services.ports.world import Clock

LONGEST_DELAY = 900
"""Seconds that a queue keeps a message back at most."""


class SqsTimers:
    """Port Timers: moments of the next quarter of an hour are messages, farther ones executions of the park machine.

    A message (sent, received, deleted) costs a sixtieth of an execution.
    """

    def __init__(self, queue_url: str, farther: StepFunctionsTimers, clock: Clock) -> None:
        self._queue_url = queue_url
        self._farther = farther
        self._clock = clock

    def start(self, run_id: str, at: datetime) -> None:
        """Has the run woken at that time, up to a second late: the queue counts in whole seconds, and nobody is woken early."""
        seconds = math.ceil((at - self._clock.now()).total_seconds())
        if seconds > LONGEST_DELAY:
            self._farther.start(run_id, at)
            return
        client("sqs").send_message(
            QueueUrl=self._queue_url, MessageBody=json.dumps({"runId": run_id}), DelaySeconds=max(seconds, 0)
        )


class SqsDeliveries:
    """Port DeliveryQueue on one queue."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def put(self, delivery_id: str, turn: int, seconds: float) -> None:
        """Has that turn of the delivery taken after so many seconds, a quarter of an hour at most."""
        delay = min(max(math.ceil(seconds), 0), LONGEST_DELAY)
        body = json.dumps({"delivery": delivery_id, "attempt": turn})
        client("sqs").send_message(QueueUrl=self._queue_url, MessageBody=body, DelaySeconds=delay)
