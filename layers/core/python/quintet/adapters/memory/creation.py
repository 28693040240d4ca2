"""Runs made in memory, and what was claimed for them."""

from collections.abc import Sequence
from datetime import datetime
from threading import RLock

from quintet.adapters.claims import Standing, labels_of
from quintet.adapters.memory.journal import Kept, to_the_millisecond
from quintet.adapters.standing import unstarted
from quintet.domain.errors import NotFound
from quintet.domain.events import from_millis, to_millis
from quintet.services.ports.runs import Claims, Creation, Rate


class MemoryCreation:
    """The part of port Runs that makes runs, and claims for them, behind the lock of the whole."""

    def __init__(self) -> None:
        self._runs: dict[str, Kept] = {}
        self._standing = Standing()
        self._labels: dict[tuple[str, str], set[str]] = {}
        self._lock = RLock()

    def create(self, creation: Creation) -> None:
        """Writes a new run. Raises AlreadyThere, RateExceeded, SlotTaken."""
        with self._lock:
            if fault := self._standing.refusal(creation):
                raise fault
            run = creation.run
            kept = Kept(run.id, run.project)
            kept.face(run)
            kept.write(creation.events)
            kept.due_at = to_the_millisecond(creation.due_at)
            if creation.lease_until is not None and not unstarted(run):
                kept.drive(creation.lease_until)
            self._standing.grant(creation)
            self._label(run.project, run.id, creation.claims)
            self._runs[run.id] = kept

    def create_many(self, creations: Sequence[Creation]) -> list[Exception | None]:
        """The same for many: None for each that was written, else what `create` would have raised for it."""
        return [self._tried(creation) for creation in creations]

    def _tried(self, creation: Creation) -> Exception | None:
        with self._lock:
            fault = self._standing.refusal(creation)
            if fault is None:
                self.create(creation)
            return fault

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
