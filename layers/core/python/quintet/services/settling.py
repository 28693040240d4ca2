"""Books what became of attempts: outcomes as journal events, large results in the blob store."""

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
            case Completed(result):
                draft.add(EventType.STEP_COMPLETED, path, result=result)
            case Failed(error):
                rules.fail(draft, path, error, self._ids.chance())
            case Waits(for_, until, deadline, details):
                until_ms = None if until is None else to_millis(until)
                deadline_ms = None if deadline is None else to_millis(deadline)
                draft.add(
                    EventType.STEP_WAITING, path, until=until_ms, deadline=deadline_ms, **{**details, "for": for_}
                )
            case Opens(indexes):
                for index in indexes:
                    draft.add(EventType.FRAME_OPENED, path, index=index)

    def keep(self, outcome: Outcome) -> Outcome:
        """The outcome with its result as the journal keeps it; settle takes only such."""
        return Completed(self._payloads.put(outcome.result)) if isinstance(outcome, Completed) else outcome
