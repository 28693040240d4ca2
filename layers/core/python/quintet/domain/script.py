"""Text templates in script lines: `{{ .name }}`, `{{ .list | join " " }}`, if, range; in the words of Go's text/template.

A value is data: it is written for the quoting that it stands in, so that it can't break out of it, unless the template says `| raw`.
A missing key is an error.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quintet.domain.shell_words import Misquoted, Quoting

_TAG = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r'\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?\d+(?:\.\d+)?)(?![\w.])|(\$?\.(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?)|([A-Za-z_]\w*)|([()|]))'
)


class TemplateFault(ValueError):
    """A template that can't be read, or can't be filled in."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """Text that is pasted as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class _Words:
    """A joined list: its members are data, what is between them is not."""

    members: tuple[Any, ...]
    between: str


Expression = Callable[[Any, Any], Any]
"""(the present `.`, the whole data) -> a value."""


@dataclass(frozen=True, slots=True)
class _Value:
    expression: Expression


@dataclass(frozen=True, slots=True)
class _If:
    test: Expression
    then: tuple["Node", ...]
    other: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class _Range:
    over: Expression
    body: tuple["Node", ...]
    other: tuple["Node", ...]


Node = str | _Value | _If | _Range


class Template:
    """One script line, read once. Raises TemplateFault."""

    def __init__(self, text: str) -> None:
        parts = list(_parts(text))
        self._nodes, rest, _ = _read(parts, 0, ())
        if rest != len(parts):
            raise TemplateFault("{{ end }} without a beginning")
        self.fixed = all(isinstance(node, str) for node in self._nodes)

    def render(self, data: Mapping[str, Any]) -> str:
        """The shell text. Raises TemplateFault for a missing key, a value that doesn't fit, or quoting that leaves no way."""
        quoting = Quoting()
        try:
            text = "".join(_render(self._nodes, data, data, quoting))
            quoting.finish()
        except Misquoted as fault:
            raise TemplateFault(str(fault)) from None
        return text


def _parts(text: str) -> Iterator[str | tuple[str]]:
    """Plain text, and tags as 1-tuples; trim markers are done."""
    place, trim = 0, False
    for tag in _TAG.finditer(text):
        plain = text[place : tag.start()]
        plain = plain.lstrip() if trim else plain
        yield plain.rstrip() if tag.group(1) else plain
        body = tag.group(2).strip()
        if not (body.startswith("/*") and body.endswith("*/")):
            yield (body,)
        place, trim = tag.end(), bool(tag.group(3))
    rest = text[place:]
    if "{{" in rest:
        raise TemplateFault("{{ without }}")
    yield rest.lstrip() if trim else rest


def _read(parts: Sequence[str | tuple[str]], place: int, until: tuple[str, ...]) -> tuple[tuple[Node, ...], int, str]:
    """The nodes up to one of the tags in `until`; where it stands, and its text."""
    nodes: list[Node] = []
    while place < len(parts):
        part = parts[place]
        if isinstance(part, str):
            if part:
                nodes.append(part)
            place += 1
            continue
        (tag,) = part
        word = tag.split(None, 1)[0] if tag else ""
        if word in {"end", "else"}:
            if word not in until:
                raise TemplateFault(f"{{{{ {word} }}}} without a beginning")
            return tuple(nodes), place, tag
        node, place = _block(parts, place, tag, word)
        nodes.append(node)
    if until:
        raise TemplateFault("a block has no {{ end }}")
    return tuple(nodes), place, ""


def _block(parts: Sequence[str | tuple[str]], place: int, tag: str, word: str) -> tuple[Node, int]:
    if word not in {"if", "range"}:
        return _Value(_expression(tag)), place + 1
    test = _expression(tag[len(word) :])
    body, at, end = _read(parts, place + 1, ("end", "else"))
    other: tuple[Node, ...] = ()
    if end.startswith("else"):
        rest = end[len("else") :].strip()
        if rest.startswith("if ") and word == "if":
            inner, at = _block(parts, at, rest, "if")
            return _If(test, body, (inner,)), at
        other, at, _ = _read(parts, at + 1, ("end",))
    return (_If if word == "if" else _Range)(test, body, other), at + 1


def _render(nodes: Sequence[Node], dot: Any, data: Any, quoting: Quoting) -> Iterator[str]:
    for node in nodes:
        match node:
            case str():
                quoting.feed(node)
                yield node
            case _Value(expression):
                yield _written(expression(dot, data), quoting)
            case _If(test, then, other):
                yield from _render(then if _true(test(dot, data)) else other, dot, data, quoting)
            case _Range(over, body, other):
                members = _members(over(dot, data))
                for member in members:
                    yield from _render(body, member, data, quoting)
                if not members:
                    yield from _render(other, dot, data, quoting)


