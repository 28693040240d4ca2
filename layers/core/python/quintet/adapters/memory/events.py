"""Event subscriptions in memory."""

from collections.abc import Iterator
from datetime import datetime
from threading import RLock

from quintet.services.ports.events import Subscription


class MemorySubscriptions:
    """Port Subscriptions in dictionaries."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[Subscription, datetime]] = {}
        self._lock = RLock()

    def add(self, project: str, event_key: str, subscription: Subscription, until: datetime) -> None:
        """Keeps a subscription; the same again changes nothing."""
        with self._lock:
            self._kept.setdefault((project, event_key), {})[subscription] = until

    def of(self, project: str, event_key: str) -> Iterator[Subscription]:
        """The subscriptions to an event."""
        with self._lock:
            found = list(self._kept.get((project, event_key), {}))
        yield from found

    def remove(self, project: str, event_key: str, subscription: Subscription) -> None:
        """Forgets a subscription; nothing when it is not there."""
        with self._lock:
            self._kept.get((project, event_key), {}).pop(subscription, None)
