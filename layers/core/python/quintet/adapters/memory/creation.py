"""Runs made in memory, and what was claimed for them."""

from collections.abc import Sequence
from datetime import datetime
from threading import RLock

from quintet.adapters.claims import Standing, labels_of
from quintet.adapters.memory.journal import Kept, to_the_millisecond
from quintet.adapters.standing import slots_freed, unstarted
from quintet.domain.errors import AppendConflict, NotFound
from quintet.domain.events import from_millis, to_millis
from quintet.services.ports.runs import AlreadyThere, Change, Claims, Creation, Rate, RateExceeded, SlotTaken


class MemoryCreation:
    """The part of port Runs that makes runs, and claims for them, behind the lock of the whole."""

    def __init__(self) -> None:
        self._runs: dict[str, Kept] = {}
        self._standing = Standing()
        self._labels: dict[tuple[str, str], set[str]] = {}
        self._lock = RLock()

    def create(self, creation: Creation) -> None:
        """Writes a new run. Raises AlreadyThere, RateExceeded, SlotTaken, AppendConflict."""
        with self._lock:
            if fault := self._standing.refusal(creation):
                raise fault
            run, old = creation.run, creation.replaces
            replaced = None if old is None else self._fitting(old.change.run.id, old.base, old.change)
            kept = Kept(run.id, run.project)
            kept.face(run)
            kept.write(creation.events)
            kept.due_at = to_the_millisecond(creation.due_at)
            if creation.lease_until is not None and not unstarted(run):
                kept.drive(creation.lease_until)
            self._standing.grant(creation)
            self._label(run.project, run.id, creation.claims)
            self._runs[run.id] = kept
            if old is not None and replaced is not None:
                self._change(replaced, old.change)
                replaced.write(old.events)

    def create_many(self, creations: Sequence[Creation]) -> list[Exception | None]:
        """The same for many: None for each that was written, else what `create` would have raised for it."""
        return [self._tried(creation) for creation in creations]

    def _tried(self, creation: Creation) -> Exception | None:
        with self._lock:
            try:
                self.create(creation)
            except (AlreadyThere, RateExceeded, SlotTaken, AppendConflict) as fault:
                return fault
            return None

    def _fitting(self, run_id: str, base: int, change: Change | None = None) -> Kept:
        """The run, to which events are added after number `base`. Raises NotFound, AppendConflict."""
        kept = self._kept(run_id)
        if len(kept.journal) != base:
            raise AppendConflict(f"run {run_id} is at {len(kept.journal)}, not {base}")
        if change is not None and (kept.status is not change.was or kept.status.terminal):
            raise AppendConflict(f"run {kept.id} is {kept.status}, not {change.was}")
        return kept

    def _kept(self, run_id: str) -> Kept:
        kept = self._runs.get(run_id)
        if kept is None:
            raise NotFound(f"no run {run_id}")
        return kept

    def _change(self, kept: Kept, change: Change) -> None:
        kept.face(change.run)
        if change.run.status.terminal:
            kept.still(change.due_at)
            for slot in slots_freed(change.run, change.was):
                self._standing.release(slot.name, kept.id)
        elif change.due_at is not None:
            kept.due_at = to_the_millisecond(change.due_at)

    def claim(self, run_id: str, claims: Claims, now: datetime) -> None:
        """Claims for a run that exists. Raises AlreadyThere, RateExceeded."""
        with self._lock:
            if claims.labels and run_id not in self._runs:
                raise NotFound(f"no run {run_id}")
            if fault := self._standing.refused_claim(claims, to_millis(now)):
                raise fault
            self._standing.grant_claims(run_id, claims, to_millis(now))
            if claims.labels:
                self._label(self._runs[run_id].project, run_id, claims)

    def spent(self, rates: Sequence[Rate], now: datetime) -> list[tuple[int, datetime]]:
        """What is counted under each rate at present, and until when its window lasts (now: none is open)."""
        with self._lock:
            windows = [self._standing.open_window(rate.name, to_millis(now)) for rate in rates]
        return [(0, now) if window is None else (window.count, from_millis(window.until)) for window in windows]

    def _label(self, project: str, run_id: str, claims: Claims) -> None:
        for label in labels_of(claims):
            self._labels.setdefault((project, label), set()).add(run_id)