def _members(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [value[name] for name in sorted(value)]
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise TemplateFault("range needs a list")
    return list(value)


def _written(value: Any, quoting: Quoting) -> str:
    match value:
        case _Raw(text):
            quoting.feed(text)
            return text
        case _Words(members, between):
            parts = []
            for index, member in enumerate(members):
                if index:
                    quoting.feed(between)
                    parts.append(between)
                parts.append(quoting.write(_text(member)))
            return "".join(parts)
        case list() | tuple():
            return _written(_Words(tuple(value), " "), quoting)
    return quoting.write(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _true(value: Any) -> bool:
    return bool(value.text if isinstance(value, _Raw) else value)


# --- expressions -----------------------------------------------------------------------------------------------------------------


def _expression(text: str) -> Expression:
    """A pipeline: a term or a call, and functions that take it as their last argument. Raises TemplateFault."""
    tokens: list[tuple[str, str]] = []
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None:
            raise TemplateFault(f"{{{{ {text.strip()} }}}}: can't be read at {text[place:].strip()[:20]!r}")
        group = found.lastindex or 0
        tokens.append((("text", "number", "path", "word", "mark")[group - 1], found.group(group)))
        place = found.end()
    if not tokens:
        raise TemplateFault("{{ }} is empty")
    expression, rest = _pipeline(tokens, 0)
    if rest != len(tokens):
        raise TemplateFault(f"{{{{ {text.strip()} }}}}: {tokens[rest][1]!r} is too much")
    return expression


def _pipeline(tokens: Sequence[tuple[str, str]], place: int) -> tuple[Expression, int]:
    found, place = _call(tokens, place, None)
    while place < len(tokens) and tokens[place] == ("mark", "|"):
        found, place = _call(tokens, place + 1, found)
    return found, place


def _call(tokens: Sequence[tuple[str, str]], place: int, piped: Expression | None) -> tuple[Expression, int]:
    if place >= len(tokens):
        raise TemplateFault("an expression ends too early")
    kind, text = tokens[place]
    if kind != "word" or text in _CONSTANTS:
        if piped is not None:
            raise TemplateFault(f"{text!r} is no function")
        return _term(tokens, place)
    function = _FUNCTIONS.get(text)
    if function is None:
        raise TemplateFault(f"unknown function {text!r}; there are: {', '.join(sorted(_FUNCTIONS))}")
    arguments: list[Expression] = []
    place += 1
    while place < len(tokens) and tokens[place] not in {("mark", "|"), ("mark", ")")}:
        argument, place = _term(tokens, place)
        arguments.append(argument)
    if piped is not None:
        arguments.append(piped)

    def call(dot: Any, data: Any) -> Any:
        values = [argument(dot, data) for argument in arguments]
        try:
            return function(*values)
        except TemplateFault:
            raise
        except (TypeError, ValueError, LookupError, AttributeError):
            raise TemplateFault(f"{text}: its arguments do not fit") from None

    return call, place


def _term(tokens: Sequence[tuple[str, str]], place: int) -> tuple[Expression, int]:
    kind, text = tokens[place]
    if (kind, text) == ("mark", "("):
        inner, place = _pipeline(tokens, place + 1)
        if place >= len(tokens) or tokens[place] != ("mark", ")"):
            raise TemplateFault("a parenthesis is not closed")
        return inner, place + 1
    if kind == "path":
        return _path(text), place + 1
    if kind == "text":
        value: Any = text[1:-1] if text[0] == "`" else json.loads(text)
    elif kind == "number":
        value = json.loads(text)
    elif text in _CONSTANTS:
        value = _CONSTANTS[text]
    else:
        raise TemplateFault(f"{text!r} can't stand here; a variable is written .{text}")
    return (lambda _dot, _data: value), place + 1


def _path(text: str) -> Expression:
    whole = text.startswith("$")
    names = [name for name in text.lstrip("$").split(".") if name]

    def value(dot: Any, data: Any) -> Any:
        found = data if whole else dot
        for name in names:
            if not isinstance(found, Mapping) or name not in found:
                raise TemplateFault(f"no variable {text.lstrip('$')}")
            found = found[name]
        return found

    return value


def _join(between: str, members: Any) -> _Words:
    return _Words(tuple(_members(members)), str(between))


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if (isinstance(value, Mapping) and key not in value) or (isinstance(value, list) and not 0 <= key < len(value)):
            raise TemplateFault(f"no member {key!r}")
        value = value[key]
    return value


_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "nil": None}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "join": _join,
    "raw": lambda value: _Raw(_text(value)),
    "default": lambda other, value: value if value not in (None, "", [], {}, 0, False) else other,
    "upper": lambda value: _text(value).upper(),
    "lower": lambda value: _text(value).lower(),
    "trim": lambda value: _text(value).strip(),
    "replace": lambda old, new, value: _text(value).replace(old, new),
    "toJson": lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    "len": len,
    "first": lambda value: _index(value, 0),
    "last": lambda value: _index(value, len(value) - 1),
    "index": _index,
    "eq": lambda one, *others: any(one == other for other in others),
    "ne": lambda one, other: one != other,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
}
