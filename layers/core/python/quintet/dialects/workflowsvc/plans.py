"""Composes a workflow's tasks into a plan: order, switches, forks, loops, and templates as expressions. Pure.

Tasks follow each other by `_sequenceno`. Every task is one step, called by its name; what runs in the cases of a SWITCH or the branches
of a FORK_JOIN are steps beside it, and what runs in a DO_WHILE are the steps of its body. A FORK_JOIN's own step is the joining of its
branches.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quintet.dialects.workflowsvc.templates import TEMPLATE, Names, Place, expression, translate
from quintet.domain.definition import Plan, RetryPolicy, StepDef, Strategy
from quintet.domain.errors import Invalid, Problem
from quintet.domain.graph import KEY

DEFAULT_RETRIES, DEFAULT_RETRY_DELAY = 3, 60.0
MAX_NESTING = 8
_WORD = re.compile(r"[^A-Za-z0-9_-]+")
_STRATEGIES = {
    "FIXED": Strategy.FIXED,
    "EXPONENTIAL_BACKOFF": Strategy.EXPONENTIAL,
    "LINEAR_BACKOFF": Strategy.LINEAR,
}
OUTPUTS = {"REST_CONNECTOR": "", "USER_INPUT": "fields"}
"""Where in a step's result a task's output lies, by type; else the result is the output."""
ENDS = {"COMPLETED": "completed", "FAILED": "failed", "TERMINATED": "canceled", "CANCELED": "canceled"}
"""The core's word for how a TERMINATE ends the workflow."""
FOREIGN = ("MQTT_PUBLISH", "HAYSTACK", "AI_CONVERSE")
"""Types that are stored, and run only where the operator has mapped them to an endpoint."""

Task = Mapping[str, Any]
"""A TaskDef as its author wrote it (`_name`, `_type`, ...), validated."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A task with its place in the definition and its step's key."""

    task: Task
    place: Place
    key: str


@dataclass(slots=True)
class _Frame:
    """One list of steps that see each other: the workflow's own, or a loop's body."""

    names: Names
    steps: list[StepDef] = field(default_factory=list)


def to_plan(tasks: Sequence[Task], timeout: float | None, place: Place = ("_taskDefs",)) -> Plan:
    """The plan of a workflow. Raises Invalid with every fault that only this API knows, with its own places."""
    composer = _Composer()
    steps = composer.frame(tasks, place, {}, 1)
    if composer.faults:
        raise Invalid(composer.faults)
    return Plan(tuple(steps), timeout)


def every_task(tasks: Sequence[Task], place: Place) -> Iterable[tuple[Task, Place]]:
    """The tasks of one frame with their places: with those in cases and branches, without those in loops."""
    for index, task in enumerate(tasks):
        here = (*place, index)
        yield task, here
        for inner, below in bodies(task, here):
            yield from every_task(inner, below)


def bodies(task: Task, place: Place) -> Iterable[tuple[Sequence[Task], Place]]:
    """The lists of tasks beside a SWITCH or FORK_JOIN."""
    params = task.get("_inputParams") or {}
    here = (*place, "_inputParams")
    if task["_type"] == "SWITCH":
        for value, inner in (params.get("_cases") or {}).items():
            yield inner, (*here, "_cases", value)
        yield params.get("_default") or [], (*here, "_default")
    elif task["_type"] == "FORK_JOIN":
        for index, inner in enumerate(params.get("_branches") or []):
            yield inner, (*here, "_branches", index)


