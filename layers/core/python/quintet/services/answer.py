"""Takes a person's answer to a step that waits for one."""

from collections.abc import Callable, Mapping
from typing import Any

from quintet.domain.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from quintet.domain.outcome import Completed, Failed, Outcome, StepError
from quintet.domain.rules import Draft
from quintet.domain.run import Run
from quintet.domain.state import RunState, StepState
from quintet.domain.status import StepStatus
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.payloads import Payloads
from quintet.services.ports.runs import Runs
from quintet.services.settling import Settling
from quintet.services.terms import DUE_GRACE

AnswerProblems = Callable[[Mapping[str, Any], Mapping[str, Any]], list[Problem]]
"""What is wrong with an answer's fields, under the details of the wait: the input kind knows."""


class AnswerStep:
    """Approves or rejects an input step; of racing answers exactly one is taken."""

    def __init__(
        self,
        runs: Runs,
        journal: Journal,
        settling: Settling,
        endings: Endings,
        payloads: Payloads,
        answer_problems: AnswerProblems,
    ) -> None:
        self._runs = runs
        self._journal = journal
        self._settling = settling
        self._endings = endings
        self._payloads = payloads
        self._answer_problems = answer_problems

    def __call__(
        self,
        project: str,
        run_id: str,
        path: str,
        *,
        approved: bool,
        by: str,
        comment: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Run:
        """Settles the step and wakes its run. Raises NotFound, Conflict (not waiting), Forbidden (not an approver), Invalid (fields)."""

        def decision(opened: OpenRun, draft: Draft) -> None:
            step = waiting_step(opened, project, path)
            if step.deadline and draft.now >= step.deadline:
                raise Conflict(f"step {path!r} is not waiting for an answer any more: its time is over")
            approvers = step.wait.get("approvers") or []
            if approvers and by not in approvers:
                raise Forbidden(f"only {', '.join(approvers)} may answer this step")
            given = dict(fields or {})
            if approved:
                self._check(step, given)
            # Should this process die between the append and the wake, the sweep finds the run by this.
            self._runs.postpone(run_id, draft.now + DUE_GRACE)
            answered_at = draft.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            answer = {"approved": approved, "by": by, "at": answered_at, "comment": comment, "fields": given}
            self._settling.settle(draft, path, self._outcome(approved=approved, answer=answer))

        opened, _ = self._journal.decide(run_id, decision)
        self._endings.wake(run_id)
        return opened.run

    def _check(self, step: StepState, given: Mapping[str, Any]) -> None:
        if problems := self._answer_problems(step.wait, given):
            raise Invalid(problems)

    def _outcome(self, *, approved: bool, answer: dict[str, Any]) -> Outcome:
        if approved:
            return Completed(self._payloads.put(answer))
        said = f": {answer['comment']}" if answer["comment"] else ""
        return Failed(StepError("Rejected", f"rejected by {answer['by']}{said}", retryable=False, details=answer))


def waiting_step(opened: OpenRun, project: str, path: str) -> StepState:
    """The step, if it waits for an answer."""
    state: RunState = opened.state
    if opened.run.project != project or path not in state.steps:
        raise NotFound("no such step")
    step = state.steps[path]
    if state.status.terminal or step.status is not StepStatus.WAITING or step.wait.get("for") != "input":
        standing = state.status if state.status.terminal else step.status
        raise Conflict(f"step {path!r} is not waiting for an answer (it is {standing})")
    return step
