"""Templates of this API, `${workflow.input.x}` and `${task_name.output.y}`, as the core's expressions. Pure.

A string that is one whole template keeps the value's JSON type; one with text around it becomes text. What the core would take for an
expression of its own (`{%`) stays what it is.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from quintet.domain.errors import Problem

TEMPLATE = re.compile(r"\$\{([^{}]*)\}")
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"and", "or", "in", "true", "false", "null", "function"})
_CORE = re.compile(r"\{%|%\}")

Place = tuple[str | int, ...]


class Names:
    """What templates may name: tasks by name, each with its step's key and where in the step's result its output lies."""

    def __init__(self, tasks: Mapping[str, tuple[str, str]]) -> None:
        self._tasks = tasks

    def expression(self, path: str) -> str:
        """The JSONata path that a template's path stands for. Raises ValueError with what is wrong."""
        parts = _parts(path)
        first = parts[0]
        if first == "workflow":
            return self._workflow(path, parts[1:])
        if first == "iteration" and len(parts) == 1:
            return "iteration"
        if not isinstance(first, str) or first not in self._tasks:
            raise ValueError(f"there is no task {first!r}" if isinstance(first, str) else "a path begins with a name")
        key, output = self._tasks[first]
        step = f"steps.{_quoted(key)}"
        if len(parts) == 1 or parts[1] != "output":
            raise ValueError(f"of a task there is only its output: ${{{first}.output}}")
        return step + (f".{output}" if output else "") + _below(parts[2:])

    def _workflow(self, path: str, parts: list[str | int]) -> str:
        match parts:
            case ["input", *rest]:
                return "input" + _below(rest)
            case ["variables", *rest]:
                return "variables" + _below(rest)
            case ["workflowId" | "_id"]:
                return "run.id"
        raise ValueError(f"unknown path {path!r}: there are workflow.input, workflow.variables and workflow.workflowId")


def translate(value: Any, names: Names, place: Place, faults: list[Problem]) -> Any:
    """JSON with its templates as the core's; what can't be translated is noted with its place and left as it is."""
    if isinstance(value, str):
        return _text(value, names, place, faults)
    if isinstance(value, Mapping):
        return {name: translate(inner, names, (*place, name), faults) for name, inner in value.items()}
    if isinstance(value, list):
        return [translate(inner, names, (*place, index), faults) for index, inner in enumerate(value)]
    return value


def expression(text: str, names: Names, place: Place, faults: list[Problem]) -> str:
    """A condition: JSONata in which templates stand for their paths."""

    def replace(found: re.Match[str]) -> str:
        return f"({_path(found.group(1), names, place, faults)})"

    return TEMPLATE.sub(replace, text)


def named(value: Any) -> Iterable[str]:
    """The names that the templates in JSON begin with."""
    if isinstance(value, str):
        for found in TEMPLATE.finditer(value):
            yield found.group(1).strip().partition(".")[0].partition("[")[0]
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner)


def _text(text: str, names: Names, place: Place, faults: list[Problem]) -> str:
    whole = TEMPLATE.fullmatch(text)
    if whole:
        return "{% " + _path(whole.group(1), names, place, faults) + " %}"
    made, last = [], 0
    for found in TEMPLATE.finditer(text):
        made.append(_literal(text[last : found.start()]))
        path = _path(found.group(1), names, place, faults)
        made.append("{% " + path + " %}")
        last = found.end()
    return "".join([*made, _literal(text[last:])])


def _literal(text: str) -> str:
    """Text in which the core sees no expression."""
    return _CORE.sub(lambda found: '{% "' + found.group()[0] + '" & "' + found.group()[1] + '" %}', text)


def _path(path: str, names: Names, place: Place, faults: list[Problem]) -> str:
    try:
        return names.expression(path.strip())
    except ValueError as fault:
        faults.append(Problem(place, f"${{{path}}}: {fault}", "bad_template"))
        return "null"


def _parts(path: str) -> list[str | int]:
    found: list[str | int] = []
    place = 0
    while place < len(path):
        if found and path[place] == ".":
            place += 1
        part = _PART.match(path, place)
        if part is None:
            raise ValueError("is no path: names and [indexes], joined by dots")
        found.append(part.group(1).strip() if part.group(1) else int(part.group(2)))
        place = part.end()
    if not found or path.endswith("."):
        raise ValueError("is no path: names and [indexes], joined by dots")
    return found


def _below(parts: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_quoted(part)}" for part in parts)


def _quoted(name: str) -> str:
    if _PLAIN.fullmatch(name) and name not in _RESERVED:
        return name
    if "`" in name:
        raise ValueError("a name can't hold a backtick")
    return f"`{name}`"
