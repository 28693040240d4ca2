"""What starts work elsewhere: bursts, timers, carriers, called functions; and the ids and clocks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import UUID

import pytest

from quintet.adapters.aws import client, forget_clients
from quintet.adapters.clock import SystemClock
from quintet.adapters.functions import LambdaCarriers, LambdaFunctions
from quintet.adapters.ids import SystemIds
from quintet.adapters.memory import ManualClock, SeededIds
from quintet.adapters.stepfunctions import StepFunctionsBursts, StepFunctionsTimers
from quintet.services.ports.functions import FunctionFault
from quintet.services.ports.world import Ids

from .conftest import Stores
from .samples import NOW, after

DIED = {"X-Amz-Function-Error": "Unhandled"}
RUN = "019a0000-0000-7000-8000-000000000001"


def _machine(name: str) -> str:
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    made = client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/machine"
    )
    return made["stateMachineArn"]


def _inputs(machine: str) -> list[dict[str, object]]:
    states = client("stepfunctions")
    executions = states.list_executions(stateMachineArn=machine)["executions"]
    return [json.loads(states.describe_execution(executionArn=one["executionArn"])["input"]) for one in executions]


def test_a_burst_is_started_with_its_run_and_epoch(aws: Stores) -> None:
    """The machine's input names what to drive, from slice 0."""
    machine = _machine("burst")
    StepFunctionsBursts(machine).start(RUN, 3)
    assert _inputs(machine) == [{"runId": RUN, "epoch": 3, "slice": 0}]


def test_a_timer_is_set_once_a_moment(aws: Stores) -> None:
    """The same moment again starts nothing; another does. It is given in UTC, rounded up: the service cuts it to whole seconds."""
    machine = _machine("park")
    timers = StepFunctionsTimers(machine)
    timers.start(RUN, after(60))
    timers.start(RUN, after(60).astimezone(tz=None))
    timers.start(RUN, after(61))
    at = sorted(str(given["at"]) for given in _inputs(machine))
    assert at == ["2026-03-01T12:01:01.000Z", "2026-03-01T12:01:02.000Z"]


@dataclass
class FakeLambda:
    """A Lambda endpoint: answers as it is told, and keeps what it was asked."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str | None, object]] = field(default_factory=list)


@pytest.fixture
def fake_lambda(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLambda]:
    """Lambda on loopback, behind the real client."""
    fake = FakeLambda()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.asked.append((self.path, self.headers["X-Amz-Invocation-Type"], json.loads(body)))
            status, headers, answer = fake.answers.pop(0)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    settings = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"}
    for name, value in {**settings, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}.items():
        monkeypatch.setenv(name, value)
    forget_clients()
    yield fake
    forget_clients()
    server.shutdown()
    serving.join()
    server.server_close()


def test_a_carrier_is_invoked_and_not_waited_for(fake_lambda: FakeLambda) -> None:
    """The attempt goes to the carry function as an event."""
    fake_lambda.answers.append((202, {}, b""))
    LambdaCarriers("carry").start(RUN, "each[0].clean", 2)
    ((path, kind, payload),) = fake_lambda.asked
    assert (path, kind) == ("/2015-03-31/functions/carry/invocations", "Event")
    assert payload == {"runId": RUN, "path": "each[0].clean", "token": 2}


def test_a_called_function_answers(fake_lambda: FakeLambda) -> None:
    """Its JSON object comes back."""
    fake_lambda.answers.append((200, {}, b'{"ok": true, "n": 1}'))
    assert LambdaFunctions().call("runner", {"code": "x"}, 30) == {"ok": True, "n": 1}
    assert fake_lambda.asked[0][1:] == ("RequestResponse", {"code": "x"})


@pytest.mark.parametrize(
    ("headers", "body", "kind", "message"),
    [
        (DIED, b'{"errorType": "Boom", "errorMessage": "no"}', "FunctionError", "Boom: no"),
        (DIED, b'{"errorMessage": "x Task timed out after 3.00 seconds"}', "Timeout", "timed out after 3.00"),
        (DIED, b'{"errorType": "Sandbox.Timedout", "errorMessage": "late"}', "Timeout", "late"),
        (DIED, b"[]", "FunctionError", "no message"),
        ({}, b"not json", "FunctionError", "not JSON"),
        ({}, b"[1]", "FunctionError", "not an object"),
        ({}, b"", "FunctionError", "not an object"),
    ],
)
def test_a_function_that_fails_says_how(
    fake_lambda: FakeLambda, headers: dict[str, str], body: bytes, kind: str, message: str
) -> None:
    """An error, a time-out and an answer that is none are told apart."""
    fake_lambda.answers.append((200, headers, body))
    with pytest.raises(FunctionFault) as failure:
        LambdaFunctions().call("runner", {}, 1)
    assert failure.value.type == kind
    assert message in str(failure.value)


def test_a_refused_call_is_tried_again_a_broken_one_is_not(
    fake_lambda: FakeLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Throttling means that the function never ran; a fault of the service may have come after it did."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    refusal = (429, {"x-amzn-ErrorType": "TooManyRequestsException"}, b'{"Message": "slow down"}')
    fake_lambda.answers += [refusal, refusal, (200, {}, b"{}")]
    assert LambdaFunctions().call("runner", {}, 1) == {}
    fake_lambda.answers.append((500, {"x-amzn-ErrorType": "ServiceException"}, b'{"Message": "broken"}'))
    with pytest.raises(FunctionFault) as failure:
        LambdaFunctions().call("runner", {}, 1)
    assert failure.value.type == "Unavailable"
    assert "ServiceException" in str(failure.value)
    assert len(fake_lambda.asked) == 4


@pytest.mark.parametrize("ids", [SystemIds(), SeededIds(1, ManualClock())])
def test_ids_are_uuid7_in_order(ids: Ids) -> None:
    """Ten thousand ids made at once are different, in order, and of version 7; chance lies in [0, 1)."""
    made = [ids.new() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {(UUID(one).version, UUID(one).variant) for one in made} == {(7, "specified in RFC 4122")}
    assert all(0 <= ids.chance() < 1 for _ in range(100))


def test_seeded_ids_repeat_themselves() -> None:
    """The same seed and clock give the same names; another seed others; time shows in them."""
    clock = ManualClock(NOW)
    first, again, other = (SeededIds(seed, clock) for seed in (1, 1, 2))
    assert [first.new(), first.chance()] == [again.new(), again.chance()]
    assert first.new() != other.new()
    assert int(first.new().replace("-", "")[:12], 16) == round(NOW.timestamp() * 1000)


def test_the_manual_clock_moves_only_when_told() -> None:
    """Sleep and advance move it on, nothing moves it back."""
    clock = ManualClock(NOW)
    clock.sleep(1.5)
    clock.advance(2)
    assert clock.now() == NOW + timedelta(seconds=3.5)
    clock.advance(-5)
    clock.advance_to(NOW)
    assert clock.now() == after(3.5)
    clock.advance_to(after(10))
    assert clock.now() == after(10)


def test_the_systems_clock_is_aware_and_patient() -> None:
    """Its time is in UTC, and a sleep of nothing, or less, is none."""
    clock = SystemClock()
    clock.sleep(0)
    clock.sleep(-1)
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
