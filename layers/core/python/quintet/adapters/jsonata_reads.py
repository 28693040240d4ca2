"""Which steps an expression reads, from its syntax tree, so that a burst loads only their results.

The answer may name more than what is read, never less: what can't be told is None (any step).
"""

from typing import Any

_ROOTS = frozenset({"", "$"})
_NESTED = ("predicate", "stages", "group")
_SKIPPED = frozenset({"_outer_instance", "ancestor", "seeking_parent", "slot", "errors", "next_function"})


class _AnyStep(Exception):
    """The expression may read any step."""


def reads_of(tree: Any) -> frozenset[str] | None:
    """The step keys a syntax tree reads below `steps` (or `$steps`), None when they may be any."""
    found: set[str] = set()
    try:
        _walk(tree, True, found)
    except (_AnyStep, RecursionError):
        return None
    return frozenset(found)


def _walk(node: Any, at_root: bool, found: set[str]) -> None:
    """Collects from a node whose context is the root (or may be) when `at_root`."""
    if isinstance(node, (list, tuple)):
        for inner in node:
            _walk(inner, at_root, found)
    elif isinstance(node, dict):
        _walk(list(node.values()), at_root, found)
    elif hasattr(node, "type") and hasattr(node, "position"):
        _symbol(node, at_root, found)


def _symbol(node: Any, at_root: bool, found: set[str]) -> None:
    kind = node.type
    if kind == "path":
        _path(node, at_root, found)
    elif kind in ("wildcard", "descendant", "parent"):
        if at_root or kind == "parent":
            raise _AnyStep
    elif kind == "variable":
        if node.value in ("$", "steps", "eval") or (node.value == "" and at_root):
            raise _AnyStep
    elif (kind == "name" and node.value == "steps") or kind == "transform":
        raise _AnyStep
    _children(node, at_root, found)


def _children(node: Any, at_root: bool, found: set[str]) -> None:
    for name, value in vars(node).items():
        if name in _SKIPPED or name == "steps":
            continue
        _walk(value, at_root and name not in _NESTED, found)


def _path(node: Any, at_root: bool, found: set[str]) -> None:
    steps = list(node.steps)
    position = 0
    root = at_root
    first = steps[0]
    if first.type == "variable" and first.value in _ROOTS and (at_root or first.value == "$"):
        # `$.steps.x` and `$$.steps.x`: the next step is a field of the root, or the root itself is what is asked for.
        if len(steps) == 1 or steps[1].type != "name":
            raise _AnyStep
        _children(first, False, found)
        position, root, first = 1, True, steps[1]
    if first.type in ("name", "variable") and first.value == "steps":
        position += 1
        if position >= len(steps) or steps[position].type != "name":
            raise _AnyStep
        found.add(str(steps[position].value))
        _children(first, False, found)
    elif first.type == "name":
        _children(first, False, found)
    else:
        _walk(first, root, found)
    for step in steps[position + 1 :]:
        _later(step, found)
    for name in _NESTED:
        _walk(getattr(node, name, None), False, found)


def _later(step: Any, found: set[str]) -> None:
    """A step after the first: its context is data, unless the data is the root itself, which was refused before."""
    if step.type in ("name", "wildcard", "descendant"):
        _children(step, False, found)
    else:
        _walk(step, False, found)
