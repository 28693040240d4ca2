"""What a journal means."""

import sys
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from random_journals import START, journals

from quintet.domain.definition import OnFailure, Plan, RetryPolicy, StepDef
from quintet.domain.events import Event, EventType, to_millis
from quintet.domain.fold import extend, fold
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus, StepStatus

FEW = settings(max_examples=150, deadline=None, derandomize=True, database=None)
T = EventType


def event(type_: EventType, path: str | None = None, after: float = 0, **data: Any) -> Event:
    """One fact, some seconds after the start."""
    return Event(type_, START + timedelta(seconds=after), path, data)


def begun(*steps: StepDef, timeout: float | None = None) -> RunState:
    """A run that has just started."""
    return fold("r", Plan(steps, timeout), [event(T.RUN_CREATED, input=1), event(T.RUN_STARTED)])


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        (T.RUN_DELAYED, RunStatus.DELAYED),
        (T.RUN_QUEUED, RunStatus.QUEUED),
        (T.RUN_STARTED, RunStatus.EXECUTING),
        (T.RUN_WAITING, RunStatus.WAITING),
        (T.RUN_RESUMED, RunStatus.EXECUTING),
        (T.RUN_PAUSED, RunStatus.PAUSED),
        (T.RUN_COMPLETED, RunStatus.COMPLETED),
        (T.RUN_FAILED, RunStatus.FAILED),
        (T.RUN_TIMED_OUT, RunStatus.TIMED_OUT),
        (T.RUN_CRASHED, RunStatus.CRASHED),
        (T.RUN_SYSTEM_FAILED, RunStatus.SYSTEM_FAILED),
        (T.RUN_CANCELED, RunStatus.CANCELED),
        (T.RUN_EXPIRED, RunStatus.EXPIRED),
    ],
)
def test_each_run_event_gives_its_status(type_: EventType, status: RunStatus) -> None:
    """A terminal one ends the run: its time is kept, and nothing is left to do."""
    state = extend(begun(StepDef("a", "work")), [event(type_, after=5, error={"type": "E"})])
    assert state.status is status
    assert (state.ended_at == START + timedelta(seconds=5)) == status.terminal
    if status.terminal:
        assert not any((state.ready, state.running, state.waiting, state.turns, state.timed, state.failing))
        assert state.error == {"type": "E"}


A, AGAIN = "a", {"retry_at": to_millis(START) + 9000}
STARTED = event(T.STEP_STARTED, A, attempt=1, deadline=to_millis(START) + 60_000)


@pytest.mark.parametrize(
    ("events", "status", "index", "attempt"),
    [
        ([], StepStatus.PENDING, "ready", 0),
        ([STARTED], StepStatus.RUNNING, "running", 1),
        ([STARTED, event(T.STEP_FAILED, A, error={}, **AGAIN)], StepStatus.WAITING, "waiting", 1),
        (
            [STARTED, event(T.STEP_FAILED, A, error={}, **AGAIN), event(T.STEP_STARTED, A)],
            StepStatus.RUNNING,
            "running",
            2,
        ),
        ([event(T.STEP_WAITING, A, 0, **{"for": "time"})], StepStatus.WAITING, "waiting", 1),
        ([STARTED, event(T.STEP_WAITING, A, 0, **{"for": "child"})], StepStatus.WAITING, "waiting", 1),
        ([STARTED, event(T.STEP_WAITING, A, 0, **{"for": "parked"})], StepStatus.RUNNING, "waiting", 1),
        ([STARTED, event(T.STEP_COMPLETED, A)], StepStatus.COMPLETED, None, 1),
        ([event(T.STEP_COMPLETED, A)], StepStatus.COMPLETED, None, 1),
        ([STARTED, event(T.STEP_FAILED, A, error={})], StepStatus.FAILED, None, 1),
        ([event(T.STEP_SKIPPED, A, reason="condition")], StepStatus.SKIPPED, None, 0),
        ([event(T.STEP_CANCELED, A)], StepStatus.CANCELED, None, 0),
        ([STARTED, event(T.STEP_CANCELED, A)], StepStatus.CANCELED, None, 1),
        ([STARTED, event(T.STEP_PROGRESS, A, done=1)], StepStatus.RUNNING, "running", 1),
        ([STARTED, event(T.LATE_REFUSED, A)], StepStatus.RUNNING, "running", 1),
    ],
)
def test_each_step_event_gives_its_status(
    events: list[Event], status: StepStatus, index: str | None, attempt: int
) -> None:
    """A step stands in exactly the index of its status, and counts its attempts."""
    state = extend(begun(StepDef(A, "work", retry=RetryPolicy(3))), events)
    step = state.steps[A]
    assert (step.status, step.attempt) == (status, attempt)
    assert {name for name in ("ready", "running", "waiting") if A in getattr(state, name)} == ({index} - {None})
    assert (A in state.timed) == (step.deadline is not None)


