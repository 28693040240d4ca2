"""The decisions, one by one."""

from datetime import timedelta
from typing import Any

import pytest
from random_journals import START

from quintet.domain import rules
from quintet.domain.definition import OnFailure, Plan, RetryPolicy, StepDef, Strategy
from quintet.domain.events import Event, EventType, to_millis
from quintet.domain.fold import extend, fold
from quintet.domain.outcome import StepError
from quintet.domain.rules import Draft
from quintet.domain.state import Claim, RunState
from quintet.domain.status import RunStatus, StepStatus

T = EventType
FAIL, SKIP, GO_ON = OnFailure.FAIL, OnFailure.SKIP_DEPENDANTS, OnFailure.CONTINUE
ERROR = StepError("E", "broken")


def begun(*steps: StepDef, deadline: float | None = None) -> Draft:
    """A draft on a run that has just started."""
    bound = {} if deadline is None else {"deadline": to_millis(START) + round(deadline * 1000)}
    events = [Event(T.RUN_CREATED, START), Event(T.RUN_STARTED, START, None, bound)]
    return Draft(fold("r", Plan(steps), events), START)


def after(draft: Draft, seconds: float) -> Draft:
    """A draft on the same run, later."""
    return Draft(draft.state, draft.now + timedelta(seconds=seconds))


def statuses(state: RunState) -> dict[str, StepStatus]:
    """The status of every step."""
    return {path: step.status for path, step in state.steps.items()}


# --- failing -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retryable", "attempts", "policy", "status", "run"),
    [
        (True, 2, FAIL, StepStatus.WAITING, RunStatus.EXECUTING),
        (False, 2, FAIL, StepStatus.FAILED, RunStatus.FAILED),
        (True, 1, FAIL, StepStatus.FAILED, RunStatus.FAILED),
        (True, 1, SKIP, StepStatus.FAILED, RunStatus.EXECUTING),
        (True, 1, GO_ON, StepStatus.FAILED, RunStatus.EXECUTING),
    ],
)
def test_a_failed_attempt_waits_or_ends_its_step(
    retryable: bool, attempts: int, policy: OnFailure, status: StepStatus, run: RunStatus
) -> None:
    """Its policy and the error decide; only `fail` reaches the run."""
    retry = RetryPolicy(attempts, Strategy.FIXED, 4.0)
    draft = begun(StepDef("a", "w", retry=retry, on_failure=policy), StepDef("b", "w"))
    draft.add(T.STEP_STARTED, "a")
    rules.fail(draft, "a", StepError("E", "broken", retryable=retryable))
    rules.collapse(draft)
    assert draft.state.steps["a"].status is status
    assert draft.state.status is run
    assert draft.state.steps["b"].status is (StepStatus.CANCELED if run.terminal else StepStatus.PENDING)
    if status is StepStatus.WAITING:
        assert list(rules.due_retries(draft.state, START + timedelta(seconds=3.999))) == []
        assert list(rules.due_retries(draft.state, START + timedelta(seconds=4))) == ["a"]


def nested() -> Draft:
    """A map with two items under way, each in a loop's first iteration, beside another step."""
    inner = StepDef("l", "loop", body=(StepDef("x", "w"), StepDef("y", "w")), on_failure=GO_ON)
    draft = begun(StepDef("m", "map", body=(inner,)), StepDef("b", "w"))
    draft.add(T.STEP_STARTED, "m", total=2, items=[1, 2])
    for index in (0, 1):
        draft.add(T.FRAME_OPENED, "m", index=index)
        draft.add(T.STEP_STARTED, f"m[{index}].l")
        draft.add(T.FRAME_OPENED, f"m[{index}].l", index=1)
        draft.add(T.STEP_STARTED, f"m[{index}].l[1].x")
    return draft


def test_a_failed_step_ends_its_iteration_only() -> None:
    """What is beside it in the iteration is canceled; other items and the run go on."""
    draft = nested()
    rules.fail(draft, "m[0].l[1].x", ERROR)
    rules.collapse(draft)
    found = statuses(draft.state)
    assert found["m[0].l[1].y"] is StepStatus.CANCELED
    assert (found["m[0].l"], found["m[1].l[1].x"]) == (StepStatus.RUNNING, StepStatus.RUNNING)
    assert "m[0].l" in draft.state.turns
    assert draft.state.steps["m[0].l"].broken == 1
    assert draft.state.status is RunStatus.EXECUTING


