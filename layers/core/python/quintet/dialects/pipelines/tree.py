"""A YAML or JSON document as a tree that knows its lines, so that every problem can be named with its place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_DOCUMENT = 1024 * 1024
MAX_NODES = 100_000
_PLAIN = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem of a document: its line (from 1; None in JSON), its place (keys, dotted) and what is wrong."""

    line: int | None
    place: str
    message: str

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.message}" if self.line is None else f"line {self.line}: {where}{self.message}"


class Unreadable(ValueError):
    """The text is no document at all."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place. `value`: a scalar, a list of nodes, or a dict of nodes; `twice`: names that a mapping has more than once."""

    value: Any
    line: int | None = None
    place: str = ""
    twice: tuple[tuple[str, int | None], ...] = ()

    def fault(self, message: str) -> Fault:
        """A problem of this value."""
        return Fault(self.line, self.place, message)

    @property
    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {name: node.plain for name, node in self.value.items()}
        return [node.plain for node in self.value] if isinstance(self.value, list) else self.value


def read_json(text: str) -> Node:
    """The tree of a JSON document. Raises Unreadable."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable(Fault(error.lineno, "", f"not JSON: {error.msg}")) from None
    return _from_plain(value, "")


def _from_plain(value: Any, place: str) -> Node:
    if isinstance(value, dict):
        return Node({name: _from_plain(inner, _below(place, name)) for name, inner in value.items()}, None, place)
    if isinstance(value, list):
        return Node([_from_plain(inner, f"{place}[{i}]") for i, inner in enumerate(value)], None, place)
    return Node(value, None, place)


def read_yaml(text: str) -> Node:
    """The tree of a YAML document of plain types; aliases are followed, merges (`<<`) done. Raises Unreadable."""
    import yaml  # noqa: PLC0415  # 30 ms that only who loads a file pays

    try:
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return Node(None, 1)
            return _Reading(loader).node(root, "")
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise Unreadable(Fault(line, "", f"not YAML: {error.problem or error.context}")) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(Fault(None, "", f"not YAML: {error}")) from None


class _Reading:
    """Turns YAML's nodes into ours, at most MAX_NODES of them (aliases can multiply without end)."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._left = MAX_NODES

    def node(self, node: Any, place: str) -> Node:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"more than {MAX_NODES} values")
        line = node.start_mark.line + 1
        if node.id != "scalar" and node.tag not in _PLAIN:
            raise ValueError(f"line {line}: unknown type {node.tag}")
        if node.id == "mapping":
            return self._mapping(node, line, place)
        if node.id == "sequence":
            return Node([self.node(one, f"{place}[{i}]") for i, one in enumerate(node.value)], line, place)
        return Node(self._loader.construct_object(node), line, place)

    def _mapping(self, node: Any, line: int, place: str) -> Node:
        found: dict[str, Node] = {}
        twice: list[tuple[str, int | None]] = []
        merged: dict[str, Node] = {}
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                for one in value.value if value.id == "sequence" else [value]:
                    inner = self.node(one, place)
                    merged = {**(inner.value if isinstance(inner.value, dict) else {}), **merged}
                continue
            name = str(key.value)
            if name in found:
                twice.append((name, key.start_mark.line + 1))
            found[name] = self.node(value, _below(place, name))
        return Node({**merged, **found}, line, place, tuple(twice))


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def twice_named(node: Node) -> Iterator[Fault]:
    """Names that come more than once in a mapping, anywhere in the tree."""
    for name, line in node.twice:
        yield Fault(line, node.place, f"{name!r} is there twice")
    inner = node.value.values() if isinstance(node.value, dict) else node.value if isinstance(node.value, list) else ()
    for one in inner:
        yield from twice_named(one)
