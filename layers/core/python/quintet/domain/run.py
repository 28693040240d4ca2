"""A run as lists and the five APIs see it, without its journal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quintet.domain.status import RunStatus


@dataclass(frozen=True, slots=True)
class Trigger:
    """How a run began: `type` manual | schedule | webhook | event; the source names who or what asked."""

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
    """A place under a cap: at most `limit` active runs hold the slot called `name`."""

    name: str
    limit: int


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
    external_id: str | None = None
    parent: Parent | None = None
    slots: tuple[Slot, ...] = ()
    priority: int = 0
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
