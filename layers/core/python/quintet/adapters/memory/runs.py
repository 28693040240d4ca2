"""Runs, journals, leases and slots in memory."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from quintet.adapters.memory.journal import to_the_millisecond
from quintet.adapters.memory.lists import MemoryLists
from quintet.adapters.standing import ADMISSIBLE, admitted, slots_of
from quintet.domain.events import Event, from_millis, to_millis
from quintet.domain.run import Run
from quintet.services.ports.runs import Change, Lapse, SlotTaken, StoredRun


class MemoryRuns(MemoryLists):
    """Port Runs in dictionaries behind one lock."""

    def __init__(self) -> None:
        super().__init__()
        self._items: dict[tuple[str, int], dict[int, str]] = {}
        self._beats: dict[str, datetime] = {}

    # --- reading one run -------------------------------------------------------------------------------------------------------

    def load(self, run_id: str) -> StoredRun:
        """The run with its newest snapshot and later events. Raises NotFound."""
        with self._lock:
            return self._kept(run_id).stored()

    def get(self, run_id: str) -> Run:
        """The run's item alone. Raises NotFound."""
        with self._lock:
            return self._kept(run_id).run

    def tail(self, run_id: str, after: int, limit: int | None = None) -> list[Event]:
        """The (first `limit`) events with numbers above `after`; none for an unknown run."""
        with self._lock:
            kept = self._runs.get(run_id)
            return kept.read(max(after, 0), limit) if kept else []

    # --- the journal -----------------------------------------------------------------------------------------------------------

    def append(self, run_id: str, base: int, events: Sequence[Event], change: Change | None = None) -> None:
        """Writes events `base`+1, ... and the run's changed item. Raises AppendConflict when another was first."""
        with self._lock:
            kept = self._fitting(run_id, base, change)
            if change is not None:
                self._change(kept, change)
            kept.write(events)

    def keep_snapshot(self, run_id: str, number: int, snapshot: Mapping[str, Any]) -> None:
        """Keeps the fold up to event `number`, unless a newer one is kept."""
        with self._lock:
            self._kept(run_id).keep(number, snapshot)

    # --- who drives the run ----------------------------------------------------------------------------------------------------

    def wake(self, run_id: str, lease_until: datetime) -> int | None:
        """Makes a resting run active; the new epoch, or None when a burst is active (told), it has ended, or only admission starts it."""
        with self._lock:
            kept = self._kept(run_id)
            if kept.status.terminal or kept.unwakeable:
                return None
            if kept.active:
                kept.dirty = True
                return None
            return kept.drive(lease_until)

    def reclaim(self, run_id: str, epoch: int, lease_until: datetime) -> int | None:
        """Takes a run whose burst of `epoch` let its lease lapse; the new epoch, or None when someone else was first."""
        with self._lock:
            kept = self._runs.get(run_id)
            return kept.drive(lease_until) if kept and kept.held_by(epoch) else None

    def renew(self, run_id: str, epoch: int, lease_until: datetime) -> bool:
        """Lengthens the lease of the burst of `epoch`; False when that burst no longer has the run."""
        with self._lock:
            kept = self._runs.get(run_id)
            if kept is None or not kept.held_by(epoch):
                return False
            kept.lease_until = kept.due_at = to_the_millisecond(lease_until)
            return True

    def rest(self, run_id: str, epoch: int, due_at: datetime | None) -> bool:
        """Makes the run inactive until woken; False (and dirty cleared) when the burst must look again first."""
        with self._lock:
            kept = self._runs.get(run_id)
            if kept is None or kept.epoch != epoch or kept.status.terminal:
                return False
            if kept.dirty:
                kept.dirty = False
                return False
            if kept.active:
                kept.still(due_at)
            return True

    # --- admission -------------------------------------------------------------------------------------------------------------

    def admit(self, run: Run, base: int, events: Sequence[Event], lease_until: datetime) -> int:
        """Gives a queued run its slots and makes it active; the epoch. Raises AppendConflict, SlotTaken."""
        with self._lock:
            kept = self._fitting(run.id, base)
            if kept.status not in ADMISSIBLE:
                raise SlotTaken(f"run {run.id} is {kept.status}")
            if full := self._standing.full_slot(run):
                kept.queued_at = str(full)
                raise full
            for slot in slots_of(run):
                self._standing.hold(slot.name, run.id)
            for slot in run.waits:
                self._standing.release(slot.name, run.id)
            kept.face(admitted(run))
            kept.write(events)
            return kept.drive(lease_until)

    def next_queued(self, slot: str, passed_over: Collection[str] = ()) -> str | None:
        """The run that stands first in a slot's queue (highest priority, then oldest), of those not passed over."""
        with self._lock:
            waiting = [kept for kept in self._runs.values() if kept.queued_at == slot and kept.id not in passed_over]
        return min(waiting, key=lambda kept: kept.rank).id if waiting else None

    def holders(self, slots: Sequence[str]) -> dict[str, frozenset[str]]:
        """By slot the runs that hold a place of it."""
        with self._lock:
            return {slot: frozenset(self._standing.holders.get(slot, ())) for slot in slots}

    def last_holders(self, slots: Sequence[str]) -> dict[str, Run]:
        """By slot the run that took a place of it last."""
        with self._lock:
            last = self._standing.last
            return {slot: self._runs[last[slot]].run for slot in slots if last.get(slot) in self._runs}

    # --- items of maps ---------------------------------------------------------------------------------------------------------

    def keep_item(self, run_id: str, token: int, index: int, outcome: Mapping[str, Any]) -> None:
        """Keeps what one item came to; the same item again is the same outcome."""
        with self._lock:
            self._items.setdefault((run_id, token), {})[index] = json.dumps(dict(outcome))

    def items(self, run_id: str, token: int) -> dict[int, Mapping[str, Any]]:
        """What the items came to, by index."""
        with self._lock:
            kept = self._items.get((run_id, token), {})
            return {index: json.loads(outcome) for index, outcome in sorted(kept.items())}

    # --- signs of life ---------------------------------------------------------------------------------------------------------

    def beat(self, run_id: str, at: datetime) -> None:
        """Keeps a sign of life; one that comes late moves nothing back."""
        with self._lock:
            moment = from_millis(to_millis(at))
            self._beats[run_id] = max(self._beats.get(run_id, moment), moment)

    def beaten(self, run_id: str) -> datetime | None:
        """The last sign of life."""
        with self._lock:
            return self._beats.get(run_id)

    # --- the sweep -------------------------------------------------------------------------------------------------------------

    def due(self, now: datetime, limit: int) -> list[Lapse]:
        """Runs whose due time has come, oldest first."""
        with self._lock:
            timed = [(kept.due_at, kept.id, kept) for kept in self._runs.values() if kept.due_at is not None]
            late = sorted(entry for entry in timed if to_millis(entry[0]) <= to_millis(now))
            return [kept.lapse() for _, _, kept in late[:limit]]

    def postpone(self, run_id: str, due_at: datetime) -> None:
        """Moves a resting or queued run's due time; nothing for an active or ended one."""
        with self._lock:
            kept = self._runs.get(run_id)
            if kept is not None and not kept.active and not kept.status.terminal:
                kept.due_at = to_the_millisecond(due_at)

    def forget_due(self, run_id: str) -> None:
        """Takes an ended run out of the due index."""
        with self._lock:
            kept = self._runs.get(run_id)
            if kept is not None and kept.status.terminal:
                kept.due_at = None
