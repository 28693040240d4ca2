"""Port Parking on the park machine."""

import json

import pytest

from quintet.adapters.aws import client
from quintet.adapters.stepfunctions import StepFunctionsParking, StepFunctionsTimers
from quintet.domain.errors import Conflict

from .conftest import Stores
from .samples import after

RUN = "019a0000-0000-7000-8000-000000000001"
ITEM = f"{RUN}.12345.9999"
WORK = {"service": "spark", "entry": "s3://bucket/main.py", "arguments": ["a", 1, None]}


@pytest.fixture
def machine(aws: Stores, request: pytest.FixtureRequest) -> str:
    """A machine whose executions go on until they are stopped, as far as moto sees."""
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    made = client("stepfunctions").create_state_machine(
        name=f"park-{abs(hash(request.node.name))}",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::123456789012:role/machine",
    )
    return made["stateMachineArn"]


def executions(machine: str) -> dict[str, tuple[str, dict[str, object]]]:
    """By name the status and input of each execution."""
    states = client("stepfunctions")
    found = {}
    for one in states.list_executions(stateMachineArn=machine)["executions"]:
        told = states.describe_execution(executionArn=one["executionArn"])
        found[told["name"]] = (told["status"], json.loads(told["input"]))
    return found


@pytest.mark.parametrize("run_id", [RUN, ITEM])
def test_work_is_started_once(machine: str, run_id: str) -> None:
    """Under a name of the run and the attempt that the service takes, with all that its end is told with."""
    parking = StepFunctionsParking(machine)
    parking.start(run_id, "each[0].long", 99_999, WORK)
    parking.start(run_id, "each[0].long", 99_999, WORK)
    parking.start(run_id, "each[0].long", 99_999, {"service": "another"})
    ((name, (status, given)),) = executions(machine).items()
    assert (name, status) == (f"{run_id}-work-99999", "RUNNING")
    assert len(name) <= 80
    assert given == {"runId": run_id, "path": "each[0].long", "token": 99_999, "work": WORK}
    assert parking.at_work(run_id, 99_999)


def test_each_attempt_has_work_of_its_own(machine: str) -> None:
    """And timers of the same run are beside it, on the same machine."""
    parking = StepFunctionsParking(machine)
    parking.start(RUN, "long", 4, WORK)
    parking.start(RUN, "long", 9, WORK)
    StepFunctionsTimers(machine).start(RUN, after(60))
    assert len(executions(machine)) == 3
    parking.stop(RUN, 4)
    assert (parking.at_work(RUN, 4), parking.at_work(RUN, 9)) == (False, True)


def test_stopped_work_is_canceled_and_stays_so(machine: str) -> None:
    """A second stop does nothing, and a start that comes late starts nothing."""
    parking = StepFunctionsParking(machine)
    parking.start(RUN, "long", 4, WORK)
    parking.stop(RUN, 4)
    parking.stop(RUN, 4)
    parking.start(RUN, "long", 4, WORK)
    ((status, _),) = executions(machine).values()
    assert status == "ABORTED"
    assert not parking.at_work(RUN, 4)


def test_work_that_is_stopped_before_its_start_never_begins(machine: str) -> None:
    """Its name is taken by a timer whose moment is past, which wakes the run and no more."""
    parking = StepFunctionsParking(machine)
    parking.stop(RUN, 4)
    parking.start(RUN, "long", 4, WORK)
    ((name, (_, given)),) = executions(machine).items()
    assert name == f"{RUN}-work-4"
    assert given == {"runId": RUN, "at": "2000-01-01T00:00:00.000Z"}
    parking.stop(RUN, 4)  # the sweep, once more
    assert len(executions(machine)) == 1


@pytest.mark.parametrize("over", [True, False])
def test_a_stop_of_work_that_has_ended_does_nothing(machine: str, over: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the service refuses it; one that it refuses for another reason is a fault."""
    parking = StepFunctionsParking(machine)
    parking.start(RUN, "long", 4, WORK)
    if over:
        parking.stop(RUN, 4)
    states = client("stepfunctions")

    def refuses(**_: object) -> None:
        raise states.exceptions.ValidationException({"Error": {"Code": "ValidationException"}}, "StopExecution")

    monkeypatch.setattr(states, "stop_execution", refuses)
    if over:
        parking.stop(RUN, 4)
    else:
        with pytest.raises(states.exceptions.ValidationException):
            parking.stop(RUN, 4)
    assert len(executions(machine)) == 1


def test_work_that_was_never_started_is_not_at_work(machine: str) -> None:
    """Nor is that of another attempt."""
    parking = StepFunctionsParking(machine)
    parking.start(RUN, "long", 4, WORK)
    assert not parking.at_work(RUN, 5)
    assert not parking.at_work(ITEM, 4)


def test_work_that_can_not_be_stopped_yet_is_said_to_be_so(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An execution whose name is taken and that is not found: whoever asked comes again."""
    parking = StepFunctionsParking(machine)
    parking.start(RUN, "long", 4, WORK)
    states = client("stepfunctions")

    def hidden(**_: object) -> None:
        raise states.exceptions.ExecutionDoesNotExist({"Error": {"Code": "ExecutionDoesNotExist"}}, "StopExecution")

    with monkeypatch.context() as patch:
        patch.setattr(states, "stop_execution", hidden)
        with pytest.raises(Conflict):
            parking.stop(RUN, 4)
    assert parking.at_work(RUN, 4)
    parking.stop(RUN, 4)
    assert not parking.at_work(RUN, 4)
