"""What is promised of work that attempts leave elsewhere, checked from the journals alone, by rules written apart from the engine's."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from simulation.leavings import Leavings, Name

from quintet.domain.events import Event, EventType
from quintet.domain.run import Run

if TYPE_CHECKING:
    from simulation.history import History

GRACE = timedelta(minutes=15)
"""How long after its run's end something may be at work: until a sweep that does not fail has come by."""
SETTLED = frozenset({EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_SKIPPED, EventType.STEP_CANCELED})


def check_left(history: "History") -> None:
    """Nothing is at work after the end; what was cut short was stopped, and nothing else was; late results changed nothing."""
    leavings = history.world.leavings
    runs = history.world.witness.runs
    assert not leavings.live, f"at work after the end of all: {sorted(leavings.live)}"
    cut: dict[str, set[Name]] = {"code": set(), "parked": set()}
    for run in runs.values():
        events = history.honest.runs.tail(run.id, 0)
        for leaves, tokens in cut_short(events).items():
            cut[leaves] |= {(run.id, token) for token in tokens}
        check_results(run, events)
        check_given_up(history, run)
    _same("told to end", leavings.leashed(), cut["code"])
    _same("stopped", leavings.stopped_jobs, cut["parked"])
    marked = [run_id for answer in history.marked for run_id in answer]
    assert len(marked) == len(set(marked)), f"marked twice: {marked}"
    wrong = [run_id for run_id in marked if (runs[run_id].error or {}).get("type") != "Zombie"]
    assert not wrong, f"marked, and no zombies: {wrong}"


def _same(what: str, done: set[Name], due: set[Name]) -> None:
    assert done == due, f"{what} without a reason: {sorted(done - due)}; never {what}: {sorted(due - done)}"


def cut_short(events: Iterable[Event]) -> dict[str, set[int]]:
    """The tokens of the attempts that left something and did not end by themselves, by what they left."""
    live: dict[str, tuple[str, int]] = {}
    found: dict[str, set[int]] = {"code": set(), "parked": set()}
    for number, event in enumerate(events, 1):
        path = event.path or ""
        if event.type is EventType.STEP_STARTED:
            live.pop(path, None)
            if "leaves" in event.data:
                live[path] = event.data["leaves"], number
        elif event.type in SETTLED and path in live:
            leaves, token = live.pop(path)
            by_itself = event.type is EventType.STEP_COMPLETED and "by" not in event.data
            if not by_itself and not (event.type is EventType.STEP_FAILED and "cut" not in event.data):
                found[leaves].add(token)
    return found


def check_results(run: Run, events: Iterable[Event]) -> None:
    """A step's result is that of the attempt that was live."""
    tokens: dict[str, int] = {}
    for number, event in enumerate(events, 1):
        path = str(event.path)
        if event.type is EventType.STEP_STARTED and "leaves" in event.data:
            tokens[path] = number
        if event.type is EventType.STEP_COMPLETED and path in tokens and "by" not in event.data:
            assert event.data["result"] == {"token": tokens[path]}, f"{run.id}: {event} of another attempt's work"


def check_given_up(history: "History", run: Run) -> None:
    """Only runs of reaped jobs are given up, and none of them works for longer than the deployment allows."""
    reaped = history.honest.journal.plan_of(run).reaped
    zombie = (run.error or {}).get("type") == "Zombie"
    assert reaped or not zombie, f"{run.id} was given up, and its job is not reaped"
    if reaped and run.duration is not None:
        limit = history.honest.zombies.after + GRACE
        assert run.duration <= limit.total_seconds(), f"{run.id} was at work for {run.duration} s"


def check_nothing_outlives_its_run(history: "History") -> None:
    """In the calm, whatever is at work has a run that is, or had one a moment ago."""
    now, begun = history.world.clock.now(), history.calm_since
    for run_id, token in history.world.leavings.live:
        run = history.world.witness.runs[run_id]
        ended = max(run.ended_at, begun) if run.ended_at is not None and begun is not None else now
        assert now - ended <= GRACE, f"{run_id} ended at {run.ended_at}, and attempt {token} is still at work"


def met(history: "History") -> dict[str, int]:
    """What happened to work elsewhere in this history, counted."""
    leavings: Leavings = history.world.leavings
    errors = [(run.error or {}).get("type") for run in history.world.witness.runs.values()]
    return {
        "given up": errors.count("Zombie"),
        "begun": len(leavings.begun),
        "stopped at work": leavings.saved,
        "kept from beginning": leavings.kept_away,
        "untold": leavings.untold,
    }
