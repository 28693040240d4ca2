"""Step Functions start what drives and what wakes runs."""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from quintet.adapters.aws import client
from quintet.domain.errors import Conflict
from quintet.domain.events import to_millis

log = logging.getLogger(__name__)

STARTS_AT_ONCE = 16


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
        machine = client("stepfunctions")
        try:
            found = machine.describe_execution(executionArn=self._arn(name))
        except machine.exceptions.ExecutionDoesNotExist:
            return False
        return found["status"] == "RUNNING"

    def _arn(self, name: str) -> str:
        return f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"


def _names(run_id: str, token: int) -> list[str]:
    """The execution's name, and those of a few repeats."""
    return [f"{run_id}-{token}", *(f"{run_id}-{token}-{again}" for again in range(2, 20))]
