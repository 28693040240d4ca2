"""JSON as compact text."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.domain.jsontext import compact, exact, finite

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.decimals(allow_nan=False, allow_infinity=False).filter(lambda one: one.as_tuple().exponent != 0)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_is_read_back_digit_by_digit(value: object) -> None:
    """Whatever the value, half characters and numbers of many digits included; every store can hold the text."""
    text = compact(value)
    assert text.encode().decode() == text
    assert repr(exact(text)) == repr(value)


@pytest.mark.parametrize("number", [float("nan"), float("-inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")])
def test_what_is_no_number_of_json_is_refused(number: float | Decimal) -> None:
    """Wherever it stands; made finite, it is null."""
    with pytest.raises(ValueError, match="JSON"):
        compact({"a": [number]})
    assert compact(finite({"a": (number, 1, "NaN")})) == '{"a":[null,1,"NaN"]}'


def test_what_is_no_json_is_refused_unless_someone_makes_it_so() -> None:
    """Nothing is written by its look without being asked for."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(TypeError, match="datetime"):
        compact({"at": at})
    assert compact({"at": at, "n": Decimal("1.0")}, str) == '{"at":"2026-01-01 00:00:00+00:00","n":1.0}'
