"""Where the deliveries of completion webhooks are kept, queued and signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from quintet.domain.delivery import Delivery, DeliveryState


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries, newest first, and where the next page begins; None: nowhere."""

    deliveries: Sequence[Delivery]
    cursor: str | None


class Deliveries(Protocol):
    """Records of deliveries, each with the body that it carries."""

    def create(self, delivery: Delivery, body: Any) -> bool:
        """Writes it with its body (JSON, small); False when there is one of that id already, which stays as it is."""
        ...

    def find(self, delivery_id: str) -> Delivery | None:
        """The delivery as last written; None when there is none."""
        ...

    def body(self, delivery_id: str) -> Any:
        """What it carries. Raises NotFound."""
        ...

    def change(self, delivery: Delivery) -> Delivery | None:
        """Writes it over the one of the same `rev`; as stored, or None when another wrote first or it is gone."""
        ...

    def page(
        self, project: str, job_id: str | None, state: DeliveryState | None, limit: int, cursor: str | None
    ) -> DeliveryPage:
        """A project's deliveries, or those of one of its jobs, newest first. Raises Invalid for a cursor that is none."""
        ...

    def due(self, until: datetime, limit: int) -> list[Delivery]:
        """Deliveries whose `due_at` is not after `until`, earliest first."""
        ...


class DeliveryQueue(Protocol):
    """Calls for attempts."""

    def put(self, delivery_id: str, turn: int, seconds: float) -> None:
        """Has that turn of the delivery taken after so many seconds, or sooner when they are more than the queue can wait."""
        ...


class Signatures(Protocol):
    """Signs as Standard Webhooks asks."""

    def sign(self, secret: str, message_id: str, at: datetime, body: str) -> str:
        """One signature with its version, `v1,...`. Raises Invalid for a secret that is none."""
        ...