def test_a_failed_map_cancels_everything_inside() -> None:
    """Innermost first, nothing left open."""
    draft = nested()
    before = len(draft.events)
    rules.fail(draft, "m", ERROR)
    found = statuses(draft.state)
    assert {status for path, status in found.items() if path.startswith("m[")} == {StepStatus.CANCELED}
    canceled = [event.path for event in draft.events[before:] if event.type is T.STEP_CANCELED]
    assert canceled.index("m[0].l[1].x") < canceled.index("m[0].l")
    assert found["b"] is StepStatus.PENDING


def test_canceling_a_run_settles_every_step() -> None:
    """And says who did it."""
    draft = nested()
    rules.cancel_run(draft, "ada", "enough")
    assert all(status.settled for status in statuses(draft.state).values())
    assert (draft.state.status, draft.state.canceled_by) == (RunStatus.CANCELED, "ada")


# --- time --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "status"), [(9.999, RunStatus.EXECUTING), (10, RunStatus.TIMED_OUT), (99, RunStatus.TIMED_OUT)]
)
def test_a_run_ends_at_its_deadline(seconds: float, status: RunStatus) -> None:
    """At that moment, not before."""
    draft = after(begun(StepDef("a", "w"), deadline=10), seconds)
    rules.overdue(draft)
    assert draft.state.status is status


def test_the_runs_deadline_comes_before_the_steps() -> None:
    """When both have passed, the run has timed out; no step is tried again."""
    draft = begun(StepDef("a", "w", retry=RetryPolicy(3)), deadline=10)
    draft.add(T.STEP_STARTED, "a", deadline=to_millis(START) + 5000)
    late = after(draft, 20)
    rules.overdue(late)
    assert [event.type for event in late.events] == [T.STEP_CANCELED, T.RUN_TIMED_OUT]


def test_a_step_past_its_deadline_fails_by_its_policy() -> None:
    """Running or waiting for an answer alike; a retry's rest has no deadline."""
    draft = begun(
        StepDef("a", "w", retry=RetryPolicy(2, Strategy.FIXED, 60.0)), StepDef("b", "input", on_failure=GO_ON)
    )
    draft.add(T.STEP_STARTED, "a", deadline=to_millis(START) + 5000)
    draft.add(T.STEP_WAITING, "b", deadline=to_millis(START) + 5000, **{"for": "input"})
    late = after(draft, 5)
    rules.overdue(late)
    assert statuses(late.state) == {"a": StepStatus.WAITING, "b": StepStatus.FAILED}
    assert not late.state.timed
    again = after(late, 30)
    rules.overdue(again)
    assert not again.events


def test_a_wait_is_over_at_its_moment() -> None:
    """It completes with an empty result."""
    draft = begun(StepDef("a", "wait"))
    draft.add(T.STEP_WAITING, "a", until=to_millis(START) + 5000, **{"for": "time"})
    early, late = after(draft, 4.999), after(draft, 5)
    rules.overdue(early)
    assert not early.events
    rules.overdue(late)
    assert (late.state.steps["a"].status, late.state.steps["a"].result) == (StepStatus.COMPLETED, {})


def test_the_next_moment_is_the_earliest_of_all() -> None:
    """Of deadlines, waits and rests; none when only something from outside can come."""
    draft = begun(StepDef("a", "w"), StepDef("b", "w"), StepDef("c", "w", retry=RetryPolicy(2, Strategy.FIXED, 7.0)))
    assert rules.next_moment(draft.state) is None
    draft.add(T.STEP_STARTED, "a", deadline=to_millis(START) + 30_000)
    draft.add(T.STEP_WAITING, "b", until=to_millis(START) + 20_000, **{"for": "time"})
    assert rules.next_moment(draft.state) == START + timedelta(seconds=20)
    draft.add(T.STEP_STARTED, "c")
    rules.fail(draft, "c", ERROR)
    assert rules.next_moment(draft.state) == START + timedelta(seconds=7)
    assert rules.next_moment(begun(StepDef("a", "w"), deadline=3).state) == START + timedelta(seconds=3)


# --- fencing -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([], None),
        ([(T.STEP_COMPLETED, "a", {})], "the step is completed"),
        ([(T.STEP_CANCELED, "a", {})], "the step is canceled"),
        ([(T.STEP_FAILED, "a", {"error": {}, "retry_at": 1}), (T.STEP_STARTED, "a", {})], "attempt 2 is the live one"),
        ([(T.RUN_CANCELED, None, {})], "the run is canceled"),
    ],
)
def test_an_outcome_counts_only_for_the_live_attempt(
    events: list[tuple[EventType, str | None, dict[str, Any]]], reason: str | None
) -> None:
    """What came between decides whether it is late, and why."""
    draft = begun(StepDef("a", "w", retry=RetryPolicy(3)), StepDef("b", "w"))
    draft.add(T.STEP_STARTED, "a")
    token = draft.state.steps["a"].token
    for type_, path, data in events:
        draft.add(type_, path, **data)
    assert rules.fence(draft.state, "a", token) == reason


