"""Books what became of attempts: outcomes as journal events, large results in the blob store."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quintet.domain import rules
from quintet.domain.events import EventType, to_millis
from quintet.domain.jsontext import compact
from quintet.domain.outcome import Completed, Ends, Failed, Opens, Outcome, Waits
from quintet.domain.rules import Draft
from quintet.services.payloads import Payloads
from quintet.services.ports.world import Ids

log = logging.getLogger(__name__)

NOTES_BYTES = 4096
"""The most that an outcome's notes may have, as JSON: every list of runs carries them."""


_ENDS = {
    "completed": EventType.RUN_COMPLETED,
    "failed": EventType.RUN_FAILED,
    "canceled": EventType.RUN_CANCELED,
}


class Settling:
    """Turns outcomes into events."""

    def __init__(self, payloads: Payloads, ids: Ids) -> None:
        self._payloads = payloads
        self._ids = ids

    def settle(self, draft: Draft, path: str, outcome: Outcome) -> None:
        """Books an outcome of the live attempt."""
        match outcome:
            case Completed(result, trace, notes, sets):
                self._note(draft, notes)
                if sets:
                    draft.add(EventType.RUN_SET, path, values=dict(sets))
                draft.add(EventType.STEP_COMPLETED, path, result=result, trace=trace)
            case Failed(error, trace, notes, cut):
                self._note(draft, notes)
                rules.fail(draft, path, error, self._ids.chance(), trace, cut=cut)
            case Waits(for_, until, deadline, details, trace):
                until_ms = None if until is None else to_millis(until)
                deadline_ms = None if deadline is None else to_millis(deadline)
                told = {**details, "for": for_, "trace": trace}
                draft.add(EventType.STEP_WAITING, path, until=until_ms, deadline=deadline_ms, **told)
            case Ends(status, reason, result):
                draft.add(EventType.STEP_COMPLETED, path, result=result)
                failure = {"type": "Terminated", "message": reason or "the run was ended by its own step", "step": path}
                rules.terminate(draft, _ENDS[status], failure if status == "failed" else None, f"step {path}")
            case Opens(indexes):
                for index in indexes:
                    draft.add(EventType.FRAME_OPENED, path, index=index)

    @staticmethod
    def _note(draft: Draft, notes: Mapping[str, Any] | None) -> None:
        if not notes:
            return
        if (size := len(compact(dict(notes)).encode())) > NOTES_BYTES:
            # They lie in the run's item: the step's end counts for more than what lists would show of it.
            log.error("notes of %s bytes on run %s are left out", size, draft.state.run_id)
            return
        draft.add(EventType.RUN_NOTED, metadata=dict(notes))

    def keep(self, outcome: Outcome) -> Outcome:
        """The outcome with its result as the journal keeps it; settle takes only such."""
        if not isinstance(outcome, (Completed, Ends)):
            return outcome
        kept = replace(outcome, result=self._payloads.put(outcome.result))
        if isinstance(kept, Completed) and kept.sets:
            return replace(kept, sets={name: self._payloads.put(value) for name, value in kept.sets.items()})
        return kept
