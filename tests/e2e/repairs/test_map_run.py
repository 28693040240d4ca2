"""Repairs of the Distributed Map: datasets in S3, batches, tolerated failures, and stopping, all in JSONata."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Wait for a condition and answer its value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found


@pytest.fixture(scope="module")
def manifest(cloud: Any) -> dict[str, str]:
    """A JSON array of 250 objects in S3."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="manifests")
    s3.put_object(Bucket="manifests", Key="run/items.json", Body=json.dumps([{"n": n} for n in range(250)]))
    return {"bucket": "manifests", "key": "run/items.json"}


def distributed(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A machine of one distributed Map whose children are of one state."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "Each",
        "States": {"Each": state},
    }
    return {
        "StartAt": "Fan",
        "States": {"Fan": {"Type": "Map", "ItemProcessor": processor, "Label": "Each", "End": True, **fields}},
    }


READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "JSON"},
    "Arguments": {"Bucket": "{% $states.input.bucket %}", "Key": "{% $states.input.key %}"},
}
PASS = {"Type": "Pass", "Output": "{% $states.input %}", "End": True}


def counts(cloud: Any, execution: str) -> dict[str, Any]:
    """DescribeMapRun of an execution's only Map Run."""
    states = cloud.client("stepfunctions")
    (run,) = states.list_map_runs(executionArn=execution)["mapRuns"]
    found: dict[str, Any] = states.describe_map_run(mapRunArn=run["mapRunArn"])
    return found


def test_items_are_read_from_s3_selected_and_batched(cloud: Any, manifest: dict[str, str]) -> None:
    """ItemReader, ItemSelector and ItemBatcher are JSONata; each child gets a batch and what all share."""
    each = {
        "Type": "Pass", "End": True,
        "Output": {"run": "{% $states.input.BatchInput.run %}", "sum": "{% $sum($states.input.Items.double) %}",
                   "size": "{% $count($states.input.Items) %}"},
    }  # fmt: skip
    machine = cloud.machine(
        "batches",
        distributed(
            each, ItemReader=READER, MaxConcurrency="{% $states.input.most %}",
            ItemSelector={"double": "{% $states.context.Map.Item.Value.n * 2 %}"},
            ItemBatcher={"MaxItemsPerBatch": "{% 100 %}", "BatchInput": {"run": "{% $states.input.run %}"}},
            Output="{% $states.result %}",
        ),
    )  # fmt: skip
    ended = cloud.execute(machine, {**manifest, "run": "r1", "most": 2})
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert [batch["size"] for batch in output] == [100, 100, 50]
    assert {batch["run"] for batch in output} == {"r1"}
    assert sum(batch["sum"] for batch in output) == 2 * sum(range(250))
    run = counts(cloud, ended["executionArn"])
    assert (run["status"], run["itemCounts"]["succeeded"], run["executionCounts"]["total"]) == ("SUCCEEDED", 250, 3)
    assert run["maxConcurrency"] == 2


FLAKY = {
    "Type": "Choice", "Default": "Good",
    "Choices": [{"Condition": "{% $states.input.n < 3 %}", "Next": "Bad"}],
}  # fmt: skip


def flaky(**fields: Any) -> dict[str, Any]:
    """A machine whose first three items fail."""
    machine = distributed(FLAKY, Items="{% [0..19].{'n': $} %}", **fields)
    states = machine["States"]["Fan"]["ItemProcessor"]["States"]
    states["Bad"] = {"Type": "Fail", "Error": "Bad"}
    states["Good"] = {"Type": "Succeed"}
    return machine


@pytest.mark.parametrize(("tolerated", "status"), [("{% 3 %}", "SUCCEEDED"), ("{% 2 %}", "FAILED"), (None, "FAILED")])
def test_failures_are_tolerated_up_to_the_count(cloud: Any, tolerated: str | None, status: str) -> None:
    """ToleratedFailureCount, as an expression, decides; without it one failure is too many."""
    fields = {} if tolerated is None else {"ToleratedFailureCount": tolerated}
    ended = cloud.execute(cloud.machine(f"tolerates-{tolerated and tolerated[3]}", flaky(**fields)))
    assert ended["status"] == status
    run = counts(cloud, ended["executionArn"])
    assert run["status"] == status
    if status == "FAILED":
        assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    else:
        assert (run["itemCounts"]["failed"], run["itemCounts"]["succeeded"]) == (3, 17)


def test_a_missing_dataset_fails_the_reader(cloud: Any, manifest: dict[str, str]) -> None:
    """An object that is not there, or is no JSON, is States.ItemReaderFailed."""
    cloud.client("s3").put_object(Bucket=manifest["bucket"], Key="broken", Body=b"[1,")
    machine = cloud.machine("reads", distributed(PASS, ItemReader=READER))
    for key in ("not/there", "broken"):
        assert cloud.execute(machine, {**manifest, "key": key})["error"] == "States.ItemReaderFailed"


def test_a_child_has_its_own_context_and_variables(cloud: Any) -> None:
    """$states.context.Execution is the child's own; what one child assigns, no other sees."""
    each = {"Type": "Pass", "Assign": {"mine": "{% $states.input %}"}, "Next": "Tell"}
    machine = distributed(each, Items="{% [1, 2, 3] %}")
    machine["States"]["Fan"]["ItemProcessor"]["States"]["Tell"] = {
        "Type": "Pass", "End": True, "Output": {"mine": "{% $mine %}", "id": "{% $states.context.Execution.Id %}"},
    }  # fmt: skip
    ended = cloud.execute(cloud.machine("children", machine))
    output = json.loads(ended["output"])
    assert [child["mine"] for child in output] == [1, 2, 3]
    assert len({child["id"] for child in output} | {ended["executionArn"]}) == 4


def test_stopping_the_parent_aborts_the_children(cloud: Any) -> None:
    """StopExecution ends the Map Run and its children, which take no further step."""
    machine = cloud.machine("aborts", distributed({"Type": "Wait", "Seconds": 600, "End": True}, Items="{% [1..5] %}"))
    states = cloud.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    until(lambda: states.list_map_runs(executionArn=execution)["mapRuns"])
    until(lambda: counts(cloud, execution)["itemCounts"]["running"] == 5)
    states.stop_execution(executionArn=execution)
    until(lambda: counts(cloud, execution)["status"] == "ABORTED")
    until(lambda: counts(cloud, execution)["itemCounts"]["aborted"] == 5)
