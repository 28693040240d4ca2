"""Retry delays, time-outs, heartbeats and task tokens of Step Functions' Task states.

Faults: Retry ignores MaxDelaySeconds and JitterStrategy and caps every delay at 60 s; HeartbeatSeconds,
HeartbeatSecondsPath, TimeoutSecondsPath and JSONata time-outs are ignored; a retried state with a task token keeps the
token of its first attempt; a function that fails before it hands its token on leaves the state waiting for ever.

Repair: all of these as the Amazon States Language has them. A missed heartbeat is `States.HeartbeatTimeout`, which
a retrier or catcher of `States.Timeout` matches too.

Asserted: the lines of `_execute_task`, `_invoke_with_callback`, `_send_task_heartbeat` and `_with_retry_and_catch` that
are edited, and the sources of `_invoke_resource_with_timeout` and `_error_matches`.
"""

import contextvars
import math
import random
import threading
import time
from typing import Any

from ministack.services import stepfunctions

from .source import replace, rewrite
from .states_scope import HaltedError, current

_ATTEMPT = '        ctx["State"]["RetryCount"] = sum(retry_counts.values())\n'


def delay(retrier: dict[str, Any], count: int) -> float:
    """Seconds before the retry after `count` earlier ones."""
    try:
        seconds = float(retrier.get("IntervalSeconds", 1)) * float(retrier.get("BackoffRate", 2.0)) ** count
    except OverflowError:
        seconds = math.inf
    seconds = min(seconds, float(retrier.get("MaxDelaySeconds", 31_622_400)))
    return random.uniform(0, seconds) if retrier.get("JitterStrategy") == "FULL" else seconds  # noqa: S311 - spread, not secrecy


def limits(state: dict[str, Any], raw_input: Any, ctx: dict[str, Any]) -> dict[str, float]:
    """The state's TimeoutSeconds and HeartbeatSeconds, evaluated; absent when it has none."""
    found: dict[str, float] = {}
    for field in ("TimeoutSeconds", "HeartbeatSeconds"):
        if f"{field}Path" in state:
            value = stepfunctions._resolve_path_or_ctx(state[f"{field}Path"], raw_input, ctx)
        elif stepfunctions._state_query_language(state, ctx) == "JSONata" and field in state:
            value = stepfunctions._jsonata_state_field(state, field, "number", raw_input, ctx)
        else:
            value = state.get(field)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise stepfunctions._ExecutionError("States.Runtime", f"{field} must be a positive number, not {value!r}")
        found[field] = value
    return found


def await_token(event: threading.Event, token: str, bounds: dict[str, float]) -> bool:
    """Wait for a task token's answer; false after TimeoutSeconds.

    Raises:
        _ExecutionError: `States.HeartbeatTimeout`, when no heartbeat came in time.
    """
    begun = time.monotonic()
    until = begun + bounds.get("TimeoutSeconds", 99_999_999)
    beat_every = bounds.get("HeartbeatSeconds")
    tokens = stepfunctions._task_tokens
    try:
        while True:
            last = (tokens.get(token) or {}).get("beat", begun)
            wake = until if beat_every is None else min(until, last + beat_every)
            if current.get().wait(event, max(0.0, wake - time.monotonic())):
                return True
            now = time.monotonic()
            if now >= until:
                return False
            heard = (tokens.get(token) or {}).get("beat", begun)
            if beat_every is not None and now >= heard + beat_every:
                tokens.pop(token, None)
                raise stepfunctions._ExecutionError("States.HeartbeatTimeout", f"No heartbeat for {beat_every} seconds")
    except HaltedError:
        tokens.pop(token, None)
        raise


def invoke_within(resource: str, payload: Any, timeout: float) -> Any:
    """Run a task, and raise `States.Timeout` when it takes longer; its thread goes on, unheard."""
    done = threading.Event()
    outcome: dict[str, Any] = {}

    def work() -> None:
        try:
            outcome["result"] = stepfunctions._invoke_resource(resource, payload)
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            outcome["error"] = error
        done.set()

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), daemon=True, name="states-task").start()
    if not current.get().wait(done, timeout):
        raise stepfunctions._ExecutionError("States.Timeout", f"Task timed out after {timeout} seconds")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


def matches(error_equals: list[str], error: str) -> bool:
    """Whether a retrier's or catcher's list names this error."""
    if "States.ALL" in error_equals or error in error_equals:
        return True
    if error == "States.HeartbeatTimeout" and "States.Timeout" in error_equals:
        return True
    return "States.TaskFailed" in error_equals and error != "States.Timeout"


def repair() -> None:
    """Edit the Task state's interpreter."""
    replace(stepfunctions, "_invoke_resource_with_timeout", invoke_within, "faeed0bf70d5")
    replace(stepfunctions, "_error_matches", matches, "519b9dc729c5")
    _edit_attempts()
    _edit_tokens()


def _edit_attempts() -> None:
    """A token, the limits and the delay of each attempt."""
    rewrite(
        stepfunctions,
        "_execute_task",
        ('    if is_callback:\n        ctx["Task"] = {"Token": new_uuid()}\n\n', ""),
        (_ATTEMPT, _ATTEMPT + '        if is_callback:\n            ctx["Task"] = {"Token": new_uuid()}\n'),
        ('ctx["Task"]["Token"], state_def)', 'ctx["Task"]["Token"], quintet_limits(state_def, raw_input, ctx))'),
        (
            'elif "TimeoutSeconds" in state_def and ":activity:" not in resource:',
            'elif ("TimeoutSeconds" in state_def or "TimeoutSecondsPath" in state_def) and ":activity:" not in resource:',
        ),
        (
            'resource, effective, state_def["TimeoutSeconds"])',
            'resource, effective, quintet_limits(state_def, raw_input, ctx)["TimeoutSeconds"])',
        ),
        (
            '                interval = retrier.get("IntervalSeconds", 1)\n'
            '                backoff = retrier.get("BackoffRate", 2.0)\n'
            "                sleep_sec = interval * (backoff ** count)\n"
            "                _scaled_sleep(min(sleep_sec, 60))\n",
            "                _scaled_sleep(quintet_delay(retrier, count))\n",
        ),
        quintet_limits=limits,
        quintet_delay=delay,
    )
    rewrite(
        stepfunctions,
        "_with_retry_and_catch",
        (
            '                interval = retrier.get("IntervalSeconds", 1)\n'
            '                _scaled_sleep(min(interval * (retrier.get("BackoffRate", 2.0) ** count), 60))\n',
            "                _scaled_sleep(quintet_delay(retrier, count))\n",
        ),
    )


def _edit_tokens() -> None:
    """What a state with a task token waits for."""
    rewrite(
        stepfunctions,
        "_invoke_with_callback",
        (
            "        except _ExecutionError:\n            pass\n",
            "        except _ExecutionError:\n            _task_tokens.pop(token, None)\n            raise\n",
        ),
        (
            '    timeout = state_def.get("TimeoutSeconds", 99999)\n    if not evt.wait(timeout=timeout):\n',
            "    if not quintet_await_token(evt, token, state_def):\n",
        ),
        quintet_await_token=await_token,
    )
    rewrite(
        stepfunctions,
        "_send_task_heartbeat",
        (
            '    info["heartbeat"] = now_iso()\n',
            '    info["heartbeat"] = now_iso()\n    info["beat"] = time.monotonic()\n',
        ),
    )
