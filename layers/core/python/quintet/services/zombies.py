"""Gives up zombies: runs of reaped jobs that have been at work for too long."""

import logging
from datetime import datetime, timedelta

from quintet.domain import rules
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.ports.runs import RunList, Runs
from quintet.services.ports.world import Clock

log = logging.getLogger(__name__)

LIVE = frozenset({RunStatus.EXECUTING, RunStatus.WAITING, RunStatus.PAUSED})
PAGE = 100


class Zombies:
    """Ends zombies as crashed, and stops what they left at work. A result that arrives later is refused like any other late one.

    A run is at work from its start on: one that is queued, delayed or held back before it is none, one that was paused since is.
    """

    def __init__(self, runs: Runs, journal: Journal, endings: Endings, clock: Clock, after: timedelta) -> None:
        """`after` is how long the deployment lets them work."""
        self._runs = runs
        self._journal = journal
        self._endings = endings
        self._clock = clock
        self.after = after

    def mark(self, project: str, older: timedelta) -> list[Run]:
        """Gives up the project's runs that began at least so long ago; those that it gave up. Reads what is live, nothing that ended."""
        cutoff = self._clock.now() - older
        marked: list[Run] = []
        cursor: str | None = None
        while True:
            page = self._runs.browse(RunList(project, statuses=LIVE), PAGE, cursor)
            for run in page.runs:
                if run.started_at is not None and run.started_at <= cutoff:
                    marked += self._marked(run, older)
            cursor = page.cursor
            if cursor is None:
                return marked

    def due_at(self, opened: OpenRun) -> datetime | None:
        """When the sweep gives a run up; None: never."""
        began = opened.state.started_at
        return began + self.after if opened.state.plan.reaped and began is not None else None

    def give_up_due(self, opened: OpenRun, now: datetime) -> bool:
        """Gives a run up whose time is over; True when it did."""
        due = self.due_at(opened)
        return due is not None and due <= now and self._give_up(opened.run, self.after) is not None

    def _marked(self, run: Run, older: timedelta) -> list[Run]:
        try:
            found = self._give_up(run, older) if self._journal.plan_of(run).reaped else None
        except Exception:  # one run's trouble must not save the others
            log.exception("run %s could not be given up", run.id)
            found = None
        return [] if found is None else [found]

    def _give_up(self, run: Run, older: timedelta) -> Run | None:
        def decision(opened: OpenRun, draft: Draft) -> bool:
            if opened.state.status.terminal:
                return False
            rules.give_up(draft, older)
            return True

        opened, gave_up = self._journal.decide(run.id, decision)
        if not gave_up:
            return None
        try:
            self._endings.after(opened.run, opened.state)
        except Exception:  # it has been given up; the sweep repeats what follows
            log.exception("what follows the end of run %s is left to the sweep", run.id)
        return opened.run
