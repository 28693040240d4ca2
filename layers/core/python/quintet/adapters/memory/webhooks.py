"""Deliveries of webhooks in memory."""

import json
from datetime import datetime
from threading import RLock
from typing import Any

from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.delivery_text import LIST, delivery_from_text, delivery_to_text, place_of
from quintet.domain.delivery import Delivery, DeliveryState
from quintet.domain.errors import NotFound
from quintet.domain.events import to_millis
from quintet.domain.jsontext import compact
from quintet.services.ports.webhooks import DeliveryPage


class MemoryDeliveries:
    """Port Deliveries in dictionaries."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[int, str]] = {}
        self._bodies: dict[str, str] = {}
        self._lock = RLock()

    def create(self, delivery: Delivery, body: Any) -> bool:
        """Writes it with its body; False when there is one of that id already, which stays as it is."""
        with self._lock:
            if delivery.id in self._records:
                return False
            self._bodies[delivery.id] = compact(body)
            self._records[delivery.id] = 1, delivery_to_text(delivery)
            return True

    def find(self, delivery_id: str) -> Delivery | None:
        """The delivery as last written; None when there is none."""
        with self._lock:
            record = self._records.get(delivery_id)
        return None if record is None else delivery_from_text(record[1], record[0])

    def body(self, delivery_id: str) -> Any:
        """What it carries. Raises NotFound."""
        body = self._bodies.get(delivery_id)
        if body is None:
            raise NotFound(f"no webhook delivery {delivery_id}")
        return json.loads(body)

    def change(self, delivery: Delivery) -> Delivery | None:
        """Writes it over the one of the same `rev`; as stored, or None when another wrote first or it is gone."""
        with self._lock:
            rev, _ = self._records.get(delivery.id, (None, ""))
            if rev is None or rev != delivery.rev:
                return None
            self._records[delivery.id] = rev + 1, delivery_to_text(delivery)
            return self.find(delivery.id)

    def page(
        self, project: str, job_id: str | None, state: DeliveryState | None, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """A project's deliveries, or those of one of its jobs, newest first. Raises Invalid for a cursor that is none."""
        before = from_cursor(LIST, cursor)
        found = [
            one
            for one in self._all()
            if one.project == project
            and job_id in {None, one.job_id}
            and state in {None, one.state}
            and (before is None or place_of(one) < before)
        ]
        found.sort(key=place_of, reverse=True)
        page = found[:limit]
        return DeliveryPage(page, to_cursor(LIST, place_of(page[-1])) if page and len(found) > limit else None)

    def due(self, until: datetime, limit: int) -> list[Delivery]:
        """Deliveries whose `due_at` is not after `until`, earliest first."""
        found = [
            (to_millis(one.due_at), one.id, one)
            for one in self._all()
            if one.due_at is not None and to_millis(one.due_at) <= to_millis(until)
        ]
        return [one for *_, one in sorted(found, key=lambda entry: entry[:2])[:limit]]

    def _all(self) -> list[Delivery]:
        with self._lock:
            return [delivery_from_text(text, rev) for rev, text in self._records.values()]