class _Composer:
    """Composes frames and notes faults."""

    def __init__(self) -> None:
        self.faults: list[Problem] = []

    def frame(
        self, tasks: Sequence[Task], place: Place, outer: Mapping[str, tuple[str, str]], depth: int
    ) -> list[StepDef]:
        """The steps of a list of tasks; `outer` names what the frames around hold."""
        if depth > MAX_NESTING:
            self.faults.append(Problem(place, f"loops nest deeper than {MAX_NESTING}", "too_deep"))
            return []
        keys: dict[str, str] = {}
        taken: set[str] = set()
        named = dict(outer)
        for task, here in every_task(tasks, place):
            name = task["_name"]
            if name in keys:
                message = f"there is another task called {name!r}: names tell tasks apart"
                self.faults.append(Problem((*here, "_name"), message, "duplicate_name"))
                continue
            keys[name] = _key(name, taken)
            named[name] = keys[name], OUTPUTS.get(task["_type"], "")
        frame = _Frame(Names(named))
        self._sequence(_Context(frame, keys, named, depth), tasks, place, (), None)
        return frame.steps

    def _sequence(
        self, context: "_Context", tasks: Sequence[Task], place: Place, after: tuple[str, ...], gate: str | None
    ) -> tuple[str, ...]:
        """Adds tasks that follow each other; what comes after them depends on the answer. `gate` is the condition of the first."""
        ordered = sorted(enumerate(tasks), key=lambda one: (one[1]["_sequenceno"], one[0]))
        seen: dict[Any, int] = {}
        for index, task in ordered:
            if task["_sequenceno"] in seen:
                message = f"has the _sequenceno of task {seen[task['_sequenceno']]}: order is by it"
                self.faults.append(Problem((*place, index, "_sequenceno"), message, "duplicate_sequenceno"))
            seen[task["_sequenceno"]] = index
        for index, task in ordered:
            after = self._task(context, task, (*place, index), after, gate)
            gate = None
        return after

    def _task(
        self, context: "_Context", task: Task, place: Place, after: tuple[str, ...], gate: str | None
    ) -> tuple[str, ...]:
        key = context.keys.get(task["_name"])
        if key is None:
            return after
        compose: Callable[..., tuple[str, ...]] = {
            "SWITCH": self._switch,
            "FORK_JOIN": self._fork,
            "DO_WHILE": self._loop,
        }.get(task["_type"], self._plain)
        return compose(context, Placed(task, place, key), after, gate)

    def _plain(self, context: "_Context", placed: Placed, after: tuple[str, ...], gate: str | None) -> tuple[str, ...]:
        kind, config = self._config(context, placed)
        context.frame.steps.append(_step(placed, kind, config, after, gate))
        return (placed.key,)

    def _switch(self, context: "_Context", placed: Placed, after: tuple[str, ...], gate: str | None) -> tuple[str, ...]:
        params, here = placed.task["_inputParams"], (*placed.place, "_inputParams")
        test = self._test(context, params["_expression"], (*here, "_expression"))
        step = _step(placed, "switch", {"expression": f"$string({test})"}, after, gate)
        context.frame.steps.append(replace(step, retry=RetryPolicy()))
        value = f"steps.`{placed.key}`.value"
        cases = params.get("_cases") or {}
        exits = [placed.key]
        for name, inner in cases.items():
            exits += self._sequence(
                context, inner, (*here, "_cases", name), (placed.key,), f"{value} = {json.dumps(str(name))}"
            )
        others = json.dumps([str(name) for name in cases])
        default = params.get("_default") or []
        exits += self._sequence(context, default, (*here, "_default"), (placed.key,), f"$not({value} in {others})")
        return tuple(dict.fromkeys(exits))

    def _fork(self, context: "_Context", placed: Placed, after: tuple[str, ...], gate: str | None) -> tuple[str, ...]:
        branches, here = placed.task["_inputParams"]["_branches"], (*placed.place, "_inputParams", "_branches")
        ends: list[str] = []
        for index, inner in enumerate(branches):
            ends += self._sequence(context, inner, (*here, index), after, gate)
        outputs = {key: "{% steps.`" + key + "` %}" for key in dict.fromkeys(ends)}
        step = _step(placed, "set", {"values": outputs}, tuple(dict.fromkeys(ends)) or after, None if ends else gate)
        context.frame.steps.append(replace(step, retry=RetryPolicy()))
        return (placed.key,)

    def _loop(self, context: "_Context", placed: Placed, after: tuple[str, ...], gate: str | None) -> tuple[str, ...]:
        params, here = placed.task["_inputParams"], (*placed.place, "_inputParams")
        inner = params["_loopOver"]
        body = self.frame(inner, (*here, "_loopOver"), context.named, context.depth + 1)
        inside = {task["_name"]: task["_type"] for task, _ in every_task(inner, ())}
        condition = self._condition(context, params["_loopCondition"], inside, (*here, "_loopCondition"))
        config: dict[str, Any] = {"while": condition}
        if params.get("_maxIterations") is not None:
            config["max_iterations"] = params["_maxIterations"]
        step = _step(placed, "loop", config, after, gate)
        context.frame.steps.append(replace(step, retry=RetryPolicy(), body=tuple(body)))
        return (placed.key,)

    # --- expressions -------------------------------------------------------------------------------------------------------------

    def _test(self, context: "_Context", text: str, place: Place) -> str:
        """A switch's expression: a template, or JSONata over the workflow and the tasks' outputs by name."""
        whole = TEMPLATE.fullmatch(text.strip())
        if whole:
            return expression(text.strip(), context.frame.names, place, self.faults)
        known = {
            name: f"steps.`{key}`" + (f".{output}" if output else "") for name, (key, output) in context.named.items()
        }
        return _over(known, expression(text, context.frame.names, place, self.faults))

    def _condition(self, context: "_Context", text: str, inside: Mapping[str, str], place: Place) -> str:
        """A loop's condition: JSONata over `iteration` and the last iteration's outputs by task name."""
        keys: dict[str, str] = {}
        taken: set[str] = set()
        for name in inside:
            keys[name] = _key(name, taken)
        known = {
            name: f"last.`{keys[name]}`" + (f".{OUTPUTS[type_]}" if OUTPUTS.get(type_) else "")
            for name, type_ in inside.items()
        }
        named = {**context.named, **{name: (keys[name], OUTPUTS.get(type_, "")) for name, type_ in inside.items()}}
        return _over(known, expression(text, Names(named), place, self.faults))

    # --- configs -----------------------------------------------------------------------------------------------------------------

    def _config(self, context: "_Context", placed: Placed) -> tuple[str, dict[str, Any]]:  # noqa: PLR0911  # one a type
        """The kind of a task that is one step, and its config."""
        params = placed.task.get("_inputParams") or {}
        here = (*placed.place, "_inputParams")

        def filled(value: Any, *below: str | int) -> Any:
            return translate(value, context.frame.names, (*here, *below), self.faults)

        match placed.task["_type"]:
            case "REST_CONNECTOR":
                return "connector", _connector(params, filled)
            case "SCRIPT_EXECUTION":
                return "python", {
                    "code": params["_script"],
                    "input": filled(params.get("_input") or {}, "_input"),
                    "plain": True,
                }
            case "USER_INPUT":
                config = {"fields": params.get("_userInput") or {}, "message": params.get("_message")}
                return "input", {name: value for name, value in config.items() if value is not None}
            case "WAIT":
                name = "seconds" if params.get("_seconds") is not None else "until"
                return "wait", {name: filled(params[f"_{name}"], f"_{name}")}
            case "SUB_WORKFLOW":
                given = filled(params.get("_inputParams") or {}, "_inputParams")
                return "subrun", {"job_id": params["_workflowDefId"], "input": given}
            case "SET_VARIABLE":
                return "set", {"values": filled(params), "everywhere": True}
            case "TERMINATE":
                config = {"status": ENDS[params["_status"]], "reason": filled(params.get("_reason"), "_reason")}
                return "terminate", {name: value for name, value in config.items() if value is not None}
        return "foreign", {"type": placed.task["_type"], "params": filled(params)}


