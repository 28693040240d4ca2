"""Where runs and their journals are kept."""

from collections.abc import Collection, Iterator, Mapping, Sequence
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
    """A run with this id, or this guard, exists; `run_id` says which, `guard` the guard's name and `mark` what it was made with."""

    def __init__(self, run_id: str, guard: str | None = None, mark: str | None = None) -> None:
        super().__init__(run_id)
        self.run_id = run_id
        self.guard = guard
        self.mark = mark


class RateExceeded(Exception):
    """A windowed counter is full until `until`."""

    def __init__(self, name: str, until: datetime) -> None:
        super().__init__(name)
        self.name = name
        self.until = until


@dataclass(frozen=True, slots=True)
class Guard:
    """Makes a creation unique under a name until a moment (None: as long as the run is kept).

    `mark` is kept with it for whoever meets it (a payload's hash). `over` names a run that may be followed: its guard is taken over.
    """

    name: str
    until: datetime | None = None
    mark: str | None = None
    over: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """One count under a windowed counter: at most `most` in `window` seconds, beginning with the first after the window before."""

    name: str
    most: int
    window: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a creation asks for beside its slots, all or nothing: unique names (the first refused one counts, in order), a place under
    each rate, and the lists that the run is to be found in (`tag:env=prod`, `batch:<id>`, `parent:<run>`)."""

    guards: tuple[Guard, ...] = ()
    rates: tuple[Rate, ...] = ()
    labels: tuple[str, ...] = ()


NO_CLAIMS = Claims()


@dataclass(frozen=True, slots=True)
class Creation:
    """A new run with the beginning of its journal.

    A queued run enters its slots' queue; a started one takes its slots and, with `lease_until`, is active at epoch 1; a delayed one, or one
    that waits or pauses before its start (no `started_at`), does neither. One that has not started takes its waiting slots. `replaces`: a
    waiting run that makes room for it.
    """

    run: Run
    events: Sequence[Event]
    lease_until: datetime | None = None
    due_at: datetime | None = None
    claims: Claims = NO_CLAIMS
    replaces: "Replacement | None" = None


@dataclass(frozen=True, slots=True)
class RunList:
    """Which runs a list ranges over: a project's, of a job, of a label, of statuses, of a trigger type; all that is given must hold."""

    project: str
    job_id: str | None = None
    label: str | None = None
    statuses: frozenset[RunStatus] | None = None
    trigger_type: str | None = None


@dataclass(frozen=True, slots=True)
class RunPage:
    """A part of a list, newest first. With a `cursor` there may be more, though the part be short: a request examines a bounded number."""

    runs: Sequence[Run]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of a job ended: the least that health figures need. `seconds` is None for one that never started."""

    run_id: str
    status: RunStatus
    ended_at: datetime
    seconds: float | None


class Runs(Protocol):
    """Runs, journals, leases and slots. Every change is atomic; reads of one run are strongly consistent."""

    def create(self, creation: Creation) -> None:
        """Writes a new run and counts it.

        Raises AlreadyThere (its id first, then guards in order), RateExceeded, SlotTaken, AppendConflict (the run that it replaces has
        changed), in this order.
        """
        ...

    def create_many(self, creations: Sequence[Creation]) -> list[Exception | None]:
        """The same for many, in few transactions: None for each that was written, else what `create` would have raised for it."""
        ...

    def load(self, run_id: str) -> StoredRun:
        """The run with its newest snapshot and later events. Raises NotFound."""
        ...

    def get(self, run_id: str) -> Run:
        """The run's item alone. Raises NotFound."""
        ...

    def tail(self, run_id: str, after: int, limit: int | None = None) -> list[Event]:
        """The events with numbers above `after`, the first `limit` of them (None: all); the rest is not read then."""
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
        """Gives a queued run its slots for its waiting ones, and makes it active; the epoch. Raises SlotTaken, AppendConflict."""
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

    def holders(self, slots: Sequence[str]) -> dict[str, frozenset[str]]:
        """By slot the runs that hold a place of it; strongly consistent, one request a hundred."""
        ...

    def last_holders(self, slots: Sequence[str]) -> dict[str, Run]:
        """By slot the run that took a place of it last, whether or not it has ended; strongly consistent, two requests a hundred."""
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

    def counts(self, project: str, group: str | None = None) -> dict[RunStatus, int]:
        """How many of a project's runs (of a job group's, when one is given) stand in each status."""
        ...

    def browse(self, wanted: RunList, limit: int, cursor: str | None = None) -> RunPage:
        """Up to `limit` runs of a list from a cursor on. The first page costs what the thousandth does. Raises Invalid for a bad cursor."""
        ...

    def ended(self, job_id: str, since: datetime, until: datetime) -> Iterator[Ended]:
        """How a job's runs ended in that time, for jobs whose runs are followed (`Run.follows`), oldest first: one query."""
        ...

    def claim(self, run_id: str, claims: Claims, now: datetime) -> None:
        """Claims for a run that exists what a creation would have claimed. Raises AlreadyThere, RateExceeded."""
        ...

    def spent(self, rates: Sequence[Rate], now: datetime) -> list[tuple[int, datetime]]:
        """What is counted under each rate at present, and until when its window lasts (now: none is open)."""
        ...

    def beat(self, run_id: str, at: datetime) -> None:
        """Keeps a sign of life of whoever works on a run, apart from the journal."""
        ...

    def beaten(self, run_id: str) -> datetime | None:
        """The last sign of life."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A run's item after an event that changed it, and what it was; a terminal one frees the slots and ends the burst.

    A run that becomes queued enters its slots' queue, any that was queued or delayed leaves it. No wake starts a burst for a paused run, or
    for one that has not started.
    """

    run: Run
    was: RunStatus
    due_at: datetime | None = None
    """For an ended run: when the sweep should repeat what follows its end, until `forget_due`; it has no due time else. For any other:
    its new due time (None: the one it has)."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A waiting run that ends in the transaction that makes another in its place, with the events `base`+1, ...: no moment is without
    either. Of the waiting slots that both have, the new one takes its place; the others are given back."""

    base: int
    events: Sequence[Event]
    change: Change
