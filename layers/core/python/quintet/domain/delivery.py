"""The delivery of a completion webhook: where it stands, and when it is tried again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

RESTS = tuple(timedelta(seconds=rest) for rest in (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800))
"""How long after the first, second, ... failure the next attempt is made; the last one is repeated."""

JITTER = 0.1
RETRIED_FOR = timedelta(hours=24)
GRACE = timedelta(minutes=2)
"""How late an attempt may be before the sweep takes its message for lost."""

LONGEST_GRACE = timedelta(hours=1)
ATTEMPT_MARGIN = timedelta(seconds=60)
"""More than an attempt takes: a delivery that the sweep would look at sooner is given time when an attempt begins."""

KEPT_FOR = timedelta(days=30)
KEPT_AFTER_REPLAY = timedelta(days=2)
KEPT_ATTEMPTS = 20
GONE = 410
_OK = range(200, 300)


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt: the endpoint's status, or why there is none (`error`: class and message)."""

    at: datetime
    duration_ms: int
    status: int | None = None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """True for a 2xx."""
        return self.error is None and self.status in _OK


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook to be delivered. `turn` numbers the coming attempt for good; `round` counts the replays, each of which begins anew:
    `since` is its beginning, `failed` its attempts so far that have not succeeded."""

    id: str
    project: str
    job_id: str
    run_id: str
    url: str
    created_at: datetime
    updated_at: datetime
    since: datetime
    state: DeliveryState = DeliveryState.PENDING
    turn: int = 1
    round: int = 0
    failed: int = 0
    next_at: datetime | None = None
    """When the coming attempt is to be made."""
    due_at: datetime | None = None
    """When the sweep asks what has become of it."""
    attempts: tuple[DeliveryAttempt, ...] = ()
    """The last ones, oldest first."""
    rev: int = 0
    """Counts the writes: a change is made to what was read, or not at all."""

    @property
    def expires_at(self) -> datetime:
        """When the record may be forgotten."""
        return max(self.created_at + KEPT_FOR, self.since + KEPT_AFTER_REPLAY)


def begun(delivery_id: str, project: str, job_id: str, run_id: str, url: str, now: datetime) -> Delivery:
    """A new delivery, whose first attempt is to be made at once."""
    return Delivery(delivery_id, project, job_id, run_id, url, now, now, since=now, next_at=now, due_at=now + GRACE)


def claimed(delivery: Delivery, url: str, now: datetime) -> Delivery:
    """The delivery while its coming attempt is made: who writes this makes it, and nobody else does.

    It counts as failed from here on, so that one whose process dies is not made for ever.
    """
    due = delivery.due_at
    if due is None or due - now < ATTEMPT_MARGIN:
        due = now + GRACE
    return replace(
        delivery, url=url, turn=delivery.turn + 1, failed=delivery.failed + 1, due_at=due, next_at=now, updated_at=now
    )


def settled(
    current: Delivery, claim: Delivery, attempt: DeliveryAttempt, now: datetime, chance: float, *, final: bool = False
) -> Delivery:
    """The delivery after an attempt; `current` is what has become meanwhile of the `claim` under which it was made.

    `final`: no further attempt makes sense.
    """
    noted = replace(current, attempts=(*current.attempts, attempt)[-KEPT_ATTEMPTS:], updated_at=now)
    if current.round != claim.round or current.state is DeliveryState.DELIVERED:
        return noted
    if attempt.succeeded:
        return _ended(noted, DeliveryState.DELIVERED)
    if current.turn != claim.turn or current.state is DeliveryState.DEAD:
        return noted
    moment = None if final or attempt.status == GONE else _next_moment(current, now, chance)
    if moment is None:
        return _ended(noted, DeliveryState.DEAD)
    return replace(noted, next_at=moment, due_at=moment + GRACE)


def replayed(delivery: Delivery, now: datetime) -> Delivery:
    """The delivery begun anew, whatever has become of it."""
    return replace(
        delivery,
        state=DeliveryState.PENDING,
        turn=delivery.turn + 1,
        round=delivery.round + 1,
        failed=0,
        since=now,
        next_at=now,
        due_at=now + GRACE,
        updated_at=now,
    )


def postponed(delivery: Delivery, now: datetime) -> Delivery:
    """The delivery after its message was sent again: looked at ever less often, since a queue that is behind needs no more messages."""
    late = now - (delivery.next_at or now)
    return replace(delivery, due_at=now + min(max(GRACE, late), LONGEST_GRACE))


def _next_moment(delivery: Delivery, now: datetime, chance: float) -> datetime | None:
    last = delivery.since + RETRIED_FOR
    if now >= last:
        return None
    rest = RESTS[min(max(delivery.failed, 1), len(RESTS)) - 1]
    return min(now + rest * (1 - JITTER + 2 * JITTER * chance), last)


def _ended(delivery: Delivery, state: DeliveryState) -> Delivery:
    return replace(delivery, state=state, next_at=None, due_at=None)
