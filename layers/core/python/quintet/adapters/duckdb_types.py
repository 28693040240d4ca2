"""DuckDB's names of types, read: `DECIMAL(18,3)[]`, `STRUCT(a VARCHAR, "b c" MAP(VARCHAR, DATE))`, `TIMESTAMP WITH TIME ZONE`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

LIST, ARRAY, STRUCT, TUPLE, MAP = "LIST", "ARRAY", "STRUCT", "TUPLE", "MAP"
NESTED = frozenset({LIST, ARRAY, STRUCT, TUPLE, MAP})
TIMESTAMPTZ = "TIMESTAMP WITH TIME ZONE"
SIGNED = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"})
UNSIGNED = frozenset({"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"})
INTEGERS = SIGNED | UNSIGNED
MOMENTS = frozenset(
    {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", TIMESTAMPTZ, "TIME", "TIME_NS", "TIME WITH TIME ZONE"}
)
_TOKEN = re.compile(r"""\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|\w+|[^\s\w])""")


@dataclass(frozen=True, slots=True)
class SqlType:
    """One type. `name` without its parts, or LIST, ARRAY, STRUCT, TUPLE, MAP; `numbers` are a decimal's precision and scale, or an array's
    length; `inner` the types of elements, of fields (whose names are `fields`), or of key and value."""

    name: str
    numbers: tuple[int, ...] = ()
    inner: tuple["SqlType", ...] = ()
    fields: tuple[str, ...] = ()

    def spelled(self, leaf: Callable[["SqlType"], str]) -> str:
        """The type in DuckDB's words, with the leaves as `leaf` calls them."""
        match self.name:
            case "LIST":
                return f"{self.inner[0].spelled(leaf)}[]"
            case "ARRAY":
                return f"{self.inner[0].spelled(leaf)}[{self.numbers[0]}]"
            case "MAP" | "TUPLE":
                return f"{self.name}({', '.join(one.spelled(leaf) for one in self.inner)})"
            case "STRUCT":
                pairs = zip(self.fields, self.inner, strict=True)
                return f"STRUCT({', '.join(f'{quoted(name)} {one.spelled(leaf)}' for name, one in pairs)})"
        return leaf(self)

    def leaves(self) -> list["SqlType"]:
        """The types at its ends."""
        if self.name not in NESTED:
            return [self]
        return [leaf for one in self.inner for leaf in one.leaves()]

    @property
    def plain(self) -> str:
        """A leaf in DuckDB's words."""
        return f"{self.name}({','.join(map(str, self.numbers))})" if self.numbers else self.name


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@lru_cache(maxsize=1024)
def parse(text: str) -> SqlType:
    """The type of that name. What it can't read is a leaf of that very name."""
    tokens: list[str] = _TOKEN.findall(text)
    try:
        found, end = _type(tokens, 0)
    except (IndexError, ValueError):
        return SqlType(text)
    return found if end == len(tokens) else SqlType(text)


def _type(tokens: list[str], at: int) -> tuple[SqlType, int]:
    found, at = _base(tokens, at)
    while at < len(tokens) and tokens[at] == "[":
        if tokens[at + 1] == "]":
            found, at = SqlType(LIST, inner=(found,)), at + 2
        else:
            found, at = SqlType(ARRAY, (int(tokens[at + 1]),), (found,)), at + 3
    return found, at


def _base(tokens: list[str], at: int) -> tuple[SqlType, int]:
    first = tokens[at]
    opens = at + 1 < len(tokens) and tokens[at + 1] == "("
    if first in {STRUCT, TUPLE, MAP} and opens:
        return _parts(tokens, at)
    if opens and first in {"DECIMAL", "NUMERIC"}:
        return SqlType("DECIMAL", (int(tokens[at + 2]), int(tokens[at + 4]))), at + 6
    words = [_unquoted(first)]
    at += 1
    while at < len(tokens) and tokens[at].isalpha():
        words.append(tokens[at])
        at += 1
    if at < len(tokens) and tokens[at] == "(":  # an enum's values, a union's members: they make no difference here
        at = _closed(tokens, at)
    return SqlType(" ".join(words)), at


def _parts(tokens: list[str], at: int) -> tuple[SqlType, int]:
    name = tokens[at]
    at += 2
    inner: list[SqlType] = []
    fields: list[str] = []
    while True:
        if name == STRUCT:
            fields.append(_unquoted(tokens[at]))
            at += 1
        found, at = _type(tokens, at)
        inner.append(found)
        at += 1
        if tokens[at - 1] == ")":
            return SqlType(name, inner=tuple(inner), fields=tuple(fields)), at


def _closed(tokens: list[str], at: int) -> int:
    depth = 0
    while True:
        depth += {"(": 1, ")": -1}.get(tokens[at], 0)
        at += 1
        if depth == 0:
            return at


def _unquoted(token: str) -> str:
    return token[1:-1].replace('""', '"') if token.startswith('"') else token
