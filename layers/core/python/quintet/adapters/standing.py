"""What a run's face says of its slots, its queue and its bursts: one set of rules for every store.

A run that has not started holds no slot, and only admission starts it. A started run holds all its slots until its end, paused or not.
"""

from collections.abc import Sequence

from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus

ADMISSIBLE = frozenset({RunStatus.QUEUED, RunStatus.DELAYED})
"""The states from which admission starts a run."""
_BEFORE_OR_BETWEEN = frozenset({RunStatus.WAITING, RunStatus.PAUSED})
"""States that a run may be in before its start as well as after it."""


def unstarted(run: Run) -> bool:
    """True for a run that has not begun: delayed, queued, or held back before its start."""
    return run.status in ADMISSIBLE or (run.status in _BEFORE_OR_BETWEEN and run.started_at is None)


def unwakeable(run: Run) -> bool:
    """True for a run that no wake may start a burst for: unstarted, or paused."""
    return unstarted(run) or run.status is RunStatus.PAUSED


def slots_of(run: Run) -> list[Slot]:
    """The run's slots, each name once."""
    return list({slot.name: slot for slot in run.slots}.values())


def slots_taken(run: Run) -> list[Slot]:
    """The slots that a new run takes."""
    return [] if unstarted(run) else slots_of(run)


def slots_freed(run: Run, was: RunStatus) -> list[Slot]:
    """The slots that an ended run may have held while it `was` in that state."""
    began = run.started_at is not None or was not in ADMISSIBLE | _BEFORE_OR_BETWEEN
    return slots_of(run) if began else []


def queue_of(slots: Sequence[Slot]) -> str | None:
    """The slot in whose queue a run with these slots stands first; None: in nobody's."""
    waited = [slot.name for slot in slots if not slot.refuses] or [slot.name for slot in slots]
    return waited[0] if waited else None
