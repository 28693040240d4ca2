"""Conditions, tests and templates in JSONata: the port Expressions over jsonata-python.

Compiled expressions are cached per thread, since the library's objects belong to one. An expression sees the scope's parts both as
fields (`input.x`) and, for use inside predicates where the context is another, as variables (`$input.x`).
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from quintet.adapters.jsonata_reads import reads_of
from quintet.domain.errors import Problem
from quintet.services.ports.steps import ExpressionFailed

if TYPE_CHECKING:
    from quintet.adapters.jsonata_engine import Compiled

MAX_EXPRESSION = 16 * 1024
"""Characters in one expression."""
MAX_TEMPLATE_DEPTH = 100
CACHED = 512
_OPEN, _CLOSE = "{%", "%}"


class _Cache(threading.local):
    def __init__(self) -> None:
        self.compiled: OrderedDict[str, Compiled] = OrderedDict()


class JsonataExpressions:
    """The port Expressions. Safe to use from several threads."""

    def __init__(self) -> None:
        self._cache = _Cache()

    def fault(self, expression: str) -> str | None:
        """What is wrong with an expression's syntax, None when it is fine."""
        return _fault(expression) if isinstance(expression, str) else "an expression is a string"

    def evaluate(self, expression: str, scope: Mapping[str, Any]) -> Any:
        """The expression's value as JSON (nothing: None). Raises ExpressionFailed."""
        compiled = self._compiled(expression)
        try:
            return compiled.run(dict(scope))
        except Exception as error:  # noqa: BLE001  # the library raises whatever Python raises: ZeroDivisionError, TypeError, ...
            raise ExpressionFailed(_message(error)) from None

    def render(self, value: Any, scope: Mapping[str, Any]) -> Any:
        """A copy of JSON data with every `{% expression %}` in its strings replaced; a whole-string one keeps its JSON type."""
        return self._render(value, scope, 0)

    def template_faults(self, value: Any) -> list[Problem]:
        """The faults of the templates inside JSON data, each with its place."""
        return list(_faults(value, ()))

    def reads(self, value: Any) -> frozenset[str] | None:
        """The step keys that the expressions in JSON data read from `steps`, or None when they may read any."""
        found: set[str] = set()
        for text in _texts(value):
            for expression in _expressions(text):
                keys = _reads(expression)
                if keys is None:
                    return None
                found |= keys
        return frozenset(found)

    def _compiled(self, expression: str) -> "Compiled":
        cache = self._cache.compiled
        known = cache.get(expression) if isinstance(expression, str) else None
        if known is not None:
            cache.move_to_end(expression)
            return known
        if fault := self.fault(expression):
            raise ExpressionFailed(fault)
        # Imported here and below: the library costs 50 ms, which a cold start without expressions saves.
        from quintet.adapters import jsonata_engine

        compiled = cache[expression] = jsonata_engine.Compiled(expression)
        if len(cache) > CACHED:
            cache.popitem(last=False)
        return compiled

    def _render(self, value: Any, scope: Mapping[str, Any], depth: int) -> Any:
        if depth > MAX_TEMPLATE_DEPTH:
            raise ExpressionFailed(f"the template nests deeper than {MAX_TEMPLATE_DEPTH}")
        if isinstance(value, str):
            return self._render_text(value, scope) if _OPEN in value else value
        if isinstance(value, Mapping):
            return {key: self._render(inner, scope, depth + 1) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._render(inner, scope, depth + 1) for inner in value]
        return value

    def _render_text(self, text: str, scope: Mapping[str, Any]) -> Any:
        parts = _parts(text)
        if len(parts) == 1 and parts[0][0]:
            return self.evaluate(parts[0][1], scope)
        return "".join(_text_of(self.evaluate(part, scope)) if is_expression else part for is_expression, part in parts)


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _message(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the data or the expression nests too deep"
    if isinstance(error, TimeoutError):
        return "a regular expression took too long"
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    text = str(error) or type(error).__name__
    location = getattr(error, "location", -1)
    return f"{text} (position {location})" if isinstance(location, int) and location > 0 else text


@lru_cache(maxsize=4096)
def _fault(expression: str) -> str | None:
    if not expression.strip():
        return "the expression is empty"
    if len(expression) > MAX_EXPRESSION:
        return f"the expression has {len(expression)} characters; at most {MAX_EXPRESSION} are allowed"
    from quintet.adapters.jsonata_engine import syntax_tree

    try:
        syntax_tree(expression)
    except Exception as error:  # noqa: BLE001  # the parser raises whatever Python raises on input it did not expect
        return _message(error)
    return None


@lru_cache(maxsize=4096)
def _reads(expression: str) -> frozenset[str] | None:
    if _fault(expression):
        return frozenset()
    from quintet.adapters.jsonata_engine import syntax_tree

    return reads_of(syntax_tree(expression))


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[tuple[bool, str], ...]:
    """A string as (is it an expression?, text) parts. An opening without a close yields an expression that is not one.

    An expression may itself hold `%}` (the parent operator at the end of an object): the first close after which it compiles ends it.
    """
    parts: list[tuple[bool, str]] = []
    rest = text
    while (start := rest.find(_OPEN)) >= 0:
        if start:
            parts.append((False, rest[:start]))
        rest = rest[start + len(_OPEN) :]
        ends = list(_ends(rest))
        if not ends:
            raise ExpressionFailed(f"{_OPEN} without {_CLOSE}")
        end = next((end for end in ends[:8] if _fault(rest[:end].strip()) is None), ends[0])
        parts.append((True, rest[:end].strip()))
        rest = rest[end + len(_CLOSE) :]
    if rest:
        parts.append((False, rest))
    return tuple(parts)


def _ends(text: str) -> Iterator[int]:
    at = text.find(_CLOSE)
    while at >= 0:
        yield at
        at = text.find(_CLOSE, at + 1)


def _expressions(text: str) -> list[str]:
    try:
        return [part for is_expression, part in _parts(text) if is_expression]
    except ExpressionFailed:
        return []


def _texts(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, str):
            if _OPEN in found:
                yield found
        elif isinstance(found, Mapping):
            pending.extend(found.values())
        elif isinstance(found, (list, tuple)):
            pending.extend(found)


def _faults(value: Any, place: tuple[str | int, ...]) -> Iterator[Problem]:
    if len(place) > MAX_TEMPLATE_DEPTH:
        yield Problem(place[:8], f"nests deeper than {MAX_TEMPLATE_DEPTH}", "too_deep")
    elif isinstance(value, str):
        yield from _text_faults(value, place)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _faults(inner, (*place, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _faults(inner, (*place, index))


def _text_faults(text: str, place: tuple[str | int, ...]) -> Iterator[Problem]:
    if _OPEN not in text:
        return
    try:
        parts = _parts(text)
    except ExpressionFailed as failure:
        yield Problem(place, str(failure), "bad_template")
        return
    for is_expression, part in parts:
        if is_expression and (fault := _fault(part)):
            yield Problem(place, f"bad expression {part[:80]!r}: {fault}", "bad_expression")
