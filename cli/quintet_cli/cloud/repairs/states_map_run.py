"""Distributed Map states in JSONata, with batches, tolerated failures and a bounded memory.

Faults: the fields of a distributed Map are read as JSONPath only: in JSONata its ItemReader's Arguments, Items,
ItemSelector, ToleratedFailureCount, Output and Assign are ignored; ItemBatcher is ignored; failures beyond the
tolerated number don't stop the rest; StopExecution doesn't reach the children; a child's context is its parent's;
every child execution is remembered for ever.

Repair: all of these as AWS has them; children count among the kept Express executions.

Asserted: the sources of `_run_distributed_map` and `_read_map_items`.
"""

import json
import threading
from collections import deque
from typing import Any

from ministack.services import stepfunctions

from .source import expect
from .states_execution import keep
from .states_fanout import as_error, fan_out, finish, is_jsonata, items_of, number, selected
from .states_scope import HaltedError

_CONCURRENCY = 64  # AWS's is 10,000; threads of one process are fewer
_RUNS_KEPT = 1000
_COUNTS = ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total", "resultsWritten",
           "failuresNotRedrivable", "pendingRedrive")  # fmt: skip
_runs: deque[tuple[str, str, str]] = deque()


class MapRun:
    """One Map Run: its items, its children and what DescribeMapRun says of it."""

    def __init__(
        self, state: dict[str, Any], raw_input: Any, iterator: dict[str, Any], execution: dict[str, Any],
        ctx: dict[str, Any],
    ) -> None:  # fmt: skip
        self.state, self.raw_input, self.iterator, self.execution, self.ctx = state, raw_input, iterator, execution, ctx
        jsonata = is_jsonata(state, ctx)
        self.effective = raw_input if jsonata else stepfunctions._apply_input_path(state, raw_input, ctx)
        self.inputs, self.sizes = self._inputs()
        self.results: list[Any] = [None] * len(self.inputs)
        self.lock = threading.Lock()
        self.failed_items = 0
        self.concurrency = int(number(state, "MaxConcurrency", raw_input, ctx))
        self.tolerated = number(state, "ToleratedFailureCount", raw_input, ctx)
        self.tolerated_percent = number(state, "ToleratedFailurePercentage", raw_input, ctx)
        parts = execution["stateMachineArn"].split(":")
        self.label = f"{parts[6]}/{state.get('Label') or stepfunctions.new_uuid()}"
        self.scope = f"{parts[3]}:{parts[4]}"
        self.record = self._record()

    def _items(self) -> list[Any]:
        reader = self.state.get("ItemReader")
        if not reader:
            return items_of(self.state, self.raw_input, self.effective, self.ctx)
        if is_jsonata(self.state, self.ctx):
            reader = stepfunctions._apply_jsonata_template(reader, self.raw_input, self.ctx)
        try:
            items = stepfunctions._read_map_items(reader, self.effective, self.ctx)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise stepfunctions._ExecutionError(
                "States.ItemReaderFailed", f"The dataset can't be read: {error}"
            ) from error
        if not isinstance(items, list):
            raise stepfunctions._ExecutionError("States.ItemReaderFailed", "The dataset is not a JSON array")
        return items

    def _inputs(self) -> tuple[list[Any], list[int]]:
        """Each child's input, and the number of items in it."""
        items = self._items()
        chosen = []
        for index, item in enumerate(items):
            item_ctx = {**self.ctx, "Map": {"Item": {"Index": index, "Value": item}}}
            chosen.append(selected(self.state, self.raw_input, self.effective, item_ctx))
        batcher = self.state.get("ItemBatcher")
        if not batcher:
            return chosen, [1] * len(chosen)
        if is_jsonata(self.state, self.ctx):
            batcher = stepfunctions._apply_jsonata_template(batcher, self.raw_input, self.ctx)
            shared = batcher.get("BatchInput")
        else:
            shared = batcher.get("BatchInput")
            shared = stepfunctions._resolve_params_obj(shared, self.effective, self.ctx) if shared else None
        batches = batched(chosen, batcher)
        return [{**({"BatchInput": shared} if shared else {}), "Items": batch} for batch in batches], list(
            map(len, batches)
        )

    def _record(self) -> dict[str, Any]:
        items, children = sum(self.sizes), len(self.inputs)
        zero = dict.fromkeys(_COUNTS, 0)
        record = {
            "mapRunArn": f"arn:aws:states:{self.scope}:mapRun:{self.label}:{stepfunctions.new_uuid()}",
            "executionArn": self.execution["executionArn"], "status": "RUNNING", "startDate": stepfunctions.now_iso(),
            "maxConcurrency": self.concurrency, "toleratedFailurePercentage": self.tolerated_percent,
            "toleratedFailureCount": int(self.tolerated), "redriveCount": 0,
            "itemCounts": {**zero, "total": items, "pending": items},
            "executionCounts": {**zero, "total": children, "pending": children},
            "_stateMachineArn": f"arn:aws:states:{self.scope}:stateMachine:{self.label}",
        }  # fmt: skip
        store = stepfunctions._map_runs
        store[record["mapRunArn"]] = record
        _runs.append(store._scoped(record["mapRunArn"]))
        while len(_runs) > _RUNS_KEPT:
            store._data.pop(_runs.popleft(), None)
        return record

    def move(self, index: int, before: str, after: str) -> None:
        """Count a child, and its items, in its next state."""
        with self.lock:
            for counts, size in (("itemCounts", self.sizes[index]), ("executionCounts", 1)):
                self.record[counts][before] -= size
                self.record[counts][after] += size
            if after == "failed":
                self.failed_items += self.sizes[index]

    def exceeded(self) -> bool:
        """Whether more items failed than are tolerated; without a bound, any failure is too many."""
        if not self.failed_items:
            return False
        bounds = []
        if any(field.startswith("ToleratedFailureCount") for field in self.state):
            bounds.append(self.failed_items > self.tolerated)
        if any(field.startswith("ToleratedFailurePercentage") for field in self.state):
            bounds.append(self.failed_items * 100 > self.tolerated_percent * sum(self.sizes))
        return any(bounds) if bounds else True

    def work(self, index: int) -> None:
        """Run one child execution."""
        child = self._child(index)
        self.move(index, "pending", "running")
        ctx = {
            **self.ctx, "State": dict(self.ctx["State"]), "variables": {},
            "Execution": {"Id": child["executionArn"], "Name": child["name"], "StartTime": child["startDate"],
                          "Input": self.inputs[index]},
        }  # fmt: skip
        after = "failed"
        try:
            self.results[index] = stepfunctions._run_sub_machine(
                self.iterator.get("States", {}), self.iterator.get("StartAt"), self.inputs[index], child, ctx
            )
            child.update(status="SUCCEEDED", output=json.dumps(self.results[index]))
            after = "succeeded"
        except HaltedError:
            child["status"], after = "ABORTED", "aborted"
            raise
        except Exception as found:  # noqa: BLE001 - a child's failure is counted
            error = as_error(found, "States.TaskFailed")
            child.update(status="FAILED", error=error.error, cause=error.cause)
        finally:
            child["stopDate"] = stepfunctions.now_iso()
            self.move(index, "running", after)
            keep(child)

    def _child(self, index: int) -> dict[str, Any]:
        name = stepfunctions.new_uuid()
        child = {
            "executionArn": f"arn:aws:states:{self.scope}:execution:{self.label}:{name}",
            "stateMachineArn": self.record["_stateMachineArn"], "name": name, "status": "RUNNING",
            "startDate": stepfunctions.now_iso(), "stopDate": None, "input": json.dumps(self.inputs[index]),
            "inputDetails": {"included": True}, "output": None, "outputDetails": {"included": True},
            "mapRunArn": self.record["mapRunArn"], "events": [], "testCase": self.execution.get("testCase"),
            "mockAttempts": {}, "sync": True, "express": True,
        }  # fmt: skip
        stepfunctions._executions[child["executionArn"]] = child
        return child

    def end(self, status: str) -> None:
        """Write the Map Run's end."""
        self.record["status"] = status
        self.record["stopDate"] = stepfunctions.now_iso()


