"""A statement that DuckDB has found to be one SELECT, in Trino's words, which is what Athena speaks.

It is read token by token. What the two engines could read differently (nested comments, dollar quotes, escapes in texts) is refused, so
that a statement means to Athena what it meant to DuckDB's parser; and nobody's statement may name the database of all tables.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quintet.adapters.duckdb_types import quoted

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n\r]*)
    |(?P<comment>/\*.*?\*/)
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")+")
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<symbol><>|<=|>=|!=|\|\||->|=>|[-+*%<>=(),.;\[\]?]|/(?![/*]))""",
    re.VERBOSE | re.DOTALL,
)
_ELSEWHERE = frozenset({"information_schema", "awsdatacatalog"})
_NUMBER = re.compile(r"\d+")
_UNKNOWN_BEGINNINGS = frozenset({"DESCRIBE", "SHOW", "SUMMARIZE", "PIVOT", "UNPIVOT"})


class Untranslatable(Exception):
    """Athena can't be asked this; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a statement: text, name (in double quotes), word, number or symbol."""

    kind: str
    text: str

    @property
    def name(self) -> str | None:
        """What it names, in lower case; None for what is no identifier."""
        if self.kind == "word":
            return self.text.lower()
        return self.text[1:-1].replace('""', '"').lower() if self.kind == "name" else None

    def says(self, *words: str) -> bool:
        """True for one of these words (upper case) or symbols."""
        return self.kind in {"word", "symbol"} and self.text.upper() in words


def translated(
    sql: str,
    sources: Mapping[str, str],
    *,
    limit: int,
    offset: int,
    database: str,
    catalog: str | None = None,
    schema: str | None = None,
) -> str:
    """The statement over `sources` (by the name that it uses, the query that stands for it), from row `offset` on, at most `limit` rows.

    `catalog` and `schema` are the ones in which it may name the tables in full. Raises Untranslatable.
    """
    tokens = tokens_of(sql)
    forbidden = _ELSEWHERE | {database.lower()}
    for token in tokens:
        if token.name in forbidden:
            raise Untranslatable(f"{token.text} can't be used as a name")
    tokens = _plain_names(tokens, sources, catalog, schema)
    tokens, limit, offset = _page(tokens, limit, offset)
    body = [_division(token) for token in _offsets_first(tokens)]
    made = [f"{quoted(name)} AS ({query})" for name, query in sources.items()]
    return f"{_with(made, body)} OFFSET {offset} LIMIT {limit}"


def tokens_of(sql: str) -> list[Token]:
    """A statement's pieces, comments left out. Raises Untranslatable for what the two engines don't read alike."""
    found: list[Token] = []
    at = 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        if match is None or match.lastgroup is None:
            raise Untranslatable(f"Athena can't read this: {sql[at : at + 20]!r}")
        kind, text = match.lastgroup, match.group()
        if kind == "comment" and "/*" in text[2:]:
            raise Untranslatable("Athena has no comments inside comments")
        if kind in {"text", "name"} and sql[at - 1 : at].isalnum():
            raise Untranslatable(f"Athena can't read this: {sql[max(0, at - 5) : at + 20]!r}")
        if kind in {"word", "number"} and sql[at - 1 : at].isalnum():
            raise Untranslatable(f"Athena can't read this number: {sql[max(0, at - 5) : at + 20]!r}")
        if kind not in {"space", "comment"}:
            found.append(Token(kind, text))
        at = match.end()
    while found and found[-1].text == ";":
        found.pop()
    return found


def _plain_names(
    tokens: Sequence[Token], sources: Mapping[str, str], catalog: str | None, schema: str | None
) -> list[Token]:
    """The tables named in full by their own names: catalog.schema.table, schema.table, catalog.table."""
    known = {name.lower() for name in sources}
    prefixes = [part.lower() for part in (catalog, schema) if part is not None]
    ways = [prefixes, prefixes[:1], prefixes[1:]] if len(prefixes) == 2 else [prefixes]
    found: list[Token] = []
    at = 0
    while at < len(tokens):
        follows = not (at and tokens[at - 1].text == ".")
        for way in ways if follows else ():
            end = at + 2 * len(way)
            named = [token.name if place % 2 == 0 else token.text for place, token in enumerate(tokens[at:end])]
            wanted = [part for name in way for part in (name, ".")]
            if way and named == wanted and end < len(tokens) and tokens[end].name in known:
                at = end
                break
        found.append(tokens[at])
        at += 1
    return found


def _page(tokens: Sequence[Token], limit: int, offset: int) -> tuple[list[Token], int, int]:
    """Without the statement's own LIMIT and OFFSET at its end, which the page asked for is then a part of."""
    rest = list(tokens)
    own: dict[str, int] = {}
    while True:
        kept = rest[:-1] if rest and rest[-1].says("ROW", "ROWS") else rest
        if len(kept) < 2 or not kept[-2].says("LIMIT", "OFFSET") or kept[-2].text.upper() in own:
            break
        if kept[-1].kind != "number" or not _NUMBER.fullmatch(kept[-1].text):
            break
        own[kept[-2].text.upper()] = int(kept[-1].text)
        rest = kept[:-2]
    depth = 0
    for token in rest:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "symbol" else 0
        if depth == 0 and token.says("LIMIT", "OFFSET", "FETCH"):
            raise Untranslatable("LIMIT and OFFSET must be plain numbers at the statement's end")
    if "LIMIT" in own:
        limit = max(0, min(limit, own["LIMIT"] - offset))
    return rest, limit, offset + own.get("OFFSET", 0)


def _offsets_first(tokens: Sequence[Token]) -> list[Token]:
    """`LIMIT n OFFSET m` of inner queries the other way round, as Trino wants it."""
    found: list[Token] = []
    for token in tokens:
        found.append(token)
        if len(found) >= 4 and found[-4].says("LIMIT") and found[-2].says("OFFSET") and token.kind == "number":
            found[-4:] = [*found[-2:], *found[-4:-2]]
    return found


def _division(token: Token) -> Token:
    """DuckDB divides in floating point, whatever is divided; Trino only what is floating point already."""
    return Token("symbol", "/ 1e0 /") if token.kind == "symbol" and token.text == "/" else token


def _with(made: Sequence[str], body: Sequence[Token]) -> str:
    first = body[0] if body else Token("symbol", "")
    if first.says(*_UNKNOWN_BEGINNINGS):
        raise Untranslatable("Athena answers SELECT, WITH, VALUES and TABLE")
    rest = list(body)
    words = ""
    if first.says("WITH"):
        rest = rest[1:]
        if rest and rest[0].says("RECURSIVE"):
            words, rest = "RECURSIVE ", rest[1:]
        begin = ", " if made else ""
    else:
        begin = " "
        if first.says("FROM"):
            if any(token.says("SELECT") for token in _outside(rest)):
                raise Untranslatable("Athena wants SELECT before FROM")
            begin = " SELECT * "
    text = " ".join(token.text for token in rest)
    if not made:
        return f"WITH {words}{text}" if first.says("WITH") else f"{begin}{text}".strip()
    return f"WITH {words}{', '.join(made)}{begin}{text}"


def _outside(tokens: Sequence[Token]) -> list[Token]:
    """The tokens that stand in no parentheses."""
    found: list[Token] = []
    depth = 0
    for token in tokens:
        if token.kind == "symbol":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0:
            found.append(token)
    return found
