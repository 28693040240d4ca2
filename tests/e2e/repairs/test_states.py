"""Repairs of Step Functions: errors by class, retries, time-outs, heartbeats, tokens, stopping, and bounded memory."""

import concurrent.futures
import json
import time
from collections.abc import Callable, Iterator
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
def echo(cloud: Any) -> str:
    """A function that answers its event."""
    cloud.function("echo", "def handler(event, context): return event\n")
    return "echo"


@pytest.fixture(scope="module")
def queue(cloud: Any) -> Iterator[str]:
    """A queue that task tokens are sent to."""
    sqs = cloud.client("sqs")
    url: str = sqs.create_queue(QueueName="tokens")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def task(function: str, **more: Any) -> dict[str, Any]:
    """A Lambda task that passes its input and ends."""
    return {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": "{% $states.input %}"},
        "Output": "{% $states.result.Payload %}", "End": True, **more,
    }  # fmt: skip


def token_task(queue: str, **more: Any) -> dict[str, Any]:
    """A task that sends its token to a queue and waits for it."""
    return {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Arguments": {"QueueUrl": queue, "MessageBody": {"token": "{% $states.context.Task.Token %}",
                                                         "input": "{% $states.input %}"}},
        "End": True, **more,
    }  # fmt: skip


def one(state: dict[str, Any], **machine: Any) -> dict[str, Any]:
    """A machine of one state."""
    return {"StartAt": "Only", "States": {"Only": state}, **machine}


def tokens(cloud: Any, queue: str, count: int) -> list[dict[str, Any]]:
    """The next messages of the token queue."""
    found: list[dict[str, Any]] = []

    def enough() -> bool:
        messages = cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            cloud.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
        return len(found) >= count

    until(enough)
    return found


def test_retry_and_catch_match_the_class_of_a_functions_exception(cloud: Any, tmp_path: Any) -> None:
    """Retry of the class retries it; Catch of the class catches it when retries are used up."""
    note = tmp_path / "tries"
    cloud.function(
        "classes",
        "class ThrottledError(Exception): pass\n"
        "def handler(event, context):\n"
        "    with open(event['note'], 'a') as note: note.write('x')\n"
        "    raise ThrottledError('slow down')\n",
    )
    state = task(
        "classes",
        Retry=[{"ErrorEquals": ["ThrottledError"], "IntervalSeconds": 1, "MaxDelaySeconds": 1, "MaxAttempts": 1}],
        Catch=[{"ErrorEquals": ["ThrottledError"], "Next": "Caught", "Output": "{% $states.errorOutput.Error %}"}],
    )
    machine = cloud.machine(
        "classes", {"StartAt": "Only", "States": {"Only": state, "Caught": {"Type": "Succeed"}}}, "EXPRESS"
    )
    ended = cloud.execute(machine, {"note": str(note)})
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", "ThrottledError")
    assert note.read_text() == "xx"


def test_a_retrys_delay_is_bounded_by_max_delay_seconds(cloud: Any, tmp_path: Any) -> None:
    """With an interval of 600 s and MaxDelaySeconds 1, the second attempt comes at once."""
    cloud.function(
        "second",
        "import pathlib\n"
        "def handler(event, context):\n"
        "    note = pathlib.Path(event['note'])\n"
        "    if note.exists(): return 'second'\n"
        "    note.write_text('')\n"
        "    raise ValueError('first')\n",
    )
    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 600, "MaxDelaySeconds": 1}]
    for name, kind in (("plain", "NONE"), ("jitter", "FULL")):
        state = task("second", Retry=[{**retry[0], "JitterStrategy": kind}])
        machine = cloud.machine(f"delay-{name}", one(state), "EXPRESS")
        ended = cloud.execute(machine, {"note": str(tmp_path / name)}, wait=15)
        assert json.loads(ended["output"]) == "second"


