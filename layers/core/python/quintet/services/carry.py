"""Enacts one step outside a burst and settles it."""

from quintet.domain import rules
from quintet.domain.events import EventType
from quintet.domain.rules import Draft
from quintet.services.attempts import Attempts
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.ports.world import Ids
from quintet.services.settling import Settling


class Carry:
    """The use case behind the Carry function."""

    def __init__(self, journal: Journal, ids: Ids, attempts: Attempts, settling: Settling, endings: Endings) -> None:
        self._journal = journal
        self._ids = ids
        self._attempts = attempts
        self._settling = settling
        self._endings = endings

    def __call__(self, run_id: str, path: str, token: int) -> None:
        """Does the attempt if it is still the live one, appends its outcome and wakes the run."""
        opened = self._take(run_id, path, token)
        if opened is None:
            return
        outcome = self._attempts.enact_carried(opened.run, opened.state, path)

        def decision(current: OpenRun, draft: Draft) -> None:
            if reason := rules.fence(current.state, path, token):
                if not current.state.status.terminal:
                    draft.add(EventType.LATE_REFUSED, path, token=token, reason=reason)
            else:
                self._settling.settle(draft, path, outcome)

        self._journal.decide(run_id, decision)
        self._endings.wake(run_id)

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
