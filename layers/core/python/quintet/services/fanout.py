"""Enacts the items of a large map as runs of their own."""

from datetime import datetime
from typing import Any

from quintet.domain.events import Event, EventType
from quintet.domain.run import Parent, Run, Trigger
from quintet.domain.status import RunStatus
from quintet.services.burst import Advance
from quintet.services.engine import END, Next
from quintet.services.gather import item_id, item_project, waiting_map
from quintet.services.journal import Journal
from quintet.services.ports.runs import AlreadyThere, Creation, Runs
from quintet.services.ports.world import Clock
from quintet.services.terms import LEASE


class AdvanceItem:
    """The use case behind the Item function."""

    def __init__(self, runs: Runs, journal: Journal, advance: Advance, clock: Clock) -> None:
        self._runs = runs
        self._journal = journal
        self._advance = advance
        self._clock = clock

    def __call__(
        self,
        run_id: str,
        path: str,
        token: int,
        index: int,
        item: Any,
        slice_: int,
        retry: int,
        invocation: str,
        began: datetime | None = None,
    ) -> Next:
        """Runs one slice of an item's body, beginning it if need be; nothing when the map isn't waited for any more."""
        if slice_ == 0 and not self._begin(run_id, path, token, index, item):
            return END
        return self._advance(item_id(run_id, token, index), 1, slice_, retry, invocation, began)

    def _begin(self, run_id: str, path: str, token: int, index: int, item: Any) -> bool:
        opened = self._journal.open(run_id)
        step = waiting_map(opened.state, path, token)
        if step is None:
            return False
        now = self._clock.now()
        run = Run(
            id=item_id(run_id, token, index),
            project=item_project(opened.run, token),
            job_id=opened.run.job_id,
            version=opened.run.version,
            version_id=opened.run.version_id,
            status=RunStatus.EXECUTING,
            created_at=now,
            updated_at=now,
            started_at=now,
            trigger=Trigger("event", "run", run_id),
            parent=Parent(run_id, path, token),
            depth=opened.run.depth,
            item=index,
        )
        given = {"steps": step.wait.get("steps"), "item": item, "index": index}
        given["position"] = step.wait.get("position", {})
        given["total"] = step.total
        given["tolerate"] = int(step.wait.get("config", {}).get("tolerate_failures") or 0)
        created = Event(EventType.RUN_CREATED, now, None, {"input": opened.state.input, "given": given})
        begin = [created, Event(EventType.RUN_STARTED, now)]
        try:
            self._runs.create(Creation(run, begin, lease_until=now + LEASE, due_at=now + LEASE))
        except AlreadyThere:
            return True
        return True
