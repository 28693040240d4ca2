"""Walks Amazon States Language definitions."""

from collections.abc import Iterator
from typing import Any

Scope = dict[str, Any]


def scopes(machine: Scope) -> Iterator[Scope]:
    """The machine and every sub-machine in it: what has StartAt and States of its own."""
    yield machine
    for state in machine["States"].values():
        for part in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            if part:
                yield from scopes(part)


def states(machine: Scope) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state with its name, at every depth."""
    for scope in scopes(machine):
        yield from scope["States"].items()


def successors(state: dict[str, Any]) -> list[str]:
    """The names a state can go to."""
    rules = [*state.get("Choices", []), *state.get("Catch", [])]
    targets = [state.get("Next"), state.get("Default"), *(rule.get("Next") for rule in rules)]
    return [target for target in targets if target]


def keys(value: Any) -> Iterator[str]:
    """Every object key, at every depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def texts(value: Any) -> Iterator[str]:
    """Every string value, at every depth."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from texts(inner)
