"""What a pipelines.yml says, read and checked: every problem at once, each with its line and place. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from quintet.dialects.pipelines.tree import Fault, Node, Unreadable, read_json, read_yaml, twice_named
from quintet.domain.script import Template, TemplateFault

T = TypeVar("T")

STRATEGIES = ("append", "replace", "partitioned_replace")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ON_ERROR = "on_error"
MAX_PIPELINES, MAX_TASKS = 500, 500
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class TaskDef:
    """One shell task."""

    name: str
    script: tuple[str, ...]
    depends_on: tuple[str, ...] = ()
    allow_failure: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PipelineDef:
    """One pipeline; durations in seconds. `tasks` are in topological order, ties by name."""

    name: str
    tasks: tuple[TaskDef, ...]
    concurrency: int = 1
    queue_limit: int | None = None
    queue_strategy: str = "append"
    queue_partition_limit: int | None = None
    start_delay: float = 0.0
    continue_running_tasks_after_failure: bool = False
    retention_period: float | None = None
    retention_count: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    on_error: TaskDef | None = None
    cron: str | None = None
    timezone: str = "UTC"
    timeout: float | None = None
    retries: int = 0
    source: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """As its author wrote it."""
    line: int | None = field(default=None, compare=False)


class BadDefinitions(ValueError):
    """A document with problems; all of them."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


Schedule = Callable[[str, str], str | None]
"""Says what is wrong with a cron expression in a time zone, or None."""


def load(text: str, *, json: bool, schedule_fault: Schedule) -> list[PipelineDef]:
    """The pipelines of a document, by name. Raises BadDefinitions with every problem."""
    try:
        root = read_json(text) if json else read_yaml(text)
    except Unreadable as fault:
        raise BadDefinitions([fault.fault]) from None
    reading = _Document(schedule_fault)
    found = reading.pipelines(root)
    faults = sorted([*twice_named(root), *reading.faults], key=lambda fault: (fault.line or 0, fault.place))
    if faults:
        raise BadDefinitions(faults)
    return found


def seconds(text: Any) -> float | None:
    """A duration in Go's words (`10s`, `1h30m`, `500ms`) or a number of seconds; None for anything else."""
    if isinstance(text, bool):
        return None
    if isinstance(text, (int, float)):
        return float(text) if text >= 0 else None
    if not isinstance(text, str) or not text:
        return None
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