def test_the_machines_own_timeout_ends_an_execution(cloud: Any) -> None:
    """TimeoutSeconds of the machine gives TIMED_OUT, even in the middle of a Wait inside of a Map."""
    inner = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
    state = {"Type": "Map", "Items": [1, 2], "ItemProcessor": inner, "End": True}
    machine = cloud.machine("machine-timeout", one(state, TimeoutSeconds=1))
    assert cloud.execute(machine)["status"] == "TIMED_OUT"


@pytest.mark.parametrize("timeout", [1, "{% $states.input.limit %}"])
def test_a_task_token_that_is_not_answered_times_out(cloud: Any, queue: str, timeout: Any) -> None:
    """TimeoutSeconds of a token task, also as an expression, is States.Timeout."""
    machine = cloud.machine(f"token-timeout-{len(str(timeout))}", one(token_task(queue, TimeoutSeconds=timeout)))
    ended = cloud.execute(machine, {"limit": 1})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    tokens(cloud, queue, 1)


def test_a_missed_heartbeat_fails_the_task_and_a_heartbeat_keeps_it(cloud: Any, queue: str) -> None:
    """HeartbeatSeconds is counted from the last SendTaskHeartbeat."""
    states = cloud.client("stepfunctions")
    machine = cloud.machine("heartbeat", one(token_task(queue, HeartbeatSeconds=1, TimeoutSeconds=30)))
    lost = states.start_execution(stateMachineArn=machine, input='"lost"')["executionArn"]
    kept = states.start_execution(stateMachineArn=machine, input='"kept"')["executionArn"]
    beating = {message["input"]: message["token"] for message in tokens(cloud, queue, 2)}["kept"]

    def over() -> bool:
        states.send_task_heartbeat(taskToken=beating)
        return bool(states.describe_execution(executionArn=lost)["status"] != "RUNNING")

    until(over)
    assert cloud.ended(lost)["error"] == "States.HeartbeatTimeout"
    states.send_task_success(taskToken=beating, output='"done"')
    assert cloud.ended(kept)["status"] == "SUCCEEDED"


def test_a_task_timeout_by_path_is_honoured(cloud: Any) -> None:
    """TimeoutSecondsPath of a JSONPath state bounds its function call."""
    cloud.function("slow", "import time\ndef handler(event, context): time.sleep(30)\n", Timeout=30)
    state = {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSecondsPath": "$.limit",
        "Parameters": {"FunctionName": "slow", "Payload": {}}, "End": True,
    }  # fmt: skip
    machine = cloud.machine("timeout-path", {"QueryLanguage": "JSONPath", **one(state)})
    assert cloud.execute(machine, {"limit": 1})["error"] == "States.Timeout"


def test_each_branch_and_each_attempt_has_its_own_token(cloud: Any, queue: str) -> None:
    """Two token tasks of a Parallel, each retried once: four tokens, and each answer reaches its own branch."""
    retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxDelaySeconds": 1}]
    branches = [
        one({**token_task(queue, Retry=retry), "Assign": {"mine": "{% $states.result %}"}, "Next": "Tell"})
        for _ in range(2)
    ]
    for number, branch in enumerate(branches):
        branch["States"]["Only"].pop("End")
        branch["States"]["Only"]["Arguments"]["MessageBody"]["input"] = number
        branch["States"]["Tell"] = {"Type": "Pass", "Output": "{% $mine %}", "End": True}
    machine = cloud.machine("tokens", one({"Type": "Parallel", "Branches": branches, "End": True}))
    states = cloud.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    first = tokens(cloud, queue, 2)
    for message in first:
        states.send_task_failure(taskToken=message["token"], error="Again")
    second = tokens(cloud, queue, 2)
    assert len({message["token"] for message in [*first, *second]}) == 4
    for message in second:
        states.send_task_success(taskToken=message["token"], output=json.dumps(f"branch {message['input']}"))
    assert json.loads(cloud.ended(execution)["output"]) == ["branch 0", "branch 1"]


def test_a_function_that_fails_with_a_token_fails_its_state(cloud: Any) -> None:
    """The state doesn't wait for a token that its function never handed on."""
    cloud.function("drops", "def handler(event, context): raise LookupError('dropped')\n")
    state = {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": "drops", "Payload": {"token": "{% $states.context.Task.Token %}"}}, "End": True,
    }  # fmt: skip
    assert cloud.execute(cloud.machine("drops", one(state)))["error"] == "LookupError"


