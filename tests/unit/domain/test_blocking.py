"""What becomes of a step whose dependencies have settled."""

from collections.abc import Mapping
from typing import Any

import pytest
from random_journals import START

from quintet.domain import rules
from quintet.domain.definition import OnFailure, Plan, StepDef
from quintet.domain.events import Event, EventType
from quintet.domain.fold import fold
from quintet.domain.outcome import StepError
from quintet.domain.rules import Draft
from quintet.domain.status import RunStatus

T = EventType
FAIL, SKIP, GO_ON = OnFailure.FAIL, OnFailure.SKIP_DEPENDANTS, OnFailure.CONTINUE
ERROR = StepError("E", "broken")


def begun(*steps: StepDef) -> Draft:
    """A draft on a run that has just started."""
    events = [Event(T.RUN_CREATED, START), Event(T.RUN_STARTED, START)]
    return Draft(fold("r", Plan(steps), events), START)


ENDS: Mapping[str, tuple[EventType, dict[str, Any]]] = {
    "completed": (T.STEP_COMPLETED, {}),
    "failed": (T.STEP_FAILED, {"error": {}}),
    "canceled": (T.STEP_CANCELED, {}),
    "condition": (T.STEP_SKIPPED, {"reason": "condition"}),
    "upstream_failed": (T.STEP_SKIPPED, {"reason": "upstream_failed"}),
    "upstream_skipped": (T.STEP_SKIPPED, {"reason": "upstream_skipped"}),
}

# end of one dependency, its policy -> why what depends on it alone is skipped (None: it runs)
ALONE = [
    *[("completed", policy, None) for policy in OnFailure],
    ("failed", FAIL, "upstream_failed"),
    ("failed", SKIP, "upstream_failed"),
    ("failed", GO_ON, None),
    *[("canceled", policy, "upstream_failed") for policy in OnFailure],
    *[("condition", policy, "upstream_skipped") for policy in OnFailure],
    *[("upstream_failed", policy, "upstream_failed") for policy in OnFailure],
    *[("upstream_skipped", policy, "upstream_skipped") for policy in OnFailure],
]


@pytest.mark.parametrize(("end", "policy", "reason"), ALONE)
def test_what_depends_on_one_step(end: str, policy: OnFailure, reason: str | None) -> None:
    """The end and the policy of a single dependency decide."""
    draft = begun(StepDef("a", "w", on_failure=policy), StepDef("x", "w", depends_on=("a",)))
    type_, data = ENDS[end]
    draft.add(type_, "a", **data)
    assert rules.blocked(draft.state, draft.state.steps["x"]) == reason


@pytest.mark.parametrize(("first", "policy_a", "reason_a"), ALONE)
@pytest.mark.parametrize(("second", "policy_b", "reason_b"), ALONE)
def test_what_depends_on_two_steps(
    first: str, policy_a: OnFailure, reason_a: str | None, second: str, policy_b: OnFailure, reason_b: str | None
) -> None:
    """A failure blocks whatever the other did; a skipped one blocks only when the other was skipped too."""
    draft = begun(
        StepDef("a", "w", on_failure=policy_a),
        StepDef("b", "w", on_failure=policy_b),
        StepDef("x", "w", depends_on=("a", "b")),
    )
    for key, end in (("a", first), ("b", second)):
        type_, data = ENDS[end]
        draft.add(type_, key, **data)
    reasons = {reason_a, reason_b}
    if "upstream_failed" in reasons:
        expected: str | None = "upstream_failed"
    else:
        expected = "upstream_skipped" if reasons == {"upstream_skipped"} else None
    assert rules.blocked(draft.state, draft.state.steps["x"]) == expected


def test_a_step_without_dependencies_is_never_blocked() -> None:
    """It may start at once."""
    draft = begun(StepDef("a", "w"))
    assert rules.blocked(draft.state, draft.state.steps["a"]) is None


def test_skipping_passes_down_a_whole_chain_at_once() -> None:
    """One look at the rule settles everything that can no longer run."""
    chain = [StepDef(f"s{i}", "w", depends_on=(f"s{i - 1}",)) for i in range(1, 50)]
    draft = begun(StepDef("s0", "w", on_failure=SKIP), *chain)
    draft.add(T.STEP_STARTED, "s0")
    rules.fail(draft, "s0", ERROR)
    rules.skip_blocked(draft)
    rules.conclude(draft)
    assert draft.state.status is RunStatus.COMPLETED
    assert {s.skip_reason for s in draft.state.steps.values()} == {None, "upstream_failed"}
