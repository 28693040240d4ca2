"""Reads runs for people and programs."""

from typing import Any

from quintet.domain.errors import NotFound
from quintet.domain.events import Event
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.domain.waiting import reasons
from quintet.services.journal import Journal
from quintet.services.payloads import Payloads
from quintet.services.ports.runs import Runs
from quintet.services.ports.world import Clock
from quintet.services.scope import Scopes


class Reading:
    """The queries over one run; another project's run is not found."""

    def __init__(self, runs: Runs, journal: Journal, payloads: Payloads, clock: Clock) -> None:
        self._clock = clock
        self._runs = runs
        self._journal = journal
        self._scopes = Scopes(payloads)

    def run(self, project: str, run_id: str) -> Run:
        """The run's item. Raises NotFound."""
        return _own(self._runs.get(run_id), project)

    def state(self, project: str, run_id: str) -> tuple[Run, RunState]:
        """The run with its folded journal. Raises NotFound."""
        opened = self._journal.open(run_id)
        return _own(opened.run, project), opened.state

    def events(self, run_id: str, after: int, limit: int | None = None) -> list[tuple[int, Event]]:
        """Up to `limit` events (None: all) with their numbers, from `after`+1 on."""
        return list(enumerate(self._runs.tail(run_id, after, limit), after + 1))

    def outputs(self, state: RunState) -> dict[str, Any]:
        """What the run produced: its last steps' results by key."""
        return self._scopes.outputs(state)

    def waiting(self, project: str, run_id: str) -> list[dict[str, Any]]:
        """Why the run waits: {reason, step, since, until, detail} for each thing it waits for."""
        run, state = self.state(project, run_id)
        return reasons(run, state, self._clock.now())


def _own(run: Run, project: str) -> Run:
    if run.project != project:
        raise NotFound("no such run")
    return run