def test_stopping_an_execution_stops_what_runs_inside(cloud: Any, tmp_path: Any) -> None:
    """No item of a Map, and no branch of a Parallel in it, takes another step after StopExecution."""
    cloud.function(
        "notes", "def handler(event, context):\n    with open(event['note'], 'a') as note: note.write('x')\n"
    )
    loop = {
        "StartAt": "Wait",
        "States": {
            "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Note"},
            "Note": {**task("notes"), "Output": "{% $states.input %}", "Next": "Wait"},
        },
    }
    del loop["States"]["Note"]["End"]
    branch = one({"Type": "Parallel", "Branches": [loop, loop], "End": True})
    state = {"Type": "Map", "Items": "{% [1..3].{'note': $states.input.note} %}", "ItemProcessor": branch, "End": True}
    machine = cloud.machine("stopped", one(state))
    note = tmp_path / "note"
    execution = cloud.client("stepfunctions").start_execution(
        stateMachineArn=machine, input=json.dumps({"note": str(note)})
    )["executionArn"]
    until(note.exists)
    cloud.client("stepfunctions").stop_execution(executionArn=execution, error="Enough")
    time.sleep(0.3)  # a step that had begun may end
    taken = note.read_text()
    time.sleep(1.2)  # longer than one turn of the loop
    assert note.read_text() == taken
    assert cloud.ended(execution)["status"] == "ABORTED"


def test_a_task_that_fails_after_the_stop_leaves_the_execution_aborted(cloud: Any, tmp_path: Any) -> None:
    """ABORTED stays, whatever a late answer says."""
    gate = tmp_path / "gate"
    cloud.function(
        "late",
        "import pathlib, time\n"
        "def handler(event, context):\n"
        "    pathlib.Path(event['gate'] + '.in').write_text('')\n"
        "    while not pathlib.Path(event['gate']).exists(): time.sleep(0.01)\n"
        "    raise ValueError('late')\n",
    )
    machine = cloud.machine("late", one(task("late")))
    states = cloud.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps({"gate": str(gate)}))["executionArn"]
    until((tmp_path / "gate.in").exists)
    states.stop_execution(executionArn=execution)
    gate.write_text("")
    time.sleep(0.3)
    assert cloud.ended(execution)["status"] == "ABORTED"


def test_a_failed_branch_ends_its_siblings(cloud: Any) -> None:
    """A Parallel fails with the first failure and doesn't wait for a branch that sleeps."""
    branches = [one({"Type": "Fail", "Error": "Broken"}), one({"Type": "Wait", "Seconds": 600, "End": True})]
    machine = cloud.machine("siblings", one({"Type": "Parallel", "Branches": branches, "End": True}))
    assert cloud.execute(machine, wait=10)["error"] == "Broken"


def test_a_parallel_state_reads_jsonata(cloud: Any) -> None:
    """Arguments, Output and Assign of a JSONata Parallel are used."""
    branches = [one({"Type": "Pass", "Output": "{% $states.input.n + " + str(n) + " %}", "End": True}) for n in (1, 2)]
    state = {
        "Type": "Parallel", "Branches": branches, "Arguments": {"n": "{% $states.input.x * 10 %}"},
        "Output": "{% $sum($states.result) %}", "Assign": {"all": "{% $states.result %}"}, "Next": "Tell",
    }  # fmt: skip
    tell = {"Type": "Pass", "Output": {"sum": "{% $states.input %}", "all": "{% $all %}"}, "End": True}
    machine = cloud.machine("parallel", {"StartAt": "Only", "States": {"Only": state, "Tell": tell}}, "EXPRESS")
    assert json.loads(cloud.execute(machine, {"x": 1})["output"]) == {"sum": 23, "all": [11, 12]}


