"""When a run that rests should be looked at again, and what others are told of its rest."""

from datetime import datetime, timedelta

from quintet.domain import rules
from quintet.domain.state import RunState, StepState
from quintet.domain.status import RunStatus
from quintet.services.heartbeats import silent_at
from quintet.services.terms import CARRIED_CHECK, DUE_GRACE, RESTING_CHECK, UNTAKEN_CHECK

BRIEF_REST = timedelta(seconds=60)
"""A run that rests no longer stays `executing`: each change of status is a transaction with counters and indexes."""


def only_time(state: RunState) -> bool:
    """True when nothing from outside is awaited, which would have to wait for a backoff's end."""
    return not state.running and all(state.steps[path].wait.get("for") in {"time", "retry"} for path in state.waiting)


def worth_telling(state: RunState, now: datetime) -> bool:
    """True when the rest is long enough for the run to be called `waiting`."""
    moment = rules.next_moment(state)
    if moment is not None and moment - now < BRIEF_REST:
        return False
    return rules.resting_status(state) is RunStatus.WAITING and state.status is RunStatus.EXECUTING


def next_look(state: RunState, now: datetime, given_up_at: datetime | None = None) -> datetime:
    """When the sweep looks at the run, should nobody have woken it; at the latest when it would give it up."""
    if any(state.steps[path].carrier is None for path in state.running):
        far = UNTAKEN_CHECK
    elif state.running or any(_elsewhere(state.steps[path]) for path in state.waiting):
        far = CARRIED_CHECK
    else:
        far = RESTING_CHECK
    look = now + far
    if (moment := rules.next_moment(state)) is not None:
        look = min(look, moment + DUE_GRACE)
    for moment_of_its_own in (silent_at(state), given_up_at):
        look = look if moment_of_its_own is None else min(look, max(moment_of_its_own, now))
    return look


def _elsewhere(step: StepState) -> bool:
    return step.parked or step.wait.get("for") in {"child", "items"}