def test_a_dependant_is_ready_when_the_last_dependency_has_settled() -> None:
    """However each of them ended."""
    state = begun(
        StepDef("a", "w"), StepDef("b", "w", on_failure=OnFailure.CONTINUE), StepDef("c", "w", depends_on=("a", "b"))
    )
    assert list(state.ready) == ["a", "b"]
    extend(state, [event(T.STEP_SKIPPED, "a")])
    assert "c" not in state.ready
    extend(state, [event(T.STEP_FAILED, "b", error={})])
    assert list(state.ready) == ["c"]


def test_a_reused_result_settles_without_an_attempt_of_its_own() -> None:
    """What a retry takes over before its start counts as done."""
    plan = Plan((StepDef("a", "w"), StepDef("b", "w", depends_on=("a",))))
    state = fold(
        "r", plan, [event(T.RUN_CREATED), event(T.STEP_COMPLETED, "a", reused_from="r0"), event(T.RUN_STARTED)]
    )
    assert (state.steps["a"].reused_from, list(state.ready)) == ("r0", ["b"])


def test_iterations_have_frames_of_their_own() -> None:
    """Opening one makes its steps; closing it gives the loop its turn, and says whether it broke."""
    body = (StepDef("x", "w"), StepDef("y", "w", depends_on=("x",)))
    state = begun(StepDef("l", "loop", body=body, retry=RetryPolicy(2)))
    extend(state, [event(T.STEP_STARTED, "l")])
    assert list(state.turns) == ["l"]
    state.turns.clear()
    extend(state, [event(T.FRAME_OPENED, "l", index=1), event(T.STEP_COMPLETED, "l[1].x")])
    assert list(state.ready) == ["l[1].y"]
    assert not state.turns
    extend(state, [event(T.STEP_FAILED, "l[1].y", error={})])
    loop = state.steps["l"]
    assert (list(state.turns), loop.opened, loop.closed, loop.broken) == (["l"], 1, 1, 1)
    extend(state, [event(T.STEP_FAILED, "l", error={}, **AGAIN), event(T.STEP_STARTED, "l")])
    assert (loop.opened, loop.closed, loop.broken, loop.attempt) == (0, 0, 0, 2)
    assert list(state.steps) == ["l"]
    assert list(state.frames) == [""]


def test_each_attempt_has_a_token_of_its_own() -> None:
    """Also those of a body's steps, which count their attempts anew in each attempt of the loop."""
    state = begun(StepDef("a", "w", retry=RetryPolicy(3)))
    tokens = []
    for _ in range(3):
        extend(state, [event(T.STEP_STARTED, "a")])
        tokens.append(state.steps["a"].token)
        extend(state, [event(T.STEP_FAILED, "a", error={}, **AGAIN)])
    assert tokens == sorted(set(tokens))


@FEW
@given(journals())
def test_indexes_say_what_a_look_at_every_step_would(journal: tuple[Plan, list[Event]]) -> None:
    """After every event of any journal the indexes hold exactly the steps they should."""
    plan, events = journal
    state = RunState("r", plan)
    for item in events:
        extend(state, [item])
        if state.status.terminal:
            break
        by = {status: [p for p, s in state.steps.items() if s.status is status] for status in StepStatus}
        ready = {p for p in by[StepStatus.PENDING] if not state.steps[p].unmet}
        assert set(state.ready) == ready
        at_work = {p for p in by[StepStatus.RUNNING] if not state.steps[p].composite}
        parked = {p for p in at_work if state.steps[p].parked}
        assert set(state.running) == at_work - parked
        assert set(state.waiting) == {*by[StepStatus.WAITING], *parked}
        assert set(state.timed) == {p for p, s in state.steps.items() if s.deadline}
        for frame in state.frames.values():
            assert frame.open == sum(not state.steps[path].status.settled for path in frame.paths)
        for path, step in state.steps.items():
            needed = [state.steps[step.prefix + key] for key in step.define.depends_on]
            assert step.unmet == sum(not other.status.settled for other in needed), path


