"""Books what became of attempts: outcomes as journal events, large results in the blob store."""

from dataclasses import replace

from quintet.domain import rules
from quintet.domain.events import EventType, to_millis
from quintet.domain.outcome import Completed, Failed, Opens, Outcome, Waits
from quintet.domain.rules import Draft
from quintet.services.payloads import Payloads
from quintet.services.ports.world import Ids


class Settling:
    """Turns outcomes into events."""

    def __init__(self, payloads: Payloads, ids: Ids) -> None:
        self._payloads = payloads
        self._ids = ids

    def settle(self, draft: Draft, path: str, outcome: Outcome) -> None:
        """Books an outcome of the live attempt."""
        match outcome:
            case Completed(result, trace):
                draft.add(EventType.STEP_COMPLETED, path, result=result, trace=trace)
            case Failed(error, trace):
                rules.fail(draft, path, error, self._ids.chance(), trace)
            case Waits(for_, until, deadline, details, trace):
                until_ms = None if until is None else to_millis(until)
                deadline_ms = None if deadline is None else to_millis(deadline)
                told = {**details, "for": for_, "trace": trace}
                draft.add(EventType.STEP_WAITING, path, until=until_ms, deadline=deadline_ms, **told)
            case Opens(indexes):
                for index in indexes:
                    draft.add(EventType.FRAME_OPENED, path, index=index)

    def keep(self, outcome: Outcome) -> Outcome:
        """The outcome with its result as the journal keeps it; settle takes only such."""
        if not isinstance(outcome, Completed):
            return outcome
        return replace(outcome, result=self._payloads.put(outcome.result))