def test_a_step_of_an_earlier_attempts_iteration_is_fenced_off() -> None:
    """Its frame is gone; the same path in a new frame has another token."""
    draft = begun(StepDef("l", "loop", body=(StepDef("x", "w"),), retry=RetryPolicy(2, Strategy.FIXED, 0.0)))
    draft.add(T.STEP_STARTED, "l")
    draft.add(T.FRAME_OPENED, "l", index=1)
    draft.add(T.STEP_STARTED, "l[1].x")
    token = draft.state.steps["l[1].x"].token
    rules.fail(draft, "l", ERROR)
    draft.add(T.STEP_STARTED, "l")
    assert rules.fence(draft.state, "l[1].x", token) == "the step is no longer part of the run"
    draft.add(T.FRAME_OPENED, "l", index=1)
    draft.add(T.STEP_STARTED, "l[1].x")
    assert rules.fence(draft.state, "l[1].x", token) == "attempt 1 is the live one"


def test_a_new_claim_counts_the_attempts_of_the_old_as_lost() -> None:
    """Except carried ones, which answer for themselves; those of the same claim are its own."""
    old, new = Claim(1, 0, 0, "i"), Claim(2, 0, 0, "j")
    draft = begun(StepDef("a", "w", on_failure=GO_ON), StepDef("b", "w"), StepDef("c", "w"))
    draft.add(T.BURST_CLAIMED, epoch=1, slice=0, retry=0, invocation="i")
    draft.add(T.STEP_STARTED, "a")
    draft.add(T.STEP_STARTED, "b", carried=True)
    rules.crash_lost(draft, old)
    assert statuses(draft.state)["a"] is StepStatus.RUNNING
    draft.add(T.BURST_CLAIMED, epoch=2, slice=0, retry=0, invocation="j")
    draft.add(T.STEP_STARTED, "c")
    rules.crash_lost(draft, new)
    assert statuses(draft.state) == {"a": StepStatus.FAILED, "b": StepStatus.RUNNING, "c": StepStatus.RUNNING}
    assert draft.state.steps["a"].error == rules.CRASHED.to_dict()


def test_claims_are_ordered_by_epoch_slice_and_retry() -> None:
    """A later one takes over; two of one rank don't."""
    ranks = [Claim(1, 0, 0, "z"), Claim(1, 0, 1, "a"), Claim(1, 1, 0, "a"), Claim(2, 0, 0, "a")]
    assert sorted(ranks, key=lambda claim: claim.rank) == ranks
    assert Claim(1, 0, 0, "a").rank == Claim(1, 0, 0, "b").rank


# --- the end -----------------------------------------------------------------------------------------------------------------


def test_a_run_ends_when_its_last_step_has() -> None:
    """Not before, and only once."""
    draft = begun(StepDef("a", "w"), StepDef("b", "w"))
    draft.add(T.STEP_COMPLETED, "a", result=1)
    rules.conclude(draft)
    assert draft.state.status is RunStatus.EXECUTING
    draft.add(T.STEP_COMPLETED, "b", result=2)
    rules.conclude(draft)
    rules.conclude(draft)
    assert [event.type for event in draft.events].count(T.RUN_COMPLETED) == 1


def test_the_outputs_are_those_of_the_last_steps() -> None:
    """A skipped one gave none."""
    draft = begun(StepDef("a", "w"), StepDef("b", "w", depends_on=("a",)), StepDef("c", "w"), StepDef("d", "w"))
    for key in "abc":
        draft.add(T.STEP_COMPLETED, key, result=key)
    draft.add(T.STEP_SKIPPED, "d")
    assert rules.outputs(draft.state) == {"b": "b", "c": "c"}


def test_a_draft_leaves_the_journal_position_it_began_at() -> None:
    """So that its append can be conditional on it."""
    draft = begun(StepDef("a", "w"))
    draft.add(T.STEP_STARTED, "a")
    assert (draft.base, draft.state.number, len(draft.events)) == (2, 3, 1)
    assert extend(begun(StepDef("a", "w")).state, draft.events).steps == draft.state.steps
