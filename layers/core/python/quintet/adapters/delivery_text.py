"""How deliveries of webhooks are written down as JSON, one form for every store, and how their lists are ordered."""

import json
from typing import Any

from quintet.domain.delivery import Delivery, DeliveryAttempt, DeliveryState
from quintet.domain.events import from_millis, to_millis
from quintet.domain.jsontext import compact

LIST = "deliveries"
"""The kind of list that cursors name."""


def place_of(delivery: Delivery) -> str:
    """Where a delivery stands in lists: by the time of its making."""
    return f"{to_millis(delivery.created_at):015d}-{delivery.id}"


def delivery_to_text(delivery: Delivery) -> str:
    """A delivery without its `rev`, which stores keep beside it."""
    view: dict[str, Any] = {
        "id": delivery.id,
        "p": delivery.project,
        "j": delivery.job_id,
        "r": delivery.run_id,
        "url": delivery.url,
        "c": to_millis(delivery.created_at),
        "u": to_millis(delivery.updated_at),
        "since": to_millis(delivery.since),
        "st": str(delivery.state),
        "t": delivery.turn,
        "ro": delivery.round,
        "f": delivery.failed,
        "a": [_attempt_to_list(attempt) for attempt in delivery.attempts],
    }
    if delivery.next_at is not None:
        view["n"] = to_millis(delivery.next_at)
    if delivery.due_at is not None:
        view["d"] = to_millis(delivery.due_at)
    return compact(view)


def delivery_from_text(text: str, rev: int) -> Delivery:
    """The delivery that `delivery_to_text` wrote."""
    view = json.loads(text)
    return Delivery(
        id=view["id"],
        project=view["p"],
        job_id=view["j"],
        run_id=view["r"],
        url=view["url"],
        created_at=from_millis(view["c"]),
        updated_at=from_millis(view["u"]),
        since=from_millis(view["since"]),
        state=DeliveryState(view["st"]),
        turn=view["t"],
        round=view["ro"],
        failed=view["f"],
        next_at=from_millis(view["n"]) if "n" in view else None,
        due_at=from_millis(view["d"]) if "d" in view else None,
        attempts=tuple(_attempt_from_list(kept) for kept in view["a"]),
        rev=rev,
    )


def _attempt_to_list(attempt: DeliveryAttempt) -> list[Any]:
    kept: list[Any] = [to_millis(attempt.at), attempt.duration_ms, attempt.status]
    return kept if attempt.error is None else [*kept, attempt.error]


def _attempt_from_list(kept: list[Any]) -> DeliveryAttempt:
    at, *rest = kept
    return DeliveryAttempt(from_millis(at), *rest)