@pytest.mark.parametrize(
    ("name", "language", "fields"),
    [
        ("expression", "JSONata", {"Items": "{% $states.input.items %}", "MaxConcurrency": "{% $states.input.most %}"}),
        ("path", "JSONPath", {"ItemsPath": "$.items", "MaxConcurrencyPath": "$.most"}),
    ],
)
def test_a_maps_concurrency_can_be_given_by_its_input(
    cloud: Any, tmp_path: Any, name: str, language: str, fields: dict[str, Any]
) -> None:
    """Never more items at once than MaxConcurrency, given as an expression or as a path."""
    function = f"counts-{name}"
    cloud.function(
        function,
        "import pathlib, time\n"
        "def handler(event, context):\n"
        f"    mine = pathlib.Path({str(tmp_path)!r}) / f'{{context.aws_request_id}}.on'\n"
        "    mine.write_text('')\n"
        "    seen = len(list(mine.parent.glob('*.on')))\n"
        "    time.sleep(0.05)\n"
        "    mine.unlink()\n"
        "    return seen\n",
    )
    call = task(function)
    if language == "JSONPath":
        call = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload", "End": True,
                "Parameters": {"FunctionName": function, "Payload": {}}}  # fmt: skip
    state = {"Type": "Map", "ItemProcessor": one(call), "End": True, **fields}
    machine = cloud.machine(f"concurrency-{name}", {"QueryLanguage": language, **one(state)})
    ended = cloud.execute(machine, {"items": list(range(6)), "most": 1})
    assert json.loads(ended["output"]) == [1] * 6


def test_a_repeated_start_answers_the_running_execution(cloud: Any) -> None:
    """The same name and input start a Standard execution once; another input under that name is refused."""
    states = cloud.client("stepfunctions")
    machine = cloud.machine("once", one({"Type": "Wait", "Seconds": 600, "End": True}))
    first = states.start_execution(stateMachineArn=machine, name="same", input="{}")
    again = states.start_execution(stateMachineArn=machine, name="same", input="{}")
    assert first["executionArn"] == again["executionArn"]
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=machine, name="same", input='{"other": 1}')
    states.stop_execution(executionArn=first["executionArn"])


def test_express_executions_may_share_a_name_and_are_forgotten(cloud: Any) -> None:
    """Names of Express executions are free, and only the last thousand of those that ended are kept."""
    states = cloud.client("stepfunctions")
    machine = cloud.machine("express", one({"Type": "Succeed"}), "EXPRESS")

    def start(number: int) -> str:
        arn: str = states.start_execution(stateMachineArn=machine, name="same", input=str(number))["executionArn"]
        return arn

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        started = list(pool.map(start, range(1050)))
    assert len(set(started)) == 1050
    listed = until(lambda: _all_ended(states, machine))
    assert len(listed) == 1000


def _all_ended(states: Any, machine: str) -> list[Any]:
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine)
    found = [execution for page in pages for execution in page["executions"]]
    return [] if any(execution["status"] == "RUNNING" for execution in found) else found


def test_an_expression_that_is_used_again_sees_its_new_input(cloud: Any) -> None:
    """Kept expressions hold nothing of an earlier evaluation, tell null from undefined, and still end after a second."""
    expression = "{% $states.input.a + 1 %}"
    machine = cloud.machine("again", one({"Type": "Pass", "Output": expression, "End": True}), "EXPRESS")
    assert [json.loads(cloud.execute(machine, {"a": n})["output"]) for n in (1, 5, 5)] == [2, 6, 6]
    time.sleep(1.1)
    assert json.loads(cloud.execute(machine, {"a": 7})["output"]) == 8
    null = cloud.machine("null", one({"Type": "Pass", "Output": "{% $states.input.a %}", "End": True}), "EXPRESS")
    assert cloud.execute(null, {"a": None})["output"] == "null"
    assert cloud.execute(null, {})["error"] == "States.QueryEvaluationError"
    endless = cloud.machine(
        "endless", one({"Type": "Pass", "Output": "{% ($f := function($x) { $f($x + 1) }; $f(1)) %}", "End": True})
    )
    assert cloud.execute(endless, {})["error"] == "States.QueryEvaluationError"
