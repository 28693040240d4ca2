"""One run as the memory store holds it: everything as JSON text, so that nobody can change it by holding on to it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quintet.adapters.records import events_from_text, events_to_text, pack, run_from_text, run_to_text
from quintet.adapters.standing import queue_of, unwakeable
from quintet.domain.events import Event, from_millis, to_millis
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Lapse, StoredRun


def to_the_millisecond(moment: datetime | None) -> datetime | None:
    """The moment as it comes back from a store."""
    return None if moment is None else from_millis(to_millis(moment))


@dataclass(slots=True)
class Kept:
    """A run's item and its journal; `queued_at` is the slot in whose queue it stands, `unwakeable`: no wake starts a burst for it."""

    id: str
    project: str
    text: str = ""
    status: RunStatus = RunStatus.EXECUTING
    epoch: int = 0
    active: bool = False
    dirty: bool = False
    lease_until: datetime | None = None
    due_at: datetime | None = None
    queued_at: str | None = None
    unwakeable: bool = False
    priority: int = 0
    journal: list[str] = field(default_factory=list)
    snapshot: str | None = None
    snapshot_number: int = 0

    @property
    def run(self) -> Run:
        """The run's face."""
        return run_from_text(self.id, self.project, self.text)

    @property
    def rank(self) -> tuple[int, str]:
        """Its place in a queue: highest priority first, then oldest."""
        return 99 - min(max(self.priority, 0), 99), self.id

    def face(self, run: Run) -> None:
        """Takes the run's new face, and its place in or out of the queue."""
        if run.status is not RunStatus.QUEUED:
            self.queued_at = None
        elif self.status is not RunStatus.QUEUED:
            self.queued_at = queue_of(run.slots)
        self.text, self.status, self.priority = run_to_text(run), run.status, run.priority
        self.unwakeable = unwakeable(run)

    def drive(self, lease_until: datetime) -> int:
        """Gives the run to a new burst; its epoch."""
        self.epoch += 1
        self.active, self.dirty = True, False
        self.lease_until = self.due_at = to_the_millisecond(lease_until)
        return self.epoch

    def still(self, due_at: datetime | None) -> None:
        """Takes the run from its burst, until it is due."""
        self.active = self.dirty = False
        self.lease_until, self.due_at = None, to_the_millisecond(due_at)

    def held_by(self, epoch: int) -> bool:
        """True when the burst of `epoch` has the run."""
        return self.active and self.epoch == epoch

    def write(self, events: Sequence[Event]) -> None:
        """Adds events to the journal."""
        self.journal.extend(events_to_text([event]) for event in events)

    def read(self, after: int, limit: int | None = None) -> list[Event]:
        """The (first `limit`) events with numbers above `after`."""
        last = None if limit is None else after + max(limit, 0)
        return [events_from_text(text)[0] for text in self.journal[after:last]]

    def keep(self, number: int, snapshot: Mapping[str, Any]) -> None:
        """Keeps a snapshot unless a newer one is there."""
        if number > self.snapshot_number:
            self.snapshot, self.snapshot_number = pack(snapshot), number

    def stored(self) -> StoredRun:
        """What `load` gives."""
        return StoredRun(
            run=self.run,
            epoch=self.epoch,
            active=self.active,
            lease_until=self.lease_until,
            snapshot=None if self.snapshot is None else json.loads(self.snapshot),
            snapshot_number=self.snapshot_number,
            events=self.read(self.snapshot_number),
        )

    def lapse(self) -> Lapse:
        """What the sweep sees."""
        if self.due_at is None:
            raise ValueError(f"run {self.id} is not due")
        return Lapse(self.id, self.due_at, self.status, self.epoch, self.active, self.lease_until)
