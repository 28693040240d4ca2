"""Starts the run that a step of another run calls."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from quintet.domain.errors import Conflict, NotFound
from quintet.domain.run import Parent, Run, Trigger
from quintet.services.asks import Ask
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.runs import Runs
from quintet.services.ports.steps import StepCall
from quintet.services.submit import Submit

MAX_DEPTH = 16


class TooDeep(Conflict):
    """Runs call runs more than MAX_DEPTH deep: most likely a job that calls itself."""


class StartChild:
    """Triggers a job of the same project on a step's behalf, once for each attempt, however often it is asked."""

    def __init__(self, runs: Runs, jobs: Jobs, submit: Submit, cancel: Callable[[str, str, str], Run]) -> None:
        self._runs = runs
        self._cancel = cancel
        self._jobs = jobs
        self._submit = submit

    def __call__(self, call: StepCall, job_id: str, input: Any) -> str:  # noqa: A002  # as everywhere
        """The child run's id. Raises NotFound, TooDeep, and what the job's own terms refuse it with."""
        if call.run.depth >= MAX_DEPTH:
            raise TooDeep(f"runs call runs more than {MAX_DEPTH} deep")
        job = self._jobs.get(call.run.tenant, job_id)
        if job.status != "active":
            raise NotFound(f"{job.name!r} is not active")
        waits = call.config.get("wait") is not False
        asked = Ask(
            input=input,
            trigger=Trigger("event", "run", call.run.id),
            parent=Parent(call.run.id, call.step.path, call.token) if waits else None,
            depth=call.run.depth + 1,
            run_id=call.child,
        )
        child = self._submit(job, asked).run
        parent = self._runs.get(call.run.id)
        if parent.status.terminal:  # it ended while this began, and could not know of it
            with suppress(Conflict):
                self._cancel(child.id, "engine", f"run {parent.id} no longer waits for it")
        return child.id
