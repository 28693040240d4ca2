"""Which steps wait for which events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Subscription:
    """One attempt of a step that waits for an event; the token tells it from the step's other attempts."""

    run_id: str
    path: str
    token: int


class Subscriptions(Protocol):
    """Who waits for an event of a project. What is added is seen by every later look: nothing here lags behind."""

    def add(self, project: str, event_key: str, subscription: Subscription, until: datetime) -> None:
        """Keeps a subscription, until some time after `until`; the same again changes nothing."""
        ...

    def of(self, project: str, event_key: str) -> Iterator[Subscription]:
        """The subscriptions to an event, in no particular order; some may be of attempts that have ended."""
        ...

    def remove(self, project: str, event_key: str, subscription: Subscription) -> None:
        """Forgets a subscription; nothing when it is not there."""
        ...
