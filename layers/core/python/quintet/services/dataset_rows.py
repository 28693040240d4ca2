"""Rows that come as JSON, on their way into a file: none of their numbers changes."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from quintet.domain.errors import Invalid, Problem
from quintet.domain.jsontext import compact

MOST_DIGITS = 38
"""Of an exact number with a fraction, in a dataset."""
AS_THEY_ARE = "SELECT * FROM input"
"""What makes a dataset of lines whose numbers engines read as they are written."""


def to_lines(rows: Sequence[Mapping[str, Any]]) -> tuple[bytes, str]:
    """The rows as JSON lines, and the SELECT that makes a dataset of them as the table `input`.

    Engines read fractions, and whole numbers among them, as floating point. A column with a number that floating point would change is
    written as text, and read as DECIMAL, as long as 38 digits hold all its numbers. Raises Invalid for a number that floating point would
    make infinite.
    """
    exact = {name: type_ for name in _inexact(rows) if (type_ := _decimal(rows, name))}
    lines = b"\n".join(compact(_as_text(row, exact)).encode() for row in rows)
    if not exact:
        return lines, AS_THEY_ARE
    casts = ", ".join(f"CAST({_quoted(name)} AS {type_}) AS {_quoted(name)}" for name, type_ in exact.items())
    return lines, f"SELECT * REPLACE ({casts}) FROM input"  # noqa: S608  # of quoted names and computed types


def _inexact(rows: Sequence[Mapping[str, Any]]) -> dict[str, None]:
    """The columns with a number that floating point can't hold. Whole numbers alone are not read as such, whatever their size."""
    fractions = {name for row in rows for name, value in row.items() if isinstance(value, (float, Decimal))}
    return {
        name: None
        for place, row in enumerate(rows)
        for name, value in row.items()
        if _changed(value, ("rows", place, name)) and name in fractions
    }


def _changed(value: Any, place: tuple[str | int, ...]) -> bool:
    """True for a number that isn't the same as floating point, read back."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return False
    try:
        near = float(value)
    except OverflowError:  # as integers do; decimals become infinite
        near = math.inf
    if math.isinf(near):
        raise Invalid([Problem(place, f"{Decimal(value):.3E} is beyond what floating point holds")])
    return Decimal(repr(near)) != value


def _decimal(rows: Sequence[Mapping[str, Any]], name: str) -> str | None:
    """The type that holds all of a column's numbers; None when there is none, or not only numbers are in it."""
    whole = scale = 0
    for row in rows:
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            return None
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        whole, scale = max(whole, number.adjusted() + 1), max(scale, _scale(number))
    return f"DECIMAL({max(whole + scale, 1)},{scale})" if whole + scale <= MOST_DIGITS else None


def _scale(number: Decimal) -> int:
    """Its digits behind the point, zeros at the end left out. (Decimal's own arithmetic would round it.)"""
    _, digits, exponent = number.as_tuple()
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return -int(exponent) - zeros


def _as_text(row: Mapping[str, Any], exact: Mapping[str, str]) -> Mapping[str, Any]:
    if not exact:
        return row
    return {
        name: format(Decimal(str(value)), "f") if name in exact and value is not None else value
        for name, value in row.items()
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
