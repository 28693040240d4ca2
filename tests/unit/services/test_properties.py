"""Random runs under random crashes end as the rules demand."""

import zlib
from collections import Counter
from dataclasses import replace

import pytest
from engine_stage import ProcessDied, Stage
from hypothesis import given, settings
from hypothesis import strategies as st
from random_plans import crashes, frames
from rules_model import COMPLETED, FAILED, SKIPPED, Verdict, verdict

from quintet.domain.definition import Graph, OnFailure, RetryPolicy, StepDef
from quintet.domain.events import Event, EventType
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.ports.http import HttpAnswer, HttpRequest

ENDS = {
    EventType.STEP_COMPLETED: COMPLETED,
    EventType.STEP_SKIPPED: SKIPPED,
    EventType.STEP_CANCELED: "canceled",
}
FEW = settings(max_examples=150, deadline=None, derandomize=True, database=None)
MANY = settings(max_examples=5000, deadline=None, database=None)

Lost = set[tuple[str, int, tuple[int, ...]]]


def outcome(seed: int, path: str, attempt: int) -> str:
    """What an attempt comes to when nothing dies: the same whenever it is asked."""
    chance = zlib.crc32(f"{seed} {path} {attempt}".encode()) % 100
    return "again" if chance < 20 else "final" if chance < 30 else "ok"


class Storm:
    """Kills the process that makes certain port calls."""

    def __init__(self, points: list[tuple[int, str]]) -> None:
        self.points = list(points)
        self.calls = 0

    def __call__(self, when: str, name: str) -> None:
        """Counts calls; dies at the next point."""
        self.calls += when == "before"
        if self.points and self.points[0][1] == when and self.calls >= self.points[0][0]:
            self.points.pop(0)
            self.calls = 0
            raise ProcessDied(f"{when} {name}")


def play(steps: tuple[StepDef, ...], seed: int, points: list[tuple[int, str]]) -> tuple[Stage, str]:
    """A whole run of a plan under crashes, with a sweep a minute."""
    stage = Stage(pool_size=3)

    def answer(request: HttpRequest) -> HttpAnswer:
        path = request.headers["Idempotency-Key"].split(":", 1)[1]
        attempt = int(request.url.rsplit("/", 1)[1])
        status = {"ok": 200, "again": 500, "final": 400}[outcome(seed, path, attempt)]
        stage.http.calls.append(replace(request, url=path))
        stage.take(float(zlib.crc32(path.encode()) % 4))
        return HttpAnswer(status, {}, b"", request.url, {})

    stage.http.answer = answer
    run_id = stage.trigger(stage.define(*steps), {"n": 1, "yes": True, "no": False})
    stage.hooks.append(Storm(points))
    for _ in range(400):
        stage.play(60)
        if stage.status(run_id).terminal:
            break
        try:
            stage.services.sweep()
        except ProcessDied:
            continue
    stage.hooks.clear()
    return stage, run_id


def owners(path: str) -> list[str]:
    """The loops and maps around a path, outermost first."""
    return [path[:position] for position, letter in enumerate(path) if letter == "["]


def lost_attempts(events: list[Event]) -> Lost:
    """The attempts that went down with their process."""
    attempts: Counter[str] = Counter()
    lost: Lost = set()
    for event in events:
        if event.type is EventType.STEP_STARTED and event.path:
            attempts[event.path] = event.data["attempt"]
        if event.type is EventType.STEP_FAILED and event.path and event.data["error"]["type"] in {"Crashed", "Timeout"}:
            around = tuple(attempts[owner] for owner in owners(event.path))
            lost.add((event.path, event.data["attempt"], around))
    return lost


def check_order(graph: Graph, events: list[Event]) -> None:
    """No step starts or ends before all it depends on have ended; nothing ends twice or after the run."""
    graphs, ended = {"": graph}, set[str]()
    for number, event in enumerate(events, 1):
        path = event.path
        if path is None or event.type is EventType.LATE_REFUSED:
            continue
        prefix, key = path[: path.rfind(".") + 1], path[path.rfind(".") + 1 :]
        assert path not in ended, f"{number}: {event.type} of {path}, which had ended"
        if event.type is EventType.FRAME_OPENED:
            inside = f"{path}[{event.data['index']}]."
            graphs[inside] = graphs[prefix].bodies[key]
            ended -= {known for known in ended if known.startswith(inside)}
            continue
        if event.type is not EventType.STEP_CANCELED:
            waiting = [k for k in graphs[prefix].by_key[key].depends_on if prefix + k not in ended]
            assert not waiting, f"{number}: {event.type} of {path} before the end of {waiting}"
        if event.type in ENDS or (event.type is EventType.STEP_FAILED and "retry_at" not in event.data):
            ended.add(path)


