"""What a run's face says of its slots, its queue and its bursts: one set of rules for every store.

A run that has not started holds none of its slots but its waiting ones, and only admission starts it. A started run holds all its slots
until its end, paused or not, and no waiting one.
"""

from collections.abc import Sequence
from dataclasses import replace

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
    return _once(run.slots)


def slots_taken(run: Run) -> list[Slot]:
    """The slots that a new run takes: what it needs to be active, or to wait."""
    return _once(run.waits) if unstarted(run) else slots_of(run)


def slots_freed(run: Run, was: RunStatus) -> list[Slot]:
    """The slots that an ended run may have held while it `was` in that state."""
    began = run.started_at is not None or was not in ADMISSIBLE | _BEFORE_OR_BETWEEN
    return _once((*(run.slots if began else ()), *run.waits))


def places_passed_on(new: Run, old: Run) -> list[str]:
    """The names of the waiting slots of which a new run takes the place of the one that it replaces."""
    held = {slot.name for slot in old.waits}
    return [slot.name for slot in _once(new.waits) if slot.name in held]


def admitted(run: Run) -> Run:
    """A run's face from its admission on: it waits no more."""
    return replace(run, waits=()) if run.waits else run


def _once(slots: Sequence[Slot]) -> list[Slot]:
    return list({slot.name: slot for slot in slots}.values())


def queue_of(slots: Sequence[Slot]) -> str | None:
    """The slot in whose queue a run with these slots stands first; None: in nobody's."""
    waited = [slot.name for slot in slots if not slot.refuses] or [slot.name for slot in slots]
    return waited[0] if waited else None
