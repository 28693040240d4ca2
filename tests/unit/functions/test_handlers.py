"""The engine's handlers: parse, one use case, answer."""

import importlib.util
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from quintet.services.engine import Next

ROOT = Path(__file__).resolve().parents[3]
CONTEXT = SimpleNamespace(aws_request_id="request-1")


def load(name: str) -> ModuleType:
    """A function's handler module, as Lambda loads it."""
    spec = importlib.util.spec_from_file_location(f"{name}_handler", ROOT / "functions" / name / "handler.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STARTED = "2026-11-22T10:00:00.500Z"
BEGAN = datetime(2026, 11, 22, 10, 0, 0, 500_000, UTC)


def call(name: str, services: Mock, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls a handler over these services."""
    module = load(name)
    monkeypatch.setattr(module, "services", lambda: services)
    return module.handler(event, CONTEXT)


def test_work_advances_one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The burst's numbers go in, with a name for this very invocation; what comes next goes out as the machine reads it."""
    services = Mock()
    services.advance.return_value = Next("wait", 4, 2)
    answer = call(
        "work", services, {"runId": "r", "epoch": 3, "slice": 1, "attempt": 2, "startedAt": STARTED}, monkeypatch
    )

    services.advance.assert_called_once_with("r", 3, 1, 2, "request-1#2", BEGAN)
    assert answer == {"next": "wait", "seconds": 4, "slice": 2}


def test_item_advances_one_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """An item's slice is advanced as a run's is, under its index."""
    services = Mock()
    services.advance_item.return_value = Next("end")
    event = {
        "runId": "r",
        "path": "each",
        "token": 1,
        "index": 7,
        "item": {"n": 1},
        "slice": 0,
        "retry": 0,
        "startedAt": STARTED,
    }
    answer = call("item", services, event, monkeypatch)

    services.advance_item.assert_called_once_with("r", "each", 1, 7, {"n": 1}, 0, 0, "request-1#0", BEGAN)
    assert answer == {"next": "end", "seconds": 0, "slice": 0}


def test_settle_hands_on_what_the_work_came_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the park machine heard it, with the attempt it is of."""
    services = Mock()
    ended = {"ok": False, "error": "States.TaskFailed", "cause": "{}"}
    call("settle", services, {"runId": "r", "path": "a/b", "token": 2, "ended": ended}, monkeypatch)

    services.settle_parked.assert_called_once_with("r", "a/b", 2, ended)


def test_carry_and_wake_name_what_they_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt of a step; one run."""
    services = Mock()
    call("carry", services, {"runId": "r", "path": "a/b", "token": 2}, monkeypatch)
    call("wake", services, {"runId": "r"}, monkeypatch)

    services.carry.assert_called_once_with("r", "a/b", 2)
    services.wake_run.assert_called_once_with("r")


def messages(*bodies: Any) -> dict[str, Any]:
    """What a queue's event source hands over."""
    return {"Records": [{"messageId": f"m{number}", "body": json.dumps(body)} for number, body in enumerate(bodies)]}


@pytest.mark.parametrize("failing", [[], ["r1"], ["r0", "r2"]])
def test_wakes_of_a_queue_come_again_one_by_one(failing: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message is a run's; those that failed are named, and the others are done."""
    services = Mock()
    services.wake_run.side_effect = lambda run_id: 1 / (run_id not in failing)
    answer = call("wake", services, messages(*({"runId": f"r{number}"} for number in range(3))), monkeypatch)

    assert [one.args for one in services.wake_run.call_args_list] == [("r0",), ("r1",), ("r2",)]
    assert answer == {"batchItemFailures": [{"itemIdentifier": run_id.replace("r", "m")} for run_id in failing]}


def test_deliver_makes_each_messages_attempt_and_names_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that nobody can read is among the failed, and ends with the dead letters."""
    services = Mock()
    services.webhooks.deliver.side_effect = lambda delivery, turn: 1 / (turn != 7)
    event = messages({"delivery": "msg_a", "attempt": 1}, {"delivery": "msg_b", "attempt": 7}, ["what?"])
    answer = call("deliver", services, event, monkeypatch)

    assert sorted(one.args for one in services.webhooks.deliver.call_args_list) == [("msg_a", 1), ("msg_b", 7)]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}


def test_deliver_makes_attempts_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten endpoints that answer only once all ten are asked: one slow one keeps nobody waiting."""
    all_asked = threading.Barrier(10, timeout=10)
    services = Mock()
    services.webhooks.deliver.side_effect = lambda *_: all_asked.wait()
    event = messages(*({"delivery": f"msg_{number}", "attempt": 1} for number in range(10)))

    assert call("deliver", services, event, monkeypatch) == {"batchItemFailures": []}


@pytest.mark.parametrize(("event", "lapsed"), [({}, False), ({"leases": None}, False), ({"leases": "lapsed"}, True)])
def test_sweep_takes_leases_for_lapsed_only_when_told(
    event: dict[str, Any], lapsed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the local cloud says so, at its start."""
    services = Mock()
    services.sweep.return_value = {"seen": 0, "taken": 0}
    services.webhooks.sweep.return_value = 0
    call("sweep", services, event, monkeypatch)

    services.sweep.assert_called_once_with(leases_lapsed=lapsed)
    services.webhooks.sweep.assert_called_once_with(services.clock.now())


def test_runs_that_cannot_be_swept_do_not_keep_webhooks_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault goes on all the same, so that the alarm hears of it."""
    services = Mock()
    services.sweep.side_effect = ConnectionError("the table is away")
    services.webhooks.sweep.return_value = 0
    with pytest.raises(ConnectionError):
        call("sweep", services, {}, monkeypatch)

    services.webhooks.sweep.assert_called_once()


def test_what_was_found_becomes_a_metric(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Fired schedules and taken-up runs are counted in CloudWatch's embedded format; nothing found says nothing."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Quintet")
    services = Mock()
    services.tick.return_value = {"fired": 3}
    services.sweep.return_value = {"seen": 5, "taken": 0}
    services.webhooks.sweep.return_value = 0
    assert call("tick", services, {}, monkeypatch) == {"fired": 3}
    told = json.loads(capsys.readouterr().out)
    assert call("sweep", services, {}, monkeypatch) == {"seen": 5, "taken": 0, "webhooks": 0}

    assert told["SchedulesFired"] == [3.0]
    assert told["function"] == "tick"
    assert told["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Quintet"
    assert capsys.readouterr().out == ""


def test_a_fault_is_logged_with_its_run_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine's retry rests on the exception; people find it in the log by the run."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "a-logger-of-this-test")  # loggers of one name share their stream
    services = Mock()
    services.advance.side_effect = ValueError("damaged journal")
    with pytest.raises(ValueError, match="damaged journal"):
        call(
            "work",
            services,
            {"runId": "run-9", "epoch": 3, "slice": 1, "attempt": 0, "startedAt": STARTED},
            monkeypatch,
        )
    logged = json.loads(capsys.readouterr().out)

    assert (logged["level"], logged["run"], logged["epoch"]) == ("ERROR", "run-9", 3)
    assert "damaged journal" in logged["exception"]


@pytest.mark.parametrize("name", ["work", "item", "carry", "settle", "wake", "deliver", "tick", "sweep"])
def test_a_cold_start_imports_nothing_heavy(name: str) -> None:
    """The SDK, Powertools and pydantic are imported when first needed, not before."""
    program = (
        "import sys; import handler\n"
        "heavy = {'boto3', 'botocore', 'aws_lambda_powertools', 'pydantic', 'jsonata', 'duckdb'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    folder = ROOT / "functions" / name
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