def batched(items: list[Any], batcher: dict[str, Any]) -> list[list[Any]]:
    """The items in batches of MaxItemsPerBatch items and MaxInputBytesPerBatch bytes of JSON."""
    most, most_bytes = batcher.get("MaxItemsPerBatch"), batcher.get("MaxInputBytesPerBatch")
    batches: list[list[Any]] = []
    size = 0
    for item in items:
        length = len(json.dumps(item)) if most_bytes else 0
        full = not batches or (most and len(batches[-1]) >= most) or (most_bytes and size + length > most_bytes)
        if full:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += length
    return batches


def distributed(
    state: dict[str, Any], raw_input: Any, iterator: dict[str, Any], execution: dict[str, Any], ctx: dict[str, Any]
) -> Any:
    """Run a distributed Map state."""
    run = MapRun(state, raw_input, iterator, execution, ctx)
    try:
        fan_out(len(run.inputs), run.work, min(run.concurrency or _CONCURRENCY, _CONCURRENCY), run.exceeded)
    except HaltedError:
        run.end("ABORTED")
        raise
    if run.exceeded():
        run.end("FAILED")
        raise stepfunctions._ExecutionError(
            "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"
        )
    run.end("SUCCEEDED")
    return finish(state, raw_input, ctx, run.results)


def repair() -> None:
    """Nothing to edit: `states_fanout` calls `distributed` where MiniStack called what is asserted here."""
    expect(stepfunctions, "_run_distributed_map", "2b77d3ec0e04")
    expect(stepfunctions, "_read_map_items", "b846851544b8")
