"""Request bodies."""

import base64
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.web.bodies import MAX_BYTES, MAX_DEPTH, MAX_EXPONENT, BadBody, BodyTooLarge, parse, raw_body
from quintet.web.rendering import ANSWER_BYTES, to_json, too_large

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab[{\"\\", max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_what_is_written_is_read_back_exactly(value: object) -> None:
    """Any JSON value survives writing and reading, integers beyond 64 bits and odd strings included."""
    assert parse(to_json(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting"),
        ("[1,]", "Expecting|Illegal"),
        ("NaN", "NaN is no JSON"),
        ('{"a": -Infinity}', "-Infinity is no JSON"),
        ("1e999", "no number that can be kept"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "duplicate key 'c'"),
        ('"\\ud800"', "surrogate"),
        ("1" * 5000, "too many digits"),
        ("[" * 65 + "]" * 65, "nested deeper than 64"),
        ('{"a":' * 200_000, "nested deeper than 64"),
        ("[" * 300_000, "nested deeper than 64"),
        ('"a\nb"', "control character"),
    ],
)
def test_bad_json_is_refused_with_a_reason(text: str, said: str) -> None:
    """Each kind of bad JSON is refused, saying what is wrong with it."""
    with pytest.raises(BadBody, match=said):
        parse(text.encode())


def test_nesting_is_counted_outside_of_strings() -> None:
    """Brackets inside strings, escaped quotes among them, are no nesting, and the deepest allowed value is read."""
    text = '["' + "[{" * 200 + '\\"' + "[" * 100 + '"]'
    assert len(parse(text.encode())) == 1
    assert parse(("[" * MAX_DEPTH + "]" * MAX_DEPTH).encode()) is not None
    assert len(parse(("[" + "[]," * 1000 + "[]]").encode())) == 1001


def test_invalid_utf_8_is_refused() -> None:
    """Bytes that are no UTF-8, whether sent plain or in base64, are refused."""
    with pytest.raises(BadBody, match="UTF-8"):
        parse(b'"\xff"')
    with pytest.raises(BadBody, match="UTF-8"):
        raw_body("\ud800", is_base64=False)
    with pytest.raises(BadBody, match="UTF-8"):
        raw_body("abc", is_base64=True)


def test_a_surrogate_pair_is_a_character() -> None:
    """An escaped surrogate pair is read as the character that it stands for."""
    assert parse(b'"\\ud83d\\ude00"') == "\U0001f600"
    assert parse(b'["\\ud83d\\ude00", 1.10]', exact=True) == ["\U0001f600", Decimal("1.10")]


def test_the_size_is_bounded_in_bytes() -> None:
    """A body of exactly the bound is read, one byte more is too large, however it was sent."""
    exact = b'"' + b"a" * (MAX_BYTES - 2) + b'"'
    assert len(parse(raw_body(base64.b64encode(exact).decode(), is_base64=True))) == MAX_BYTES - 2
    with pytest.raises(BodyTooLarge):
        raw_body("é" * (MAX_BYTES // 2 + 1), is_base64=False)
    with pytest.raises(BodyTooLarge):
        parse(exact + b" ")


def test_no_body_is_none() -> None:
    """Nothing, or only white space, is no body."""
    assert parse(b"") is None
    assert parse(b" \n") is None


def test_answers_are_valid_json_whatever_is_in_them() -> None:
    """NaN becomes null, half a surrogate pair its escape; times and other values their text."""
    assert to_json({"a": [float("nan"), float("inf")], "b": (1,)}) == '{"a":[null,null],"b":[1]}'
    assert to_json("\ud800é") == '"\\ud800\\u00e9"'
    assert to_json("é") == '"é"'


EXACT = [
    *("0.1", "1.10", "-0.0", "1.000000000000000000000000000000", "0.30000000000000004441"),
    *("123456789012345678901234567890", "-98765432109876543210987654321.012345678901234567890123456789"),
    *("1E+400", "1E-400", f"9.9E+{MAX_EXPONENT}", f"1E-{MAX_EXPONENT}"),
]


@pytest.mark.parametrize("text", EXACT)
def test_exact_numbers_go_in_and_out_digit_by_digit(text: str) -> None:
    """No digit is rounded away and no trailing zero dropped; they are numbers on both sides, not strings."""
    value = parse(f'{{"at":[{text}]}}'.encode(), exact=True)
    assert str(value["at"][0]) == text
    assert to_json(value) == f'{{"at":[{text}]}}'


@given(st.decimals(allow_nan=False, allow_infinity=False).filter(lambda one: str(one) != "-0") | st.integers())
def test_what_is_written_exactly_is_read_back_exactly(number: Decimal | int) -> None:
    """Any number of digits and any exponent within the bound."""
    found = parse(to_json([number]).encode(), exact=True)[0]
    # A Decimal without fraction and exponent is written as a whole number, and read as one.
    assert str(found) == str(number)


@pytest.mark.parametrize("text", [f"1E{MAX_EXPONENT + 1}", f"1E-{MAX_EXPONENT + 1}", "1e" + "9" * 30, "1e-" + "9" * 30])
def test_exponents_beyond_all_use_are_refused(text: str) -> None:
    """A few bytes would else stand for a number of as many digits as one likes."""
    with pytest.raises(BadBody, match="no number that can be kept"):
        parse(text.encode(), exact=True)


def test_exact_bodies_are_read_as_strictly_as_others() -> None:
    """What is no JSON, or too deep, or too long, is refused all the same; without being asked for, numbers are floats."""
    for bad in ("NaN", "-Infinity", '{"a":1.5,"a":1.5}', "[" * 65 + "]" * 65, "1.5.5", "1" * 5000, '"\\ud800"'):
        with pytest.raises(BadBody):
            parse(bad.encode(), exact=True)
    with pytest.raises(BodyTooLarge):
        parse(b"1.5  ", 4, exact=True)
    assert type(parse(b"1.5")) is float


def test_decimals_are_numbers_beside_anything_else() -> None:
    """Those that JSON has no number for become null, as floats do; texts that look like numbers stay texts."""
    value = {"a": Decimal("NaN"), "b": [Decimal("-Infinity"), float("nan"), Decimal("2.50")], "c": "2.50", "2.5": ()}
    assert to_json(value) == '{"a":null,"b":[null,null,2.50],"c":"2.50","2.5":[]}'
    assert to_json({"\ud800é": Decimal("0.10")}) == '{"\\ud800\\u00e9":0.10}'


def test_an_answer_is_measured_as_it_leaves_the_function() -> None:
    """As a JSON string: quotes and line ends count twice, what is no ASCII as its escape."""
    fits = "x" * (ANSWER_BYTES - 2)
    assert not too_large(fits)
    assert too_large(fits + "x")
    for character, width in (('"', 2), ("\n", 2), ("é", 6), ("\U0001f600", 12)):
        assert not too_large(character * ((ANSWER_BYTES - 2) // width))
        assert too_large(character * ((ANSWER_BYTES - 2) // width + 1))