# --- what is left at work elsewhere --------------------------------------------------------------------------------------------


def left(events: list[Event]) -> set[str]:
    """What a look at every event finds left at work, by rules written apart from the fold's."""
    live: dict[str, str] = {}
    ended: list[tuple[int, str]] = []
    for number, one in enumerate(events, 1):
        path = one.path or ""
        if one.type is T.STEP_STARTED:
            live.pop(path, None)
            if "leaves" in one.data:
                live[path] = f"{one.data['leaves']} of {number}"
        by_itself = one.type is T.STEP_COMPLETED and "by" not in one.data
        if by_itself or (one.type is T.STEP_FAILED and "cut" not in one.data):
            live.pop(path, None)
        elif one.type in {T.STEP_COMPLETED, T.STEP_FAILED, T.STEP_SKIPPED, T.STEP_CANCELED} and path in live:
            ended.append((number, live.pop(path)))
        elif one.type is T.RUN_CLEARED:
            ended = [entry for entry in ended if entry[0] > one.data["until"]]
    return {name for _, name in ended}


@FEW
@given(journals())
def test_what_is_cut_short_is_left_and_what_ended_by_itself_is_not(journal: tuple[Plan, list[Event]]) -> None:
    """After every event of any journal: the attempts that were cut short, until they are known to be stopped, and no others."""
    plan, events = journal
    state = RunState("r", plan)
    for number, item in enumerate(events, 1):
        extend(state, [item])
        assert set(state.abandoned) == left(events[:number])


# --- cost --------------------------------------------------------------------------------------------------------------------


def calls_of(act: Callable[[], object]) -> int:
    """How many Python calls something makes: a measure of work that no clock disturbs."""
    count = 0

    def note(_frame: FrameType, kind: str, _arg: object) -> None:
        nonlocal count
        count += kind in {"call", "c_call"}

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


def chain(count: int) -> tuple[Plan, list[Event]]:
    """A chain that ran through."""
    steps = tuple(StepDef(f"s{i}", "w", depends_on=(f"s{i - 1}",) if i else ()) for i in range(count))
    events = [event(T.RUN_CREATED), event(T.RUN_STARTED)]
    for step in steps:
        events += [
            event(T.STEP_STARTED, step.key, deadline=to_millis(START)),
            event(T.STEP_COMPLETED, step.key, result={}),
        ]
    return Plan(steps), [*events, event(T.RUN_COMPLETED)]


def loop(count: int) -> tuple[Plan, list[Event]]:
    """A loop of so many iterations."""
    events = [event(T.RUN_CREATED), event(T.RUN_STARTED), event(T.STEP_STARTED, "l")]
    for i in range(1, count + 1):
        path = f"l[{i}].x"
        events += [event(T.FRAME_OPENED, "l", index=i), event(T.STEP_STARTED, path), event(T.STEP_COMPLETED, path)]
    return Plan((StepDef("l", "loop", body=(StepDef("x", "w"),)),)), [*events, event(T.STEP_COMPLETED, "l")]


def fan(count: int) -> tuple[Plan, list[Event]]:
    """One step, many beside each other, one that joins them."""
    many = [f"s{i}" for i in range(count)]
    steps = (
        StepDef("root", "w"),
        *(StepDef(key, "w", depends_on=("root",)) for key in many),
        StepDef("join", "w", depends_on=tuple(many)),
    )
    keys = ["root", *many, "join"]
    events = [event(T.RUN_CREATED), event(T.RUN_STARTED)]
    events += [event(T.STEP_STARTED, key) for key in keys[:1]] + [event(T.STEP_COMPLETED, "root")]
    events += [event(T.STEP_STARTED, key) for key in many] + [event(T.STEP_COMPLETED, key) for key in many]
    return Plan(steps), [*events, event(T.STEP_STARTED, "join"), event(T.STEP_COMPLETED, "join")]


@pytest.mark.parametrize("shape", [chain, loop, fan])
def test_a_fold_costs_as_much_as_its_events(shape: Callable[[int], tuple[Plan, list[Event]]]) -> None:
    """Eight times the events, eight times the work: nothing grows with what was there before."""

    def work(count: int) -> float:
        plan, events = shape(count)
        _ = plan.graph
        return calls_of(lambda: fold("r", plan, events)) / len(events)

    assert work(2000) <= 1.1 * work(250)
