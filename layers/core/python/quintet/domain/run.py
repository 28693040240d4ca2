"""A run as lists and the five APIs see it, without its journal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from quintet.domain.definition import AS_DEFINED, Overrides
from quintet.domain.status import RunStatus


class VersionPolicy(StrEnum):
    """Which version a run enacts when its job has changed between the trigger and the start."""

    PIN = "pin"
    LATEST = "latest"
    MINOR = "minor"


@dataclass(frozen=True, slots=True)
class Trigger:
    """How a run began: `type` manual | schedule | webhook | event (a step of another run) | spawn (a program that works on another run) |
    job_completion | debounce | batch; the source names who or what asked (source_type `run` with the run's id: a retry, when manual)."""

    type: str = "manual"
    source_type: str = "api"
    source_id: str | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """The attempt of another run's step that waits for this one."""

    run_id: str
    path: str
    token: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A place under a cap: at most `limit` active runs hold the slot called `name`. With `refuses` nobody waits for it: a run that finds
    it full when it should start is not made, or canceled when it was made before."""

    name: str
    limit: int
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What a run's item says of it; rewritten only together with the event that changes it."""

    id: str
    project: str
    job_id: str
    version: int
    version_id: str
    status: RunStatus
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: Mapping[str, Any] | None = None
    trigger: Trigger = Trigger()
    concurrency_key: str | None = None
    parent: Parent | None = None
    slots: tuple[Slot, ...] = ()
    waits: tuple[Slot, ...] = ()
    """The waiting slots: the run holds them from its creation until it is admitted, or ends before. A started run has none."""
    priority: int = 0
    scheduled_at: datetime | None = None
    """When the run was asked to start; None: at once."""
    expires_at: datetime | None = None
    """A run that has not started by then expires."""
    policy: VersionPolicy = VersionPolicy.PIN
    overrides: Overrides = AS_DEFINED
    group: str | None = None
    """The job group that counts this run too."""
    follows: bool = False
    """True when its end may concern others: a completion webhook, jobs that depend on its job."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What the trigger said that only its own API knows (JSON): tags, metadata, idempotency key, ..."""
    attempt: int = field(default=0, compare=False)
    """The most attempts any of its steps has made, as of the last change of status."""
    depth: int = 0
    """How many runs stand above this one, parent by parent."""
    item: int | None = None
    """For a run that enacts one item of its parent's fanned-out map: the item's index."""

    def place(self, path: str) -> tuple[str, str]:
        """The run that people know, and the path of a step in it: of an item's steps, those of the map."""
        if self.item is None or self.parent is None:
            return self.id, path
        return self.parent.run_id, f"{self.parent.path}[{self.item}].{path}"

    @property
    def started_by(self) -> str:
        """The trigger's type, with a retry told from what else a person asks for."""
        return "retry" if self.trigger.type == "manual" and self.trigger.source_type == "run" else self.trigger.type

    @property
    def tenant(self) -> str:
        """The project whose jobs and datasets the run may use. A map's items are runs of a project of their own, `<tenant>/<run>/<token>`:
        listed and counted together, and in no list that people see."""
        return self.project.partition("/")[0]

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, None while either is missing."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()
