"""What limits a job's runs: the counters a trigger counts under, and what is left of them."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from quintet.domain.errors import Throttled
from quintet.domain.job import Job
from quintet.domain.run import Slot
from quintet.domain.terms import QueueStrategy, RateLimit, Terms


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a rate limit leaves: `remaining` of `limit` until `resets_at`."""

    limit: int
    remaining: int
    resets_at: datetime


class RateLimited(Throttled):
    """A rate limit is met."""

    def __init__(self, message: str, retry_after: float, allowance: Allowance) -> None:
        super().__init__(message, retry_after)
        self.allowance = allowance


def counters(terms: Terms, payload: Any, tags: Mapping[str, str]) -> Iterator[tuple[str, RateLimit]]:
    """The counters that a run counts under: each limit with what tells its counter from the others of the job."""
    for limit in terms.rates:
        if limit.name is None:
            yield "all", limit
            continue
        value = value_at(payload, limit.name)
        if value is None:
            value = tags.get(limit.name)
        if value is not None:
            yield f"{limit.name}={_digest(value)}", limit


def slots(job: Job, concurrency_key: str | None, *, awaited: bool = False) -> Iterator[Slot]:
    """The slots that a run of the job needs to be active. One that another run waits for (`awaited`) queues for them in any case."""
    refuses = job.terms.queue_limit == 0 and not awaited
    if job.terms.skip_if_running:
        yield Slot(f"{job.project}#solo#{job.id}", 1, refuses=True)
    if job.terms.max_concurrency is not None:
        yield Slot(f"{job.project}#job#{job.id}", job.terms.max_concurrency, refuses)
    if concurrency_key is not None and job.terms.max_concurrency_per_key is not None:
        yield replace(key_slot(job.project, concurrency_key, job.terms.max_concurrency_per_key), refuses=refuses)


def waiting_slots(job: Job, partition: str | None) -> Iterator[Slot]:
    """The slots that a run of the job holds as long as it has not started. Under a strategy that replaces, it is the holders of the first
    one who make room."""
    terms, whole = job.terms, f"{job.project}#wait#{job.id}"
    if terms.queue_limit == 0:
        return  # what can't start is refused by the slots that it would have waited for
    match terms.queue_strategy:
        case QueueStrategy.REPLACE:
            yield Slot(whole, 1)
            return
        case QueueStrategy.PARTITIONED_REPLACE:
            yield Slot(f"{whole}#{_digest(partition)}", terms.queue_partition_limit or 1)
    if terms.queue_limit is not None:
        yield Slot(whole, terms.queue_limit)


def replaces(job: Job) -> bool:
    """True when a run that must wait may take the place of one that does."""
    return job.terms.queue_strategy is not QueueStrategy.APPEND


def accepts(
    needed: Sequence[Slot], waits: Sequence[Slot], held: Mapping[str, Collection[str]], *, replaces: bool, later: bool
) -> bool:
    """Whether a run would be taken now, to start or to wait, by who holds its slots. `later`: it can't start now in any case."""
    full = [slot for slot in (*needed, *waits) if len(held.get(slot.name, ())) >= slot.limit]
    if not later and any(slot.refuses for slot in full):
        return False
    if not later and not any(slot in full for slot in needed):
        return True
    crowded = [slot for slot in waits if slot in full]
    return not crowded or (replaces and crowded[0] == waits[0])


def solo(slot: Slot) -> bool:
    """True for the slot of a job that skips triggers while a run of it is active."""
    return slot.name.split("#", 2)[1:2] == ["solo"]


def key_slot(project: str, concurrency_key: str, limit: int) -> Slot:
    """The slot that the runs of one concurrency key share in a project."""
    return Slot(f"{project}#key#{concurrency_key}", limit)


def value_at(payload: Any, path: str) -> Any:
    """What lies at a dotted path (keys, and indexes of lists) in a payload; None when nothing does."""
    found = payload
    for part in path.split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values: keys sorted, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def payload_hash(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _digest(value: Any) -> str:
    """A short name of a value: what callers send must not become a key of any length."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]
