"""Shows stored JSON values so that an answer stays within what a gateway carries: large ones by a URL that reads them."""

from collections.abc import Mapping
from typing import Any

from quintet.dialects.jobs.views_runs import NOTHING, Value
from quintet.domain.rules import outputs, sinks
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus
from quintet.services.payloads import Payloads

WHOLE_BYTES = 1024 * 1024
"""Up to this a run shows its payload and its result."""
PART_BYTES = 64 * 1024
"""Up to this a list shows each value in it."""
ANSWER_BYTES = 2 * 1024 * 1024
"""A page of a list ends when its values come to this."""


class Values:
    """The values of one answer."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self.shown = 0

    @property
    def full(self) -> bool:
        """True when no more values should go into this answer."""
        return self.shown >= ANSWER_BYTES

    def show(self, stored: Any, most: int = PART_BYTES) -> Value:
        """A stored value, by URL when it is above `most` bytes."""
        if stored is None:
            return NOTHING
        size = self._payloads.size(stored)
        if size <= most:
            self.shown += size
            return Value(self._payloads.get(stored))
        link = self._payloads.link(stored)
        return Value(url=link or self._payloads.link(self._payloads.put(self._payloads.get(stored), apart=True)))

    def result(self, run: Run, state: RunState) -> Value:
        """What a completed run produced as one value: that of its only last step, else of each by key."""
        if run.status is not RunStatus.COMPLETED:
            return NOTHING
        stored, last = outputs(state), sinks(state)
        if len(last) == 1:
            return self.show(stored.get(last[0]), WHOLE_BYTES)
        if sum(self._payloads.size(one) for one in stored.values()) <= WHOLE_BYTES:
            return Value(self._together(stored))
        return self.show(self._payloads.put(self._together(stored), apart=True), 0)

    def _together(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._payloads.get(one) for key, one in stored.items()}
