"""Step Functions start what drives and what wakes runs."""

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from quintet.adapters.aws import client
from quintet.domain.errors import Conflict
from quintet.domain.events import to_millis

log = logging.getLogger(__name__)

STARTS_AT_ONCE = 16
_STOPS = 3
_PAST = "2000-01-01T00:00:00.000Z"


class StepFunctionsBursts:
    """Port Bursts on the Express burst machine."""

    def __init__(self, machine: str) -> None:
        self._machine = machine

    def start(self, run_id: str, epoch: int) -> None:
        """Starts a burst; at least once, since Express does not tell a repeated request."""
        client("stepfunctions").start_execution(
            stateMachineArn=self._machine,
            input=json.dumps({"runId": run_id, "epoch": epoch, "slice": 0}),
        )

    def start_many(self, bursts: Sequence[tuple[str, int]]) -> None:
        """Starts the bursts, STARTS_AT_ONCE at a time; the sweep takes up those that could not be started."""
        if not bursts:
            return
        client("stepfunctions")  # made once, before the threads ask for it
        with ThreadPoolExecutor(min(STARTS_AT_ONCE, len(bursts))) as pool:
            for started in [pool.submit(self.start, run_id, epoch) for run_id, epoch in bursts]:
                if fault := started.exception():
                    log.error("a burst could not be started", exc_info=fault)


class StepFunctionsTimers:
    """Port Timers on the Standard park machine."""

    def __init__(self, machine: str) -> None:
        self._machine = machine

    def start(self, run_id: str, at: datetime) -> None:
        """Has the run woken at that time; the same moment again starts nothing, since the execution's name is made of both."""
        states = client("stepfunctions")
        # The service cuts timestamps to whole seconds: rounded up, it wakes nobody early.
        whole = datetime.fromtimestamp(-(-to_millis(at) // 1000), UTC)
        moment = whole.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            states.start_execution(
                stateMachineArn=self._machine,
                name=f"{run_id}-{to_millis(at)}",
                input=json.dumps({"runId": run_id, "at": moment}),
            )
        except states.exceptions.ExecutionAlreadyExists:
            return


class StepFunctionsParking:
    """Port Parking on the Standard park machine: it runs a service's own job and settles the step at its end."""

    def __init__(self, machine: str) -> None:
        self._machine = machine

    def start(self, run_id: str, path: str, token: int, work: Mapping[str, Any]) -> None:
        """Starts the work, once: the execution's name is made of the run and the attempt."""
        states = client("stepfunctions")
        try:
            states.start_execution(
                stateMachineArn=self._machine,
                name=_work_name(run_id, token),
                input=json.dumps({"runId": run_id, "path": path, "token": token, "work": dict(work)}),
            )
        except states.exceptions.ExecutionAlreadyExists:
            return

    def stop(self, run_id: str, token: int) -> None:
        """Stops the execution, and Step Functions the job that it waits for.

        Where there is none yet, its start may be on its way in another process: the name is taken by a timer whose moment has passed, which
        wakes the run and does no harm. Raises Conflict when the name is taken and there is no such execution, as right after its start.
        """
        states = client("stepfunctions")
        for _ in range(_STOPS):
            try:
                states.stop_execution(executionArn=self._arn(run_id, token), error="Canceled")
            except states.exceptions.ExecutionDoesNotExist:
                if self._take_name(run_id, token):
                    return
            except states.exceptions.ValidationException:
                if self.at_work(run_id, token):
                    raise
                return  # it had ended by itself
            else:
                return
        raise Conflict(f"the work of attempt {token} of run {run_id} has begun and can't be stopped yet")

    def at_work(self, run_id: str, token: int) -> bool:
        """Asks for the execution's status."""
        return _is_running(self._arn(run_id, token))

    def _take_name(self, run_id: str, token: int) -> bool:
        states = client("stepfunctions")
        try:
            states.start_execution(
                stateMachineArn=self._machine,
                name=_work_name(run_id, token),
                input=json.dumps({"runId": run_id, "at": _PAST}),
            )
        except states.exceptions.ExecutionAlreadyExists:
            return False
        return True

    def _arn(self, run_id: str, token: int) -> str:
        return _execution(self._machine, _work_name(run_id, token))


def _is_running(arn: str) -> bool:
    states = client("stepfunctions")
    try:
        found = states.describe_execution(executionArn=arn)
    except states.exceptions.ExecutionDoesNotExist:
        return False
    return found["status"] == "RUNNING"


def _work_name(run_id: str, token: int) -> str:
    return f"{run_id}-work-{token}"


def _execution(machine: str, name: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


class StepFunctionsFanouts:
    """Port Fanouts on the Standard fan-out machine, whose Distributed Map reads the manifest from the bucket."""

    def __init__(self, machine: str, bucket: str) -> None:
        self._machine = machine
        self._bucket = bucket

    def start(self, run_id: str, path: str, token: int, manifest: str, concurrency: int) -> None:
        """Starts the map unless it is running; one that ended before its items did is begun again: items begun twice do no harm."""
        machine = client("stepfunctions")
        asked = {"runId": run_id, "path": path, "token": token, "bucket": self._bucket, "key": manifest}
        body = json.dumps({**asked, "concurrency": concurrency})
        for name in _names(run_id, token):
            try:
                machine.start_execution(stateMachineArn=self._machine, name=name, input=body)
            except machine.exceptions.ExecutionAlreadyExists:
                if self._running(name):
                    return
            else:
                return
        raise Conflict("the fan-out ended too often before its items had begun")

    def stop(self, run_id: str, token: int) -> None:
        """Stops the map; its items that have begun hear of it from their run."""
        machine = client("stepfunctions")
        for name in _names(run_id, token):
            if self._running(name):
                machine.stop_execution(executionArn=self._arn(name), error="Canceled")

    def _running(self, name: str) -> bool:
        return _is_running(self._arn(name))

    def _arn(self, name: str) -> str:
        return _execution(self._machine, name)


def _names(run_id: str, token: int) -> list[str]:
    """The execution's name, and those of a few repeats."""
    return [f"{run_id}-{token}", *(f"{run_id}-{token}-{again}" for again in range(2, 20))]
