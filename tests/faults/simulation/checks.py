"""The promises, checked from the stored journals alone, by rules written apart from the engine's."""

from collections import Counter

from quintet.bootstrap import Services
from quintet.domain.definition import Graph, OnFailure, Plan
from quintet.domain.events import Event, EventType
from quintet.domain.fold import fold
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus, StepStatus

SETTLING = {
    EventType.STEP_COMPLETED: StepStatus.COMPLETED,
    EventType.STEP_SKIPPED: StepStatus.SKIPPED,
    EventType.STEP_CANCELED: StepStatus.CANCELED,
}
ENDS = {
    EventType.RUN_COMPLETED,
    EventType.RUN_FAILED,
    EventType.RUN_TIMED_OUT,
    EventType.RUN_CANCELED,
    EventType.RUN_SYSTEM_FAILED,
    EventType.RUN_CRASHED,
    EventType.RUN_EXPIRED,
}


def check_run(services: Services, run_id: str) -> None:
    """One run kept every promise."""
    run = services.runs.get(run_id)
    plan = services.journal.plan(run.job_id, run.version)
    events = services.runs.tail(run_id, 0)
    state = fold(run_id, plan, events)
    assert run.status.terminal, f"{run_id} was accepted and never ended: {run.status}, {_last(events)}"
    assert state.status is run.status, f"{run_id}: the item says {run.status}, the journal {state.status}"
    assert (state.error or {}).get("type") == (run.error or {}).get("type")
    check_order(plan, events)
    check_end(plan, state)


def check_order(plan: Plan, events: list[Event]) -> None:
    """Nothing starts before its dependencies have settled, settles twice, or happens after the end."""
    graphs: dict[str, Graph] = {"": plan.graph}
    settled: dict[str, StepStatus] = {}
    attempts: Counter[str] = Counter()
    ended = False
    for event in events:
        assert not ended, f"{event} came after the run's end"
        ended = event.type in ENDS
        path = event.path
        if path is None or event.type is EventType.LATE_REFUSED:
            continue
        prefix, _, key = path.rpartition(".")
        prefix = prefix + "." if prefix else ""
        assert path not in settled, f"{event} of a step that was {settled[path]}"
        if event.type is EventType.FRAME_OPENED:
            inner = f"{path}[{event.data['index']}]."
            graphs[inner] = graphs[prefix].bodies[key]
            for known in [known for known in settled if known.startswith(inner)]:
                del settled[known]  # a new attempt of a loop or map begins its iterations anew
                attempts[known] = 0
            continue
        if event.type is not EventType.STEP_CANCELED:
            for needed in graphs[prefix].by_key[key].depends_on:
                assert prefix + needed in settled, f"{event} before {needed} had settled"
        if event.type is EventType.STEP_STARTED:
            assert event.data["attempt"] == attempts[path] + 1, f"{event} after attempt {attempts[path]}"
            attempts[path] += 1
        if event.type is EventType.STEP_FAILED and "retry_at" not in event.data:
            settled[path] = StepStatus.FAILED
        elif event.type in SETTLING:
            settled[path] = SETTLING[event.type]


def check_end(plan: Plan, state: RunState) -> None:
    """The end is the one that the root steps' statuses and policies demand."""
    steps = {step.key: state.steps[step.key] for step in plan.steps}
    assert all(step.status.settled for step in steps.values()), {k: v.status for k, v in steps.items()}
    fatal = [key for key, step in steps.items() if step.status is StepStatus.FAILED and step.define.on_failure.fatal]
    if state.status is RunStatus.FAILED:
        assert fatal
    if state.status is RunStatus.COMPLETED:
        assert not fatal
        assert all(step.status is not StepStatus.CANCELED for step in steps.values())
        for key, step in steps.items():
            assert step.status is not StepStatus.SKIPPED or _may_skip(state, key), f"{key} was skipped for no reason"


def _may_skip(state: RunState, key: str) -> bool:
    step = state.steps[key]
    needed = [state.steps[other] for other in step.define.depends_on]
    if step.define.when == "false":
        return True
    if any(n.status is StepStatus.FAILED and n.define.on_failure is not OnFailure.CONTINUE for n in needed):
        return True
    return any(n.status is StepStatus.SKIPPED for n in needed)


def check_counts(services: Services, project: str) -> None:
    """Counters and lists agree."""
    listed = services.runs.page(project, None, 1000, 0)
    assert services.runs.count(project, None) == len(listed)
    for status, found in Counter(run.status for run in listed).items():
        assert services.runs.count(project, [status]) == found
        assert len(services.runs.page(project, [status], 1000, 0)) == found


def _last(events: list[Event]) -> list[str]:
    return [f"{event.type} {event.path} {dict(event.data)}" for event in events[-12:]]
