"""What limits a job's runs: the counters a trigger counts under, and what is left of them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quintet.domain.errors import Throttled
from quintet.domain.job import Job
from quintet.domain.run import Slot
from quintet.domain.terms import RateLimit, Terms


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


def slots(job: Job, concurrency_key: str | None) -> Iterator[Slot]:
    """The slots that a run of the job needs to be active."""
    if job.terms.skip_if_running:
        yield Slot(f"{job.project}#solo#{job.id}", 1, refuses=True)
    if job.terms.max_concurrency is not None:
        yield Slot(f"{job.project}#job#{job.id}", job.terms.max_concurrency)
    if concurrency_key is not None and job.terms.max_concurrency_per_key is not None:
        yield key_slot(job.project, concurrency_key, job.terms.max_concurrency_per_key)


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
