"""Reads triggers: what a body asks for, in the core's words."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from quintet.dialects.jobs.models import YEAR
from quintet.dialects.jobs.models_runs import BulkItem
from quintet.domain.definition import Overrides, Strategy
from quintet.domain.errors import Invalid, Problem
from quintet.domain.run import Trigger
from quintet.services.asks import Ask
from quintet.web.authentication import Caller

AHEAD = timedelta(seconds=YEAR)
"""How far ahead a run may be scheduled: no timer is set for longer."""


def ask(
    body: BulkItem,
    caller: Caller,
    now: datetime,
    *,
    payload: Any,
    idempotency_key: str | None,
    batch_id: str | None = None,
) -> Ask:
    """A trigger in the core's words. Raises Invalid for a time too far ahead."""
    if body.scheduled_at is not None and (problem := too_far(body.scheduled_at, now)):
        raise Invalid([problem])
    key = caller.key
    tags, metadata = body.tags or {}, body.metadata or {}
    told: dict[str, Any] = {
        "tags": tags,
        "metadata": metadata,
        "idempotency_key": idempotency_key,
        "created_by": caller.name,
        "debug_mode": body.debug_mode,
        "batch_id": batch_id,
    }
    return Ask(
        input=payload,
        tags=tags,
        metadata=metadata,
        at=body.scheduled_at,
        priority=body.priority or 0,
        ttl=body.ttl_secs,
        concurrency_key=body.concurrency_key,
        debounce_key=body.debounce_key,
        batch_key=body.batch_key,
        idempotency_key=idempotency_key,
        overrides=_overrides(body),
        asked={name: value for name, value in told.items() if value},
        trigger=Trigger("manual", *(("user", key.owner) if key.owner else ("api", key.id))),
    )


def _overrides(body: BulkItem) -> Overrides:
    return Overrides(
        max_attempts=body.max_attempts_override,
        timeout=body.timeout_secs_override,
        strategy=None if body.retry_backoff is None else Strategy(body.retry_backoff),
        initial_delay=body.retry_initial_delay_secs,
        max_delay=body.retry_max_delay_secs,
    )


def too_far(at: datetime, now: datetime) -> Problem | None:
    """What is wrong with a time to start at."""
    if at - now > AHEAD:
        return Problem(("scheduled_at",), "must be at most a year ahead")
    return None


IDEMPOTENCY_HEADERS = ("Idempotency-Key", "X-Idempotency-Key")


def idempotency_key(headers: Mapping[str, str | None], body: str | None = None) -> str | None:
    """The one key that headers (by name) and body agree on. Raises Invalid when they differ."""
    given = {place: value for place, value in (*headers.items(), ("idempotency_key", body)) if value}
    if len(set(given.values())) > 1:
        *_, last = given
        place = ("body", last) if last == "idempotency_key" else ("header", last)
        raise Invalid([Problem(place, f"differs from {next(iter(given))}")])
    return next(iter(given.values()), None)
