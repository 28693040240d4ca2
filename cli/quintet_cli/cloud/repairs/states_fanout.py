"""Parallel and inline Map states whose branches have their own context and end together.

Faults: the branches of a Parallel share one context object, so that a state with a task token that is retried in one
branch is given a sibling's token, and `$states.context.State` is anyone's; a JSONata Parallel ignores Arguments,
Output and Assign; MaxConcurrencyPath is ignored; a failed branch waits for all others; branches run on
a thread pool that Python joins at exit, so that a waiting Map keeps a stopped launcher alive.

Repair: each branch has a copy of the context and of the variables (assignments stay inside, as on AWS); the first
failure halts the others and fails the state at once; threads are daemons.

Asserted: the sources of `_run_parallel_branches` and `_run_map_items`.
"""

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions

from .source import replace
from .states_scope import HaltedError, Scope, current

_INLINE_CONCURRENCY = 40  # AWS's bound of an inline Map
Job = Callable[[int], None]


def fan_out(count: int, work: Job, limit: int, stop: Callable[[], bool]) -> None:
    """Call `work(0..count-1)` on up to `limit` threads, and return when all have ended or `stop()` is true.

    What still runs then is halted. `work` reports its own failures.
    """
    scope = Scope(current.get())
    finished = threading.Event()
    lock = threading.Lock()
    left, upcoming = [count], iter(range(count))

    def serve() -> None:
        current.set(scope)
        for index in iter(lambda: _next(upcoming, lock), None):
            try:
                scope.check()
                work(index)
            except HaltedError:
                return
            with lock:
                left[0] -= 1
                over = left[0] == 0
            if over or stop():
                finished.set()

    try:
        for _ in range(min(count, limit)):
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(serve,), daemon=True, name="states-branch").start()
        if count:
            current.get().wait(finished)
    finally:
        scope.halt()
        scope.close()


def _next(upcoming: Any, lock: threading.Lock) -> int | None:
    with lock:
        found: int | None = next(upcoming, None)
        return found


