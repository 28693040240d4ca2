"""Jobs that follow other jobs: the edge, its condition, and how an upstream run ended."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from quintet.domain.status import TERMINAL, RunStatus


class Condition(StrEnum):
    """How an upstream run must end for the downstream job to follow."""

    COMPLETED = "completed"
    FAILED = "failed"
    ANY = "any"

    def holds(self, status: RunStatus) -> bool:
        """True when a run that ended like this satisfies the condition. A canceled or expired run has not failed: only ANY takes it."""
        return status in _HOLDS[self]


_HOLDS = {
    Condition.COMPLETED: frozenset({RunStatus.COMPLETED}),
    Condition.FAILED: frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.CRASHED, RunStatus.SYSTEM_FAILED}),
    Condition.ANY: TERMINAL,
}


@dataclass(frozen=True, slots=True)
class JobDependency:
    """An edge: `job_id` follows `depends_on_job_id`."""

    id: str
    job_id: str
    depends_on_job_id: str
    condition: Condition
    created_at: datetime


@dataclass(frozen=True, slots=True)
class UpstreamEnd:
    """How a run of an upstream job ended; `result` in the form that payloads are stored in."""

    job_id: str
    run_id: str
    status: RunStatus
    ended_at: datetime
    result: Any = None

    @property
    def order(self) -> tuple[datetime, str]:
        """What tells the newer of two ends."""
        return self.ended_at, self.run_id


Neighbours = Callable[[str], Iterable[str]]


def leads_to(start: str, goal: str, onward: Neighbours, back: Neighbours) -> bool:
    """True when a way leads from one node to the other. Looks from both ends, always from the one where less was found so far, so that
    it costs next to nothing when one of them has few nodes behind it."""
    if start == goal:
        return True
    seen_ahead, seen_behind = {start}, {goal}
    ahead, behind = [start], [goal]
    while ahead and behind:
        if len(seen_ahead) < len(seen_behind):
            ahead = _step(ahead, seen_ahead, onward)
        else:
            behind = _step(behind, seen_behind, back)
        if not seen_ahead.isdisjoint(seen_behind):
            return True
    return False


def _step(front: list[str], seen: set[str], neighbours: Neighbours) -> list[str]:
    found = []
    for node in front:
        for other in neighbours(node):
            if other not in seen:
                seen.add(other)
                found.append(other)
    return found
