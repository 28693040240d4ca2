"""The life of one Step Functions execution: its start, its end, and what is kept of it.

Faults: every execution sleeps 150 ms first; the machine's TimeoutSeconds is ignored; StopExecution changes the status and
lets everything run on, and a task that fails later turns ABORTED into FAILED; an Express machine refuses a
name it has seen and announces its status changes; a second StartExecution with the same name and input is refused;
nothing that ended is ever forgotten.

Repair: executions run in a `Scope` that StopExecution halts and the machine's TimeoutSeconds bounds (`TIMED_OUT`); Express
executions have names of their own and emit nothing; a repeated start of a running Standard execution answers the first
one, as AWS does. The last 1,000 finished Express executions (children of a Map Run included) and 5,000
Standard ones are kept.

Asserted: the edited lines of `_run_execution`, `_start_execution`, `_stop_execution` and `_fail_execution`.
"""

import functools
import json
import threading
import uuid
from collections import deque
from typing import Any

from ministack.services import stepfunctions

from .source import rewrite
from .states_scope import _NONE, HaltedError, Scope, current

_EXPRESS_KEPT = 1000
_STANDARD_KEPT = 5000
_original: Any = None
_running: dict[str, Scope] = {}
_ended: dict[bool, deque[tuple[str, str, str]]] = {True: deque(), False: deque()}
_ended_lock = threading.Lock()


@functools.lru_cache(maxsize=256)
def definition_of(text: str) -> Any:
    """The parsed machine; the interpreter only reads it."""
    return json.loads(text)


def run(execution_arn: str) -> None:
    """Run an execution to its end in a scope of its own."""
    execution = stepfunctions._executions.get(execution_arn)
    if execution is None:
        return
    above = current.get()
    scope = Scope(None if above is _NONE else above, _seconds(execution))
    _running[execution_arn] = scope
    token = current.set(scope)
    try:
        _original(execution_arn)
    except HaltedError as halted:
        _settle(execution, timed_out=halted.timed_out and halted.origin is scope)
        if halted.origin is not scope:
            raise
    finally:
        current.reset(token)
        _running.pop(execution_arn, None)
        scope.close()
        keep(execution)


def run_detached(execution_arn: str) -> None:
    """Run an execution that another one started and doesn't wait for."""
    current.set(_NONE)
    run(execution_arn)


def _seconds(execution: dict[str, Any]) -> float | None:
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
    try:
        found = definition_of(machine["definition"]).get("TimeoutSeconds") if machine else None
    except ValueError:
        return None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _settle(execution: dict[str, Any], *, timed_out: bool) -> None:
    """Write the end of a halted execution, unless StopExecution already did."""
    if execution["status"] != "RUNNING":
        return
    execution["status"] = "TIMED_OUT" if timed_out else "ABORTED"
    execution["stopDate"] = stepfunctions.now_iso()
    if timed_out:
        execution["error"] = "States.Timeout"
    kind = "ExecutionTimedOut" if timed_out else "ExecutionAborted"
    stepfunctions._add_event(execution, kind, {f"{kind[0].lower()}{kind[1:]}EventDetails": {"error": "", "cause": ""}})
    stepfunctions._emit_execution_status_event(execution)


def keep(execution: dict[str, Any]) -> None:
    """Remember an ended execution and forget the oldest one beyond the bound."""
    express = bool(execution.get("express"))
    store = stepfunctions._executions
    with _ended_lock:
        ended = _ended[express]
        ended.append(store._scoped(execution["executionArn"]))
        while len(ended) > (_EXPRESS_KEPT if express else _STANDARD_KEPT):
            store._data.pop(ended.popleft(), None)


def halt(execution_arn: str) -> None:
    """Stop the threads of a running execution."""
    scope = _running.get(execution_arn)
    if scope is not None:
        scope.halt()


def express_arn(machine: dict[str, Any], name: str, arn: str) -> str:
    """An Express execution's ARN is unique by itself; a Standard one's is its name."""
    if machine.get("type") != "EXPRESS":
        return arn
    return f"{arn.replace(':execution:', ':express:', 1)}:{uuid.uuid4()}"


def repeated(data: dict[str, Any], execution: dict[str, Any]) -> bool:
    """Whether this start repeats that of a running execution."""
    return bool(execution["status"] == "RUNNING" and execution["input"] == data.get("input", "{}"))


def mark(execution: dict[str, Any], machine: dict[str, Any]) -> None:
    """Mark an Express execution: `sync` is MiniStack's sign of one that emits no status events."""
    if machine.get("type") == "EXPRESS":
        execution["sync"] = execution["express"] = True


def repair() -> None:
    """Edit the interpreter's entry points."""
    global _original  # noqa: PLW0603 - the repaired function that `run` wraps
    rewrite(
        stepfunctions,
        "_run_execution",
        ("    time.sleep(0.15)\n", ""),
        ('json.loads(sm["definition"])', 'quintet_definition_of(sm["definition"])'),
        (
            '        while current_name and execution["status"] == "RUNNING":\n',
            '        while current_name and execution["status"] == "RUNNING":\n            quintet_scope.get().check()\n',
        ),
        quintet_definition_of=definition_of,
        quintet_scope=current,
    )
    if stepfunctions._run_execution is not run:
        _original = stepfunctions._run_execution
        stepfunctions._run_execution = run
    _edit_starts()
    _edit_ends()


def _edit_ends() -> None:
    """An execution that was stopped stays so."""
    rewrite(
        stepfunctions,
        "_fail_execution",
        (
            '    execution["status"] = "FAILED"\n',
            '    if execution["status"] != "RUNNING":\n        return\n    execution["status"] = "FAILED"\n',
        ),
    )
    rewrite(
        stepfunctions,
        "_stop_execution",
        (
            "    _emit_execution_status_event(execution)\n",
            "    quintet_halt(exec_arn)\n    _emit_execution_status_event(execution)\n",
        ),
        quintet_halt=halt,
    )


def _edit_starts() -> None:
    """Names, repeated starts and kinds."""
    rewrite(
        stepfunctions,
        "_start_execution",
        (
            "    # Reject duplicate execution names\n    if exec_arn in _executions:\n",
            "    exec_arn = quintet_express_arn(sm, name, exec_arn)\n"
            "    if exec_arn in _executions:\n"
            "        if quintet_repeated(data, _executions[exec_arn]):\n"
            '            return json_response({"executionArn": exec_arn, "startDate": _executions[exec_arn]["startDate"]})\n',
        ),
        (
            "    _emit_execution_status_event(_executions[exec_arn])\n",
            "    quintet_mark(_executions[exec_arn], sm)\n    _emit_execution_status_event(_executions[exec_arn])\n",
        ),
        ("args=(_run_execution, exec_arn)", "args=(quintet_run_detached, exec_arn)"),
        quintet_run_detached=run_detached,
        quintet_express_arn=express_arn,
        quintet_repeated=repeated,
        quintet_mark=mark,
    )