def check_ends(stage: Stage, run_id: str, demanded: Verdict) -> None:
    """The run and each step stand where the rules want them; what a failure cut short may be canceled instead."""
    state = stage.state(run_id)
    assert state.status is (RunStatus.FAILED if demanded.failed else RunStatus.COMPLETED)
    for path, step in state.steps.items():
        if step.status is StepStatus.CANCELED:
            cut = [frame for frame in state.frames.values() if path.startswith(frame.prefix) and frame.failed_by]
            above = [owner for owner in owners(path) if state.steps[owner].status is not StepStatus.COMPLETED]
            assert cut or above, f"{path} was canceled for no reason"
        else:
            assert step.status.value == demanded.ends.get(path), f"{path}: {step.status}, not {demanded.ends.get(path)}"
    if not demanded.failed:
        root = {step.key for step in state.plan.steps}
        assert {path: end for path, end in demanded.ends.items() if path in root} == {
            path: state.steps[path].status.value for path in root
        }


def check_effects(stage: Stage, events: list[Event]) -> None:
    """An attempt that the journal knows is enacted at most once."""
    started = Counter(event.path for event in events if event.type is EventType.STEP_STARTED)
    for path, count in Counter(request.url for request in stage.http.calls).items():
        assert count <= started[path], f"{path} was called {count} times in {started[path]} attempts"


def check(steps: tuple[StepDef, ...], seed: int, points: list[tuple[int, str]]) -> None:
    """One history."""
    stage, run_id = play(steps, seed, points)
    events = stage.events(run_id)
    lost = lost_attempts(events)
    pure = _pure(steps)

    def outcomes(path: str, attempt: int, around: tuple[int, ...]) -> str:
        if (path, attempt, around) in lost:
            return "again"
        return "ok" if _plain(path) in pure else outcome(seed, path, attempt)

    demanded = verdict(steps, outcomes, lambda when: when == "input.yes")
    check_order(Graph(steps), events)
    check_ends(stage, run_id, demanded)
    check_effects(stage, events)


def _plain(path: str) -> str:
    """A path without its indexes."""
    return ".".join(part.split("[")[0] for part in path.split("."))


def _pure(steps: tuple[StepDef, ...], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for step in steps:
        if step.kind in {"set", "wait"}:
            found.add(prefix + step.key)
        found |= _pure(step.body, f"{prefix}{step.key}.")
    return found


@FEW
@given(frames(), st.integers(0, 2**32))
def test_a_random_run_ends_as_the_rules_demand(steps: tuple[StepDef, ...], seed: int) -> None:
    """Conditions, policies, retries, loops and maps, without a fault."""
    check(steps, seed, [])


@FEW
@given(frames(), st.integers(0, 2**32), crashes)
def test_a_random_run_under_crashes_ends_as_the_rules_demand(
    steps: tuple[StepDef, ...], seed: int, points: list[tuple[int, str]]
) -> None:
    """The same wherever processes die: a lost attempt is a failed one, and nothing else changes."""
    check(steps, seed, points)


@pytest.mark.long
@MANY
@given(frames(), st.integers(0, 2**32), crashes)
def test_long_search(steps: tuple[StepDef, ...], seed: int, points: list[tuple[int, str]]) -> None:
    """Thousands of the same, for `make test-long`."""
    check(steps, seed, points)


def test_the_model_itself_is_no_echo() -> None:
    """The model demands what a reader of the rules would, on a case worked out by hand."""
    steps = (
        StepDef("a", "http", on_failure=OnFailure.SKIP_DEPENDANTS, retry=RetryPolicy(2)),
        StepDef("b", "http", depends_on=("a",)),
        StepDef("c", "http", depends_on=("b",)),
        StepDef("d", "http", when="no"),
        StepDef("e", "http", depends_on=("d",)),
        StepDef("f", "http", depends_on=("d", "g")),
        StepDef("g", "http", on_failure=OnFailure.CONTINUE),
    )
    tried = []

    def outcomes(path: str, attempt: int, around: tuple[int, ...]) -> str:
        tried.append((path, attempt))
        return {"a": "again", "g": "final"}.get(path, "ok")

    found = verdict(steps, outcomes, lambda when: when == "yes")
    assert found == Verdict(
        {"a": FAILED, "b": SKIPPED, "c": SKIPPED, "d": SKIPPED, "e": SKIPPED, "f": COMPLETED, "g": FAILED}, failed=False
    )
    assert tried == [("a", 1), ("a", 2), ("g", 1), ("f", 1)]
