"""Settles steps whose work was parked on a service of its own, when it ends, and finds what ended without a word."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quintet.domain import rules
from quintet.domain.errors import NotFound
from quintet.domain.events import EventType
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.attempts import Attempts
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.ports.runs import Runs
from quintet.services.ports.world import Clock, Ids, LogEntry, Logs, Parking
from quintet.services.settling import Settling
from quintet.services.terms import DUE_GRACE, UNTAKEN_CHECK


class SettleParked:
    """The use case behind the Settle function: the park machine's last call."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        attempts: Attempts,
        settling: Settling,
        endings: Endings,
        logs: Logs,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._runs = runs
        self._journal = journal
        self._attempts = attempts
        self._settling = settling
        self._endings = endings
        self._logs = logs
        self._clock = clock
        self._ids = ids

    def __call__(self, run_id: str, path: str, token: int, ended: Mapping[str, Any]) -> None:
        """Books what the work came to and wakes the run. An end that comes too late is refused and noted: in the journal while the run
        goes on, in its log when it has ended."""
        try:
            opened = self._journal.open(run_id)
        except NotFound:
            return
        late = rules.fence(opened.state, path, token)
        outcome = None if late else self._attempts.conclude_parked(opened.run, opened.state, path, ended)

        def decision(current: OpenRun, draft: Draft) -> None:
            reason = rules.fence(current.state, path, token)
            if reason is None and outcome is not None:
                # Should this process die between the append and the wake, the sweep finds the run by this.
                self._runs.postpone(run_id, draft.now + DUE_GRACE)
                self._settling.settle(draft, path, outcome)
            elif not current.state.status.terminal:
                draft.add(EventType.LATE_REFUSED, path, token=token, reason=reason)

        # One that had ended when it was opened stays ended.
        settled = opened if opened.state.status.terminal else self._journal.decide(run_id, decision)[0]
        if settled.state.status.terminal:
            self._log_late(settled.run, path, settled.state.status)
        else:
            self._endings.wake(run_id)

    def _log_late(self, run: Run, path: str, status: RunStatus) -> None:
        run_id, place = run.place(path)
        message = f"the end of the step's work came too late and was refused: the run is {status}"
        self._logs.write(run_id, [LogEntry(self._ids.new(), self._clock.now(), place, "warning", message)])


class UntoldEnds:
    """Finds parked work that is over although its step still waits for it: the machine was stopped, or could not tell."""

    def __init__(self, journal: Journal, parking: Parking) -> None:
        self._journal = journal
        self._parking = parking

    def hear(self, opened: OpenRun, now: datetime, *, restarted: bool = False) -> None:
        """Fails the attempts whose work is over; their policies decide what follows. Work that has just been handed over is not asked
        for, unless the machine was `restarted` since."""
        parked = [step for path in opened.state.waiting if (step := opened.state.steps[path]).parked]
        due = [step for step in parked if restarted or now - (step.attempted_at or now) >= UNTAKEN_CHECK]
        over = {step.path: step.token for step in due if not self._parking.at_work(opened.run.id, step.token)}
        if not over:
            return

        def decision(current: OpenRun, draft: Draft) -> None:
            for path, token in over.items():
                if rules.fence(current.state, path, token) is None:
                    rules.fail(draft, path, rules.UNTOLD)

        self._journal.decide(opened.run.id, decision)
        self._journal.refresh(opened)