def branch_context(ctx: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A copy of the context for a branch: what it assigns and enters stays its own."""
    return {**ctx, "State": dict(ctx["State"]), "variables": dict(ctx.get("variables", {})), **more}


def is_jsonata(state: dict[str, Any], ctx: dict[str, Any]) -> bool:
    """Whether the state's fields are JSONata."""
    return bool(stepfunctions._state_query_language(state, ctx) == "JSONata")


def finish(state: dict[str, Any], raw_input: Any, ctx: dict[str, Any], results: Any) -> tuple[Any, str | None]:
    """The state's output and the next state's name, from its branches' results."""
    if is_jsonata(state, ctx):
        output = stepfunctions._apply_jsonata_output(state, raw_input, ctx, result=results, default=results)
        stepfunctions._apply_state_assign(state, raw_input, ctx, result=results)
    else:
        output = stepfunctions._apply_result_selector(state, results)
        output = stepfunctions._apply_result_path(state, raw_input, output)
        output = stepfunctions._apply_output_path(state, output, ctx)
    return output, stepfunctions._next_or_end(state)


def number(state: dict[str, Any], field: str, raw_input: Any, ctx: dict[str, Any], default: float = 0) -> float:
    """A numeric field given as a number, as a JSONata expression or by its `...Path`."""
    if f"{field}Path" in state:
        value = stepfunctions._resolve_path_or_ctx(state[f"{field}Path"], raw_input, ctx)
    elif field not in state:
        return default
    elif is_jsonata(state, ctx):
        value = stepfunctions._jsonata_state_field(state, field, "number", raw_input, ctx)
    else:
        value = state[field]
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise stepfunctions._ExecutionError("States.Runtime", f"{field} must be a number of 0 or more, not {value!r}")
    return value


def as_error(error: Exception, name: str) -> Any:
    """The error as Step Functions' own kind."""
    return (
        error if isinstance(error, stepfunctions._ExecutionError) else stepfunctions._ExecutionError(name, str(error))
    )


def parallel(state: dict[str, Any], raw_input: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
    """Run a Parallel state's branches."""
    if is_jsonata(state, ctx):
        effective = stepfunctions._apply_jsonata_arguments(state, raw_input, ctx)
    else:
        effective = stepfunctions._apply_input_path(state, raw_input, ctx)
        effective = stepfunctions._apply_parameters(state, effective, ctx)
    branches = state.get("Branches", [])
    results: list[Any] = [None] * len(branches)
    errors: list[Exception] = []

    def work(index: int) -> None:
        branch = branches[index]
        try:
            results[index] = stepfunctions._run_sub_machine(
                branch.get("States", {}), branch.get("StartAt"), effective, execution, branch_context(ctx)
            )
        except Exception as error:  # noqa: BLE001 - the state's Retry and Catch decide
            errors.append(error)

    fan_out(len(branches), work, len(branches), lambda: bool(errors))
    if errors:
        raise as_error(errors[0], "States.BranchFailed")
    return finish(state, raw_input, ctx, results)


def map_items(state: dict[str, Any], raw_input: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
    """Run a Map state, inline or distributed."""
    from .states_map_run import distributed  # noqa: PLC0415 - it builds on this module

    iterator = state.get("Iterator") or state.get("ItemProcessor", {})
    if (iterator.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED":
        return distributed(state, raw_input, iterator, execution, ctx)
    effective = raw_input if is_jsonata(state, ctx) else stepfunctions._apply_input_path(state, raw_input, ctx)
    items = items_of(state, raw_input, effective, ctx)
    results: list[Any] = [None] * len(items)
    errors: list[Exception] = []

    def work(index: int) -> None:
        try:
            item_ctx = branch_context(ctx, Map={"Item": {"Index": index, "Value": items[index]}})
            results[index] = stepfunctions._run_sub_machine(
                iterator.get("States", {}), iterator.get("StartAt"),
                selected(state, raw_input, effective, item_ctx), execution, item_ctx,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - the state's Retry and Catch decide
            errors.append(error)

    limit = int(number(state, "MaxConcurrency", raw_input, ctx)) or _INLINE_CONCURRENCY
    fan_out(len(items), work, min(limit, _INLINE_CONCURRENCY), lambda: bool(errors))
    if errors:
        raise as_error(errors[0], "States.MapFailed")
    return finish(state, raw_input, ctx, results)


def items_of(state: dict[str, Any], raw_input: Any, effective: Any, ctx: dict[str, Any]) -> list[Any]:
    """The list a Map state runs over, from its Items or its ItemsPath."""
    if not is_jsonata(state, ctx):
        items = stepfunctions._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, ctx)
    elif "Items" in state:
        items = stepfunctions._apply_jsonata_template(state["Items"], raw_input, ctx)
    else:
        items = raw_input
    if isinstance(items, dict):
        return [{"Key": key, "Value": value} for key, value in items.items()]
    if not isinstance(items, list):
        raise stepfunctions._ExecutionError(
            "States.QueryEvaluationError" if is_jsonata(state, ctx) else "States.Runtime",
            f"A Map state's items must be an array, not {stepfunctions._json_type(items)}",
        )
    return items


def selected(state: dict[str, Any], raw_input: Any, effective: Any, item_ctx: dict[str, Any]) -> Any:
    """The input of one item: its ItemSelector, or the item itself."""
    selector = state.get("ItemSelector") or state.get("Parameters")
    if not selector:
        return item_ctx["Map"]["Item"]["Value"]
    if is_jsonata(state, item_ctx):
        return stepfunctions._apply_jsonata_template(selector, raw_input, item_ctx)
    return stepfunctions._resolve_params_obj(selector, effective, item_ctx)


def repair() -> None:
    """Run branches and items here."""
    replace(stepfunctions, "_run_parallel_branches", parallel, "b8c7f6915297")
    replace(stepfunctions, "_run_map_items", map_items, "5df19a8074ce")
