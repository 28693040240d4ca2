"""subrun: starts a run of another job, and may wait for its end."""

from datetime import timedelta
from typing import ClassVar

from quintet.domain.errors import Conflict, Invalid, NotFound, QuintetError, Throttled
from quintet.domain.outcome import Completed, Failed, Outcome, StepError, Waits
from quintet.services.ports.steps import Expressions, StepCall
from quintet.steps.fields import Field, Fields, anything, boolean, text
from quintet.steps.kind import YEAR, Kind
from quintet.steps.tools import StartChild


class SubrunKind(Kind):
    """`job_id`, `input`, `wait` (true); the result is the child run's, or {runId} without waiting."""

    name = "subrun"
    starts_child = True
    attempt_seconds = 30.0
    default_timeout = 30.0
    max_timeout = YEAR
    fields: ClassVar[Fields] = {
        "job_id": Field(text(200), required=True),
        "input": Field(anything),
        "wait": Field(boolean),
    }

    def __init__(self, expressions: Expressions, start_child: StartChild) -> None:
        super().__init__(expressions)
        self._start_child = start_child

    def perform(self, call: StepCall) -> Outcome:
        """Starts the child."""
        try:
            child = self._start_child(call, call.config["job_id"], call.config.get("input"))
        except NotFound as error:  # no such job, or one that is paused
            return Failed(StepError("JobNotFound", str(error), retryable=False))
        except Throttled as error:
            return Failed(StepError("Throttled", str(error), retry_after=error.retry_after))
        except (Invalid, Conflict) as error:
            return Failed(StepError("ChildRefused", str(error), retryable=False))
        except QuintetError as error:
            return Failed(StepError("ChildNotStarted", str(error)))
        if call.config.get("wait") is False:
            return Completed({"runId": child})
        timeout = call.step.define.timeout
        deadline = None if timeout is None else call.now + timedelta(seconds=timeout)
        return Waits("child", deadline=deadline, details={"child": child})