class _Document:
    """Reads the tree and notes every fault."""

    def __init__(self, schedule_fault: Schedule) -> None:
        self.faults: list[Fault] = []
        self._schedule_fault = schedule_fault

    # --- values ------------------------------------------------------------------------------------------------------------------

    def _mapping(self, node: Node, what: str) -> dict[str, Node]:
        if isinstance(node.value, dict):
            return node.value
        self.faults.append(node.fault(f"{what} must be a mapping"))
        return {}

    def _known(self, node: Node, names: tuple[str, ...]) -> None:
        for name, inner in (node.value if isinstance(node.value, dict) else {}).items():
            if name not in names:
                self.faults.append(inner.fault(f"unknown field; there are: {', '.join(names)}"))

    def _get(self, node: Node, name: str, default: T, check: Callable[[Any], T | None], what: str) -> T:
        inner = node.value.get(name) if isinstance(node.value, dict) else None
        if inner is None or inner.value is None:
            return default
        value = check(inner.plain)
        if value is None:
            self.faults.append(inner.fault(f"must be {what}"))
            return default
        return value

    def _number(self, node: Node, name: str, default: Any, low: int) -> Any:
        def check(value: Any) -> int | None:
            return value if isinstance(value, int) and not isinstance(value, bool) and value >= low else None

        return self._get(node, name, default, check, f"a whole number from {low} on")

    def _flag(self, node: Node, name: str) -> bool:
        return self._get(node, name, False, lambda value: value if isinstance(value, bool) else None, "true or false")

    def _duration(self, node: Node, name: str, default: Any) -> Any:
        return self._get(node, name, default, seconds, "a duration like 10s, 5m or 1h30m")

    def _text(self, node: Node, name: str, default: Any) -> Any:
        return self._get(node, name, default, lambda v: v if isinstance(v, str) and v else None, "a text")

    def _env(self, node: Node) -> dict[str, str]:
        inner = node.value.get("env") if isinstance(node.value, dict) else None
        if inner is None or inner.value is None:
            return {}
        found: dict[str, str] = {}
        for name, value in self._mapping(inner, "env").items():
            if not VARIABLE.fullmatch(name):
                self.faults.append(value.fault("is no name for a variable of the environment"))
            elif isinstance(value.value, (dict, list)):
                self.faults.append(value.fault("must be a text, a number or true or false"))
            else:
                found[name] = _word(value.value)
        return found

    # --- pipelines ---------------------------------------------------------------------------------------------------------------

    def pipelines(self, root: Node) -> list[PipelineDef]:
        """Those of the document, by name."""
        document = self._mapping(root, "the document")
        self._known(root, ("pipelines",))
        listed = document.get("pipelines")
        if listed is None or listed.value is None:
            self.faults.append(root.fault("pipelines is missing"))
            return []
        named = self._mapping(listed, "pipelines")
        if len(named) > MAX_PIPELINES:
            self.faults.append(listed.fault(f"{len(named)} pipelines; at most {MAX_PIPELINES} are allowed"))
        return [self._pipeline(name, node) for name, node in sorted(named.items())]

    def _pipeline(self, name: str, node: Node) -> PipelineDef:
        self._named(name, node)
        self._mapping(node, "a pipeline")
        self._known(node, _PIPELINE)
        strategy = self._get(
            node,
            "queue_strategy",
            "append",
            lambda v: v if v in STRATEGIES else None,
            f"one of {', '.join(STRATEGIES)}",
        )
        found = PipelineDef(
            name=name,
            tasks=self._tasks(node),
            concurrency=self._number(node, "concurrency", 1, 1),
            queue_limit=self._number(node, "queue_limit", None, 0),
            queue_strategy=strategy,
            queue_partition_limit=self._number(node, "queue_partition_limit", None, 1),
            start_delay=self._duration(node, "start_delay", 0.0),
            continue_running_tasks_after_failure=self._flag(node, "continue_running_tasks_after_failure"),
            retention_period=self._duration(node, "retention_period", None),
            retention_count=self._number(node, "retention_count", None, 1),
            env=self._env(node),
            on_error=self._on_error(node),
            cron=self._text(node, "cron", None),
            timezone=self._text(node, "timezone", "UTC"),
            timeout=self._duration(node, "timeout", None),
            retries=self._number(node, "retries", 0, 0),
            source=node.plain if isinstance(node.value, dict) else {},
            line=node.line,
        )
        self._agreement(found, node)
        return found

    def _agreement(self, found: PipelineDef, node: Node) -> None:
        """What no single field shows."""
        fields = node.value if isinstance(node.value, dict) else {}
        if found.start_delay and found.queue_limit == 0:
            self.faults.append(
                fields["queue_limit"].fault("with a start_delay every job waits: a queue_limit of 0 allows none")
            )
        if found.queue_partition_limit is not None and found.queue_strategy != "partitioned_replace":
            self.faults.append(
                fields["queue_partition_limit"].fault("only used with the queue_strategy partitioned_replace")
            )
        if found.retries > 99:
            self.faults.append(fields["retries"].fault("must be at most 99"))
        if found.cron is not None and (fault := self._schedule_fault(found.cron, found.timezone)):
            self.faults.append(fields["cron"].fault(fault))
        elif found.cron is None and "timezone" in fields:
            self.faults.append(fields["timezone"].fault("only used with cron"))

    def _named(self, name: str, node: Node) -> None:
        if not NAME.fullmatch(name):
            message = "a name is 1 to 64 of letters, digits, _ and -, and does not begin with -"
            self.faults.append(node.fault(message))

    # --- tasks -------------------------------------------------------------------------------------------------------------------

    def _tasks(self, pipeline: Node) -> tuple[TaskDef, ...]:
        fields = pipeline.value if isinstance(pipeline.value, dict) else {}
        listed = fields.get("tasks")
        if listed is None or not listed.value:
            self.faults.append((listed or pipeline).fault("at least one task is needed"))
            return ()
        named = self._mapping(listed, "tasks")
        if len(named) > MAX_TASKS:
            self.faults.append(listed.fault(f"{len(named)} tasks; at most {MAX_TASKS} are allowed"))
        tasks: dict[str, TaskDef] = {}
        for name, node in named.items():
            self._named(name, node)
            if name == ON_ERROR:
                self.faults.append(node.fault("is the name of what runs after a failure"))
            self._mapping(node, "a task")
            self._known(node, ("script", "depends_on", "allow_failure", "env"))
            tasks[name] = TaskDef(
                name,
                self._script(node),
                self._depends_on(node, named),
                self._flag(node, "allow_failure"),
                self._env(node),
            )
        return self._ordered(tasks, named)

    def _on_error(self, pipeline: Node) -> TaskDef | None:
        fields = pipeline.value if isinstance(pipeline.value, dict) else {}
        node = fields.get("on_error")
        if node is None or node.value is None:
            return None
        self._mapping(node, "on_error")
        self._known(node, ("script", "env"))
        return TaskDef(ON_ERROR, self._script(node), env=self._env(node))

    def _script(self, task: Node) -> tuple[str, ...]:
        fields = task.value if isinstance(task.value, dict) else {}
        node = fields.get("script")
        if node is None or node.value in (None, []):
            self.faults.append((node or task).fault("script needs at least one line"))
            return ()
        lines = node.value if isinstance(node.value, list) else [node]
        found: list[str] = []
        for line in lines:
            if not isinstance(line.value, str):
                self.faults.append(line.fault("a line of a script must be a text"))
                continue
            try:
                Template(line.value)
            except TemplateFault as fault:
                self.faults.append(line.fault(str(fault)))
            found.append(line.value)
        return tuple(found)

    def _depends_on(self, task: Node, named: Mapping[str, Node]) -> tuple[str, ...]:
        fields = task.value if isinstance(task.value, dict) else {}
        node = fields.get("depends_on")
        if node is None or node.value is None:
            return ()
        listed = node.value if isinstance(node.value, list) else [node]
        found: list[str] = []
        for one in listed:
            if not isinstance(one.value, str):
                self.faults.append(one.fault("must be the name of a task"))
            elif one.value not in named:
                self.faults.append(one.fault(f"unknown task {one.value!r}"))
            elif one.value not in found:
                found.append(one.value)
        return tuple(found)

    def _ordered(self, tasks: dict[str, TaskDef], named: Mapping[str, Node]) -> tuple[TaskDef, ...]:
        """In topological order, of those that could come next the first by name."""
        order = TopologicalSorter({name: task.depends_on for name, task in tasks.items()})
        try:
            order.prepare()
        except CycleError as error:
            cycle = list(reversed(error.args[1]))
            self.faults.append(named[cycle[0]].fault(f"cycle: {' -> '.join(cycle)}"))
            return ()
        found: list[TaskDef] = []
        ready: list[str] = sorted(order.get_ready())
        while ready:
            name = ready.pop(0)
            found.append(tasks[name])
            order.done(name)
            ready = sorted([*ready, *order.get_ready()])
        return tuple(found)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


_PIPELINE = (
    "concurrency",
    "queue_limit",
    "queue_strategy",
    "queue_partition_limit",
    "start_delay",
    "continue_running_tasks_after_failure",
    "retention_period",
    "retention_count",
    "env",
    "tasks",
    "on_error",
    "cron",
    "timezone",
    "timeout",
    "retries",
)
