"""Rows of JSON on their way into a file."""

import json
from decimal import Decimal
from typing import Any

import pytest

from quintet.domain.errors import Invalid
from quintet.services.dataset_rows import to_lines

EXACT = Decimal("9007199254740993.5")
"""No float holds it."""


def lines(*rows: dict[str, Any]) -> tuple[list[Any], str]:
    """The lines, read, and the statement."""
    body, select = to_lines(rows)
    return [json.loads(line) for line in body.splitlines()], select


def test_plain_rows_stay_as_they_are() -> None:
    """Fractions that floating point holds are no reason for another type."""
    rows = [{"a": 1, "b": Decimal("1.10"), "c": "x", "d": None, "e": [1], "f": True}, {}]

    assert lines(*rows) == ([{"a": 1, "b": 1.1, "c": "x", "d": None, "e": [1], "f": True}, {}], "SELECT * FROM input")


def test_whole_numbers_of_any_size_stay_exact() -> None:
    """They are written digit by digit."""
    assert to_lines([{"a": 2**70}]) == (b'{"a":1180591620717411303424}', "SELECT * FROM input")


def test_fractions_that_floating_point_would_change() -> None:
    """Travel as text, with a type that holds all numbers of their column."""
    found, select = lines({'a"b': EXACT, "c": Decimal("0.1")}, {'a"b': 12}, {'a"b': Decimal("1E+2")}, {'a"b': None}, {})

    assert found == [{'a"b': "9007199254740993.5", "c": 0.1}, {'a"b': "12"}, {'a"b': "100"}, {'a"b': None}, {}]
    assert select == 'SELECT * REPLACE (CAST("a""b" AS DECIMAL(17,1)) AS "a""b") FROM input'


@pytest.mark.parametrize("other", ["x", True, [1], {"x": 1}])
def test_a_column_of_more_than_numbers_is_left_alone(other: object) -> None:
    """It is no column of numbers anyway."""
    assert to_lines([{"a": EXACT}, {"a": other}])[1] == "SELECT * FROM input"


@pytest.mark.parametrize(
    ("numbers", "type_"),
    [
        (["0.12345678901234567890"], "DECIMAL(19,19)"),
        (["-12345678901234567890.123456789012345678"], "DECIMAL(38,18)"),
        (["123456789012345678901.123456789012345678"], None),
        (["1E-30", "123456789.123456789012"], None),
        (["1E+300"], None),
        (["0.00", "1.0000000000000000000001"], "DECIMAL(23,22)"),
    ],
)
def test_the_type_holds_all_digits_or_there_is_none(numbers: list[str], type_: str | None) -> None:
    """38 of them at most; beyond, floating point it is."""
    select = to_lines([{"a": Decimal(number)} for number in numbers])[1]

    assert select == (
        "SELECT * FROM input" if type_ is None else f'SELECT * REPLACE (CAST("a" AS {type_}) AS "a") FROM input'
    )


def test_whole_numbers_among_fractions_that_floating_point_would_change() -> None:
    """Make their column exact too; those that it holds don't."""
    found, select = lines({"a": Decimal("0.1"), "b": 0.5}, {"a": 12345678901234567890, "b": 2**53})

    assert found == [{"a": "0.1", "b": 0.5}, {"a": "12345678901234567890", "b": 2**53}]
    assert select == 'SELECT * REPLACE (CAST("a" AS DECIMAL(21,1)) AS "a") FROM input'


@pytest.mark.parametrize("number", [Decimal("1E+400"), Decimal("-1E+309"), 10**400])
def test_a_number_beyond_floating_point_is_refused_with_its_place(number: object) -> None:
    """It would become infinite in silence."""
    with pytest.raises(Invalid) as refused:
        to_lines([{"a": 1}, {"a": number}])
    assert [problem.place for problem in refused.value.problems] == [("rows", 1, "a")]
