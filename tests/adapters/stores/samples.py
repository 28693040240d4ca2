"""Runs, jobs and events for the contract suites."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from quintet.adapters.memory import ManualClock, SeededIds
from quintet.domain.definition import Overrides, Plan, StepDef, Strategy
from quintet.domain.events import Event, EventType
from quintet.domain.job import Job, JobVersion
from quintet.domain.run import Parent, Run, Slot, Trigger, VersionPolicy
from quintet.domain.status import RunStatus

NOW = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
CLOCK = ManualClock(NOW)
IDS = SeededIds(7, CLOCK)


def after(seconds: float) -> datetime:
    """A moment after NOW."""
    return NOW + timedelta(seconds=seconds)


def a_run(status: RunStatus = RunStatus.EXECUTING, **changes: Any) -> Run:
    """A run of project `acme`; later ones have greater ids."""
    run = Run(
        id=IDS.new(),
        project="acme",
        job_id="job-1",
        version=3,
        version_id="version-3",
        status=status,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(run, **changes)


def a_full_run() -> Run:
    """A run with every field set."""
    return a_run(
        RunStatus.WAITING,
        started_at=after(1),
        ended_at=after(2),
        error={"type": "Boom", "message": "größer", "details": {"n": [1, None, 2.5]}},
        trigger=Trigger("webhook", "hook", "h-1"),
        concurrency_key="k",
        parent=Parent("parent-run", "call", 2),
        slots=(Slot("one", 1), Slot("two", 2, refuses=True)),
        waits=(Slot("waiting", 5), Slot("waiting in part", 1)),
        priority=7,
        scheduled_at=after(0.5),
        expires_at=after(3600),
        policy=VersionPolicy.MINOR,
        overrides=Overrides(4, 2.5, Strategy.LINEAR, 0.5, 60.0),
        group="group-1",
        follows=True,
        asked={"tags": {"env": "größe"}, "payload_hash": "ab", "lineage_depth": 2, "list": [1, None, {"x": 2.5}]},
        depth=2,
        item=3,
    )


def created(data: Mapping[str, Any] | None = None) -> list[Event]:
    """How a journal begins."""
    return [Event(EventType.RUN_CREATED, NOW, None, data or {"input": None}), Event(EventType.RUN_STARTED, NOW)]


def progress(number: int, size: int = 0) -> Event:
    """An event that can be told from others, of about `size` bytes."""
    return Event(EventType.STEP_PROGRESS, after(number), "load", {"done": number, "message": "x" * size})


def a_job(**changes: Any) -> Job:
    """An active job of project `acme` and API `automations`; later ones have greater ids."""
    job = Job(
        id=IDS.new(),
        project="acme",
        dialect="automations",
        name="nightly",
        version=1,
        version_id=IDS.new(),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(job, **changes)


def a_version(job: Job, size: int = 0) -> JobVersion:
    """The version that is the job's current one; its source takes at least `size` bytes."""
    plan = Plan((StepDef("load", "http", config={"url": "https://example.com"}),), timeout=60)
    return JobVersion(job.version_id, job.id, job.version, plan, {"name": job.name, "pad": "x" * size}, NOW)
