"""The slice of a sorted partition that a Query's key condition means.

Asserted: the source of `_key_condition_clauses`, which splits a condition at its top-level ANDs.
"""

import functools
from typing import Any

from ministack.services import dynamodb

from .source import expect

Token = tuple[str, str]
Limits = tuple[tuple[Any, ...], tuple[Any, ...]]


class _Top:
    """Greater than everything, to bisect behind all entries that start alike."""

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True


TOP = _Top()
_FLIPPED = {"LT": "GT", "LE": "GE", "GT": "LT", "GE": "LE", "EQ": "EQ"}
_NAMES = ("IDENT", "NAME_REF")


@functools.lru_cache(maxsize=1024)
def clauses_of(condition: str) -> tuple[tuple[Token, ...], ...]:
    """The condition's clauses, each without the parentheses around it."""
    clauses = dynamodb._key_condition_clauses(dynamodb._tokenize(condition))
    return tuple(tuple(_bare(clause)) for clause in clauses)


def _bare(clause: list[Token]) -> list[Token]:
    while len(clause) > 2 and clause[0][0] == "LPAREN" and clause[-1][0] == "RPAREN":
        clause = clause[1:-1]
    return clause


def bounds_of(
    condition: str, values: dict[str, Any], names: dict[str, str], hash_key: str, sort_key: tuple[str, str] | None
) -> Limits | None:
    """The first and the last place (exclusive) in a sorted partition; None when the condition is not a plain one."""
    limits: Limits = ((), (TOP,))
    for clause in clauses_of(condition):
        name, operator, operands = _parsed(clause, names)
        if name == hash_key and operator == "EQ":
            continue
        if sort_key is None or name != sort_key[0]:
            return None
        given = [dynamodb._sort_key_value(values.get(operand), sort_key[1]) for operand in operands]
        found = _limits(operator, given)
        if found is None:
            return None
        limits = found
    return limits


def _parsed(clause: tuple[Token, ...], names: dict[str, str]) -> tuple[str | None, str, list[str]]:
    """The attribute, the operator and the value references of one clause; an unknown form has no operator."""
    kinds = [kind for kind, _ in clause]
    texts = [text for _, text in clause]
    if len(clause) == 3 and kinds[0] in _NAMES and kinds[2] == "VALUE_REF":
        return _name(clause[0], names), kinds[1], [texts[2]]
    if len(clause) == 3 and kinds[0] == "VALUE_REF" and kinds[2] in _NAMES:
        return _name(clause[2], names), _FLIPPED.get(kinds[1], ""), [texts[0]]
    if len(clause) == 5 and kinds[0] in _NAMES and texts[1].upper() == "BETWEEN" and texts[3].upper() == "AND":
        return _name(clause[0], names), "BETWEEN", [texts[2], texts[4]]
    if len(clause) == 6 and texts[0] == "begins_with" and kinds[1] == "LPAREN" and kinds[3] == "COMMA":
        return _name(clause[2], names), "BEGINS", [texts[4]]
    return None, "", []


def _name(token: Token, names: dict[str, str]) -> str | None:
    return names.get(token[1]) if token[0] == "NAME_REF" else token[1]


def _limits(operator: str, given: list[Any]) -> Limits | None:
    first, last = (given[0],), (given[-1], TOP)
    if operator == "BEGINS":
        end = _after(given[0])
        return (first, (TOP,) if end is None else (end,))
    found: dict[str, Limits] = {
        "EQ": (first, last),
        "LT": ((), first),
        "LE": ((), last),
        "GT": (last, (TOP,)),
        "GE": (first, (TOP,)),
        "BETWEEN": (first, last),
    }
    return found.get(operator)


def _after(prefix: Any) -> Any:
    """The least value behind all that begin with this text or these bytes; None when there is none."""
    top = chr(0x10FFFF) if isinstance(prefix, str) else b"\xff"
    kept = prefix.rstrip(top)
    if not kept:
        return None
    return kept[:-1] + (chr(ord(kept[-1]) + 1) if isinstance(kept, str) else bytes([kept[-1] + 1]))


def repair() -> None:
    """Check what this module reads conditions with."""
    expect(dynamodb, "_key_condition_clauses", "51cf95b535aa")
