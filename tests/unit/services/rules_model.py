"""What the rules demand of a run, written apart from the engine: every step's end from the outcomes of attempts alone.

It knows nothing of journals, bursts or time. `Outcomes` says what each attempt comes to; the model says what must follow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from quintet.domain.definition import OnFailure, StepDef

COMPLETED, FAILED, SKIPPED, NEVER = "completed", "failed", "skipped", "never"

Outcomes = Callable[[str, int, tuple[int, ...]], str]
"""(path, attempt, attempts of the loops and maps around it, outermost first) -> "ok", "again" (may be retried) or "final"."""


@dataclass
class Verdict:
    """The end of every step that the rules let end, by path; `never` ones can only be canceled."""

    ends: dict[str, str] = field(default_factory=dict)
    failed: bool = False


def verdict(steps: tuple[StepDef, ...], outcomes: Outcomes, truth: Callable[[str], bool]) -> Verdict:
    """What must become of a run of these steps."""
    found = Verdict()
    found.failed = _frame(steps, "", (), outcomes, truth, found.ends)
    return found


def _frame(
    steps: tuple[StepDef, ...],
    prefix: str,
    around: tuple[int, ...],
    outcomes: Outcomes,
    truth: Callable[[str], bool],
    ends: dict[str, str],
) -> bool:
    """Fills in the ends of one list of steps; True when it fails as a whole."""
    by_key = {step.key: step for step in steps}
    end: dict[str, str] = {}
    because_failed: set[str] = set()

    def judge(key: str) -> str:
        if key in end:
            return end[key]
        step = by_key[key]
        needed = {dependency: judge(dependency) for dependency in step.depends_on}
        if any(got == NEVER or (got == FAILED and by_key[k].on_failure is OnFailure.FAIL) for k, got in needed.items()):
            end[key] = NEVER
        elif any(
            k in because_failed
            or (got == FAILED and by_key[k].on_failure in (OnFailure.SKIP_DEPENDANTS, OnFailure.FAIL_LATER))
            for k, got in needed.items()
        ):
            because_failed.add(key)
            end[key] = SKIPPED
        elif (needed and all(got == SKIPPED for got in needed.values())) or (
            step.when is not None and not truth(step.when)
        ):
            end[key] = SKIPPED
        else:
            end[key] = _run(step, prefix + key, around, outcomes, truth, ends)
        return end[key]

    for step in steps:
        ends[prefix + step.key] = judge(step.key)
    return any(end[step.key] == FAILED and step.on_failure in (OnFailure.FAIL, OnFailure.FAIL_LATER) for step in steps)


def _run(
    step: StepDef,
    path: str,
    around: tuple[int, ...],
    outcomes: Outcomes,
    truth: Callable[[str], bool],
    ends: dict[str, str],
) -> str:
    for attempt in range(1, step.retry.max_attempts + 1):
        if step.body:
            came = "ok" if _body(step, path, (*around, attempt), outcomes, truth, ends) else "again"
        else:
            came = outcomes(path, attempt, around)
        if came == "ok":
            return COMPLETED
        if came == "final":
            return FAILED
    return FAILED


def _body(
    step: StepDef,
    path: str,
    around: tuple[int, ...],
    outcomes: Outcomes,
    truth: Callable[[str], bool],
    ends: dict[str, str],
) -> bool:
    """One attempt of a loop or map; True when it succeeds. Of an earlier attempt's iterations nothing is left."""
    for known in [known for known in ends if known.startswith(f"{path}[")]:
        del ends[known]
    if step.kind == "loop":
        for index in range(1, int(step.config["until"].removeprefix("iteration = ")) + 1):
            if _frame(step.body, f"{path}[{index}].", around, outcomes, truth, ends):
                return False
        return True
    broken = [
        _frame(step.body, f"{path}[{index}].", around, outcomes, truth, ends)
        for index in range(len(step.config["items"]))
    ]
    return sum(broken) <= int(step.config.get("tolerate_failures", 0))
