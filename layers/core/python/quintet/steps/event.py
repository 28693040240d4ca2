"""event: waits for an event that a program publishes by its key."""

from datetime import timedelta
from typing import ClassVar

from quintet.domain.outcome import Outcome, Waits
from quintet.services.ports.events import Subscription, Subscriptions
from quintet.services.ports.steps import Expressions, StepCall
from quintet.steps.fields import Field, Fields, text
from quintet.steps.kind import YEAR, Kind

MAX_KEY = 256
UNBOUNDED = 30 * 24 * 3600.0
"""Seconds that a step without a timeout waits: a subscription that nobody answers must end some day."""


class EventKind(Kind):
    """`event_key`; the result is the payload of the first event of that key in the project that is published while the step waits.

    The step's timeout (30 days without one) fails it.
    """

    name = "event"
    attempt_seconds = 30.0
    default_timeout = 30.0
    max_timeout = YEAR
    fields: ClassVar[Fields] = {"event_key": Field(text(MAX_KEY), required=True)}

    def __init__(self, expressions: Expressions, subscriptions: Subscriptions) -> None:
        super().__init__(expressions)
        self._subscriptions = subscriptions

    def perform(self, call: StepCall) -> Outcome:
        """Subscribes, then waits. The attempt is in the journal already: an event that comes before the wait is completes it."""
        event_key: str = call.config["event_key"]
        deadline = call.now + timedelta(seconds=call.step.define.timeout or UNBOUNDED)
        self._subscriptions.add(
            call.run.tenant, event_key, Subscription(call.run.id, call.step.path, call.token), deadline
        )
        return Waits("event", deadline=deadline, details={"event_key": event_key})
