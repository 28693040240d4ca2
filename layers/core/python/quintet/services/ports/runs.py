"""Where runs and their journals are kept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from quintet.domain.events import Event
from quintet.domain.run import Run
from quintet.domain.status import RunStatus


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it was read: its item, the newest snapshot (None: none yet), and the events after it."""

    run: Run
    epoch: int
    active: bool
    lease_until: datetime | None
    snapshot: Mapping[str, Any] | None
    snapshot_number: int
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Lapse:
    """A run the sweep should look at: its time in the due index has come."""

    run_id: str
    due_at: datetime
    status: RunStatus
    epoch: int
    active: bool
    lease_until: datetime | None


class SlotTaken(Exception):
    """A slot the run needs is full (or, on admission, the run is no longer queued)."""


class AlreadyThere(Exception):
    """A run with this id, or this guard, exists; `run_id` says which."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


class Runs(Protocol):
    """Runs, journals, leases and slots. Every change is atomic; reads of one run are strongly consistent."""

    def create(
        self,
        run: Run,
        events: Sequence[Event],
        *,
        lease_until: datetime | None,
        due_at: datetime | None,
        guard: str | None = None,
        guard_until: datetime | None = None,
    ) -> None:
        """Writes a new run with the beginning of its journal and counts it.

        A queued run enters its slots' queue, any other takes its slots and, with `lease_until`, is active at epoch 1. `guard` makes the
        creation unique under that name until `guard_until`. Raises SlotTaken, AlreadyThere.
        """
        ...

    def load(self, run_id: str) -> StoredRun:
        """The run with its newest snapshot and later events. Raises NotFound."""
        ...

    def get(self, run_id: str) -> Run:
        """The run's item alone. Raises NotFound."""
        ...

    def tail(self, run_id: str, after: int) -> list[Event]:
        """The events with numbers above `after`."""
        ...

    def append(self, run_id: str, base: int, events: Sequence[Event], change: "Change | None" = None) -> None:
        """Writes events `base`+1, ... and, in one transaction with them, the run's changed item. Raises AppendConflict."""
        ...

    def keep_snapshot(self, run_id: str, number: int, snapshot: Mapping[str, Any]) -> None:
        """Keeps the fold up to event `number`, so that `load` needs not read what came before."""
        ...

    def wake(self, run_id: str, lease_until: datetime) -> int | None:
        """Makes a resting run active under a new epoch, which is returned to start a burst with.

        None when a burst is active (it is marked dirty and will look again before it rests) or the run has ended.
        """
        ...

    def reclaim(self, run_id: str, epoch: int, lease_until: datetime) -> int | None:
        """Takes a run whose burst of `epoch` let its lease lapse; the new epoch, or None when someone else was first."""
        ...

    def renew(self, run_id: str, epoch: int, lease_until: datetime) -> bool:
        """Lengthens the lease of the burst of `epoch`; False when that burst no longer has the run."""
        ...

    def rest(self, run_id: str, epoch: int, due_at: datetime | None) -> bool:
        """Makes the run inactive until woken; False (and dirty cleared) when something happened that the burst must look at first."""
        ...

    def admit(self, run: Run, base: int, events: Sequence[Event], lease_until: datetime) -> int:
        """Gives a queued run its slots and makes it active; the epoch. Raises SlotTaken, AppendConflict."""
        ...

    def keep_item(self, run_id: str, token: int, index: int, outcome: Mapping[str, Any]) -> None:
        """Keeps what one item of a fanned-out map came to ({"result"} or {"error"}), apart from any journal: items never contend."""
        ...

    def items(self, run_id: str, token: int) -> dict[int, Mapping[str, Any]]:
        """What the items of a fanned-out map came to, by index."""
        ...

    def next_queued(self, slot: str, passed_over: Collection[str] = ()) -> str | None:
        """The run that stands first in a slot's queue (highest priority, then oldest), of those not passed over."""
        ...

    def due(self, now: datetime, limit: int) -> list[Lapse]:
        """Runs whose due time has come, oldest first."""
        ...

    def postpone(self, run_id: str, due_at: datetime) -> None:
        """Moves a resting or queued run's due time."""
        ...

    def forget_due(self, run_id: str) -> None:
        """Takes an ended run out of the due index: all that follows its end is done."""
        ...

    def page(self, project: str, statuses: Sequence[RunStatus] | None, limit: int, offset: int) -> list[Run]:
        """A project's runs, newest first, of the statuses (None: all)."""
        ...

    def count(self, project: str, statuses: Sequence[RunStatus] | None) -> int:
        """How many runs `page` ranges over."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A run's item after an event that changed it, and what it was; a terminal one frees the slots and ends the burst."""

    run: Run
    was: RunStatus
    due_at: datetime | None = None
    """For an ended run: when the sweep should repeat what follows its end, until `forget_due`."""
