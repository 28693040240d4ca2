"""Enacts one step outside a burst and settles it."""

from collections.abc import Callable
from datetime import timedelta

from quintet.domain import rules
from quintet.domain.events import EventType
from quintet.domain.rules import Draft
from quintet.services.attempts import Attempts
from quintet.services.burst import Advance
from quintet.services.endings import Endings
from quintet.services.engine import END
from quintet.services.journal import Journal, OpenRun
from quintet.services.ports.runs import Runs
from quintet.services.ports.world import Bursts, Clock, Ids
from quintet.services.settling import Settling
from quintet.services.terms import LEASE

LOOK = timedelta(seconds=3)
DRIVE_BEFORE = timedelta(minutes=8)
"""A carrier younger than this has time left for a slice of the run."""


class Carry:
    """The use case behind the Carry function."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        attempts: Attempts,
        settling: Settling,
        endings: Endings,
        advance: Advance,
        bursts: Bursts,
    ) -> None:
        self._runs = runs
        self._advance = advance
        self._bursts = bursts
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._attempts = attempts
        self._settling = settling
        self._endings = endings

    def __call__(self, run_id: str, path: str, token: int) -> None:
        """Does the attempt if it is still the live one, appends its outcome and wakes the run."""
        opened = self._take(run_id, path, token)
        if opened is None:
            return
        begun = self._clock.now()
        outcome = self._attempts.enact_carried(opened.run, opened.state, path, self._watch(run_id))

        def decision(current: OpenRun, draft: Draft) -> None:
            if reason := rules.fence(current.state, path, token):
                if not current.state.status.terminal:
                    draft.add(EventType.LATE_REFUSED, path, token=token, reason=reason)
            else:
                self._settling.settle(draft, path, outcome)

        settled, _ = self._journal.decide(run_id, decision)
        # With others still at work, each would drive the run for nothing: one burst hears of many ends at once.
        if not settled.state.running and self._clock.now() - begun < DRIVE_BEFORE:
            self._drive(run_id)
        else:
            self._endings.wake(run_id)

    def _drive(self, run_id: str) -> None:
        """Goes on with the run itself, rather than start a burst for the little that mostly is left; a burst takes over what is more."""
        epoch = self._runs.wake(run_id, self._clock.now() + LEASE)
        if epoch is None:
            return
        if self._advance(run_id, epoch, 0, 0, self._ids.new()) != END:
            taken = self._runs.reclaim(run_id, epoch, self._clock.now() + LEASE)
            if taken is not None:
                self._bursts.start(run_id, taken)

    def _watch(self, run_id: str) -> Callable[[], bool]:
        """Looks every LOOK whether the run has ended, so that what nobody waits for is not waited for here."""
        looked = self._clock.now()

        def stopped() -> bool:
            nonlocal looked
            if self._clock.now() - looked < LOOK:
                return False
            looked = self._clock.now()
            return self._journal.ended(run_id)

        return stopped

    def _take(self, run_id: str, path: str, token: int) -> OpenRun | None:
        """The run, with the attempt marked as this invocation's; None when it is over, or another invocation's. Prevents a call that is
        delivered twice from doing the attempt twice."""
        carrier = self._ids.new()

        def decision(opened: OpenRun, draft: Draft) -> bool:
            if rules.fence(opened.state, path, token) is not None or opened.state.steps[path].carrier is not None:
                return False
            draft.add(EventType.STEP_CARRIED, path, carrier=carrier)
            return True

        opened, mine = self._journal.decide(run_id, decision)
        return opened if mine else None