@dataclass(frozen=True, slots=True)
class _Context:
    """The frame that tasks are composed into, the keys of its tasks, and all names that its templates may use."""

    frame: _Frame
    keys: Mapping[str, str]
    named: Mapping[str, tuple[str, str]]
    depth: int


def _connector(params: Mapping[str, Any], filled: Callable[..., Any]) -> dict[str, Any]:
    args = params.get("_args") or {}
    config: dict[str, Any] = {"url": filled(params["_url"], "_url"), "auth": params["_auth"]}
    headers = {**(args.get("headers") or {}), **(args.get("_headers") or {})}
    if headers:
        config["headers"] = filled(headers, "_args", "headers")
    for name in ("query", "body", "method"):
        if args.get(name) is not None:
            config[name] = filled(args[name], "_args", name)
    if params.get("_to") is not None:
        config["to"] = params["_to"]
    return config


def _step(placed: Placed, kind: str, config: Mapping[str, Any], after: tuple[str, ...], gate: str | None) -> StepDef:
    task = placed.task
    waits = [seconds for name in ("_timeoutSeconds", "_responseTimeoutSeconds") if (seconds := task.get(name))]
    alerts = task.get("_timeoutPolicy") == "ALERT_ONLY"
    return StepDef(
        key=placed.key,
        kind=kind,
        name=task["_name"],
        depends_on=after,
        when=gate,
        config=config,
        retry=_retry(task) if kind in _RETRIED else RetryPolicy(),
        timeout=None if alerts or not waits else float(min(waits)),
        alert_after=float(min(waits)) if alerts and waits else None,
    )


_RETRIED = frozenset({"connector", "python", "subrun", "foreign"})
"""The kinds that are tried again; control tasks and people are not."""


def _retry(task: Task) -> RetryPolicy:
    retries = task.get("_retryCount")
    delay = task.get("_retryDelaySeconds")
    return RetryPolicy(
        max_attempts=1 + (DEFAULT_RETRIES if retries is None else retries),
        strategy=_STRATEGIES[task.get("_retryLogic") or "FIXED"],
        initial_delay=DEFAULT_RETRY_DELAY if delay is None else float(delay),
    )


def _over(known: Mapping[str, str], text: str) -> str:
    """JSONata evaluated over an object of the workflow's input and variables, the iteration, and those tasks' outputs that it names."""
    members = ['"workflow": {"input": input, "variables": variables}', '"iteration": iteration']
    members += [
        f'{json.dumps(name)}: {{"output": {path}}}'
        for name, path in known.items()
        if re.search(rf"(?<![\w$]){re.escape(name)}(?![\w])", text)
    ]
    return "{" + ", ".join(members) + "}.(" + text + ")"


def _key(name: str, taken: set[str]) -> str:
    """A step's key that reads like the task's name."""
    plain = name if KEY.fullmatch(name) else _WORD.sub("_", name).strip("-")[:60] or "task"
    plain = plain if not plain.startswith("-") else f"_{plain}"
    key, number = plain, 2
    while key in taken:
        key, number = f"{plain[:58]}_{number}", number + 1
    taken.add(key)
    return key
