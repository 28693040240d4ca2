"""One trigger as it is asked for, what becomes of it, and what it claims under its job's terms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from quintet.domain import limits
from quintet.domain.definition import AS_DEFINED, Overrides
from quintet.domain.job import Job
from quintet.domain.limits import Allowance
from quintet.domain.run import Parent, Run, Trigger
from quintet.services.ports.runs import Guard, Rate
from quintet.services.trigger import MANUAL


@dataclass(frozen=True, slots=True)
class Ask:
    """One trigger as its caller words it. `asked` is kept with the run as it is; `ttl` is in seconds; `guards` make it unique beyond
    its idempotency key. A run with a `parent` is waited for: it is made in any case, and never merged with another."""

    input: Any = None
    tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    priority: int = 0
    ttl: int | None = None
    concurrency_key: str | None = None
    debounce_key: str | None = None
    batch_key: str | None = None
    queue_partition: str | None = None
    idempotency_key: str | None = None
    overrides: Overrides = AS_DEFINED
    asked: Mapping[str, Any] = field(default_factory=dict)
    trigger: Trigger = MANUAL
    run_id: str | None = None
    parent: Parent | None = None
    depth: int = 0
    guards: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a trigger. `how`: created | idempotent | duplicate (the run was there) | debounced | batched (it starts at
    `fire_at`)."""

    run: Run
    how: str
    payload_hash: str
    fire_at: datetime | None = None
    limit: Allowance | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a trigger would come to, without doing it; `warnings` say what would hold it back."""

    payload_hash: str
    scheduled_at: datetime | None
    expires_at: datetime | None
    warnings: tuple[str, ...]


def guards_of(job: Job, ask: Ask, hash_: str, now: datetime) -> tuple[Guard, ...]:
    """What makes the trigger's run unique: its own guards, its idempotency key, its payload."""
    guards = list(ask.guards)
    if ask.idempotency_key is not None:
        guards.append(Guard(f"idem#{job.id}#{limits.payload_hash(ask.idempotency_key)[:32]}", mark=hash_))
    if job.terms.dedup_window is not None and ask.parent is None:
        guards.append(Guard(f"dedup#{job.id}#{hash_}", now + timedelta(seconds=job.terms.dedup_window)))
    return tuple(guards)


def rates_of(job: Job, given: Any, tags: Mapping[str, str]) -> tuple[Rate, ...]:
    """The counters that the trigger counts under."""
    counted = limits.counters(job.terms, given, tags)
    return tuple(Rate(f"{job.id}#{apart}", limit.most, limit.window) for apart, limit in counted)


def run_labels(job: Job, tags: Mapping[str, str], metadata: Mapping[str, Any]) -> Iterator[str]:
    """What lists find a run by, whoever started it."""
    yield from job.settings.get("run_labels", ())
    for name, value in tags.items():
        yield f"tag:{name}={value}"
    for name, value in metadata.items():
        yield f"meta:{name}={value}"


def labels_of(job: Job, ask: Ask, metadata: Mapping[str, Any]) -> Iterator[str]:
    """What lists find this trigger's run by."""
    yield from run_labels(job, ask.tags, metadata)
    if batch := ask.asked.get("batch_id"):
        yield f"batch:{batch}"
    if ask.trigger.source_type == "run" and ask.trigger.type in {"event", "spawn"}:
        yield f"parent:{ask.trigger.source_id}"
