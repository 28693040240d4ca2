"""Types and values of Athena, as DuckDB's."""

from decimal import Decimal

import pytest

from quintet.adapters.athena_types import Unlike, from_text, hive_type, refuse_unlike
from quintet.adapters.duckdb_types import parse
from quintet.adapters.query_values import moment, value

HIVE = {
    "BOOLEAN": "boolean", "TINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "int", "BIGINT": "bigint", "UTINYINT": "smallint",
    "USMALLINT": "int", "FLOAT": "float", "DOUBLE": "double", "DECIMAL(18,3)": "decimal(18,3)", "VARCHAR": "string", "JSON": "string",
    "BLOB": "binary", "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMP_NS": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamp",
    "INTEGER[]": "array<int>", "DOUBLE[3]": "array<double>", "MAP(VARCHAR, DECIMAL(5,2))": "map<string,decimal(5,2)>",
    'STRUCT("A b" INTEGER, c VARCHAR[])': "struct<a b:int,c:array<string>>",
}  # fmt: skip


@pytest.mark.parametrize(("type_", "expected"), HIVE.items())
def test_types_of_tables(type_: str, expected: str) -> None:
    """In Hive's words."""
    assert hive_type(parse(type_)) == expected


@pytest.mark.parametrize(
    "type_", ["HUGEINT", "UBIGINT", "UINTEGER", "TIME", "INTERVAL", "UUID", "ENUM('a')", "UNION(a INTEGER)", "TIME[]", "BIT",
    "TUPLE(INTEGER)"]
)  # fmt: skip
def test_types_that_athena_does_not_read_alike(type_: str) -> None:
    """A dataset with one is not for it."""
    with pytest.raises(Unlike):
        hive_type(parse(type_))


CELLS = [
    ("BIGINT", "-9223372036854775808", -(2**63)), ("HUGEINT", "5", 5), ("DECIMAL(10,2)", "1.5", Decimal("1.50")),
    ("DECIMAL(38,2)", "123456789012345678901234567890123456.78", Decimal("123456789012345678901234567890123456.78")),
    ("DECIMAL(5,1)", "0.25", Decimal("0.25")), ("DOUBLE", "1.0E10", 1e10), ("DOUBLE", "NaN", "NaN"), ("DOUBLE", "-Infinity", "-Infinity"),
    ("FLOAT", "0.1", 0.1), ("BOOLEAN", "true", True), ("BOOLEAN", "false", False), ("VARCHAR", "", ""), ("VARCHAR", "null", "null"),
    ("DATE", "2020-02-29", "2020-02-29"), ("TIMESTAMP", "2020-01-02 10:00:00.120", "2020-01-02T10:00:00.120"),
    ("TIMESTAMP", "2020-01-02 10:00:00.000", "2020-01-02T10:00:00"),
    ("TIMESTAMP WITH TIME ZONE", "2020-01-02 10:00:00.000", "2020-01-02T10:00:00+00:00"),
    ("TIMESTAMP WITH TIME ZONE", "2020-01-02 10:00:00.000 UTC", "2020-01-02T10:00:00+00:00"), ("BLOB", "00 ff", "AP8="),
    ("BIGINT", None, None),
    ("JSON", '{"x": 1.10}', {"x": Decimal("1.10")}), ("INTEGER[]", "[1,null]", [1, None]),
    ("DECIMAL(5,2)[]", "[1.50]", [Decimal("1.50")]),
    ("MAP(VARCHAR, INTEGER)", '{"a":1}', {"a": 1}), ("STRUCT(Ab INTEGER, c DOUBLE[])", '{"ab":1,"c":[0.5]}', {"Ab": 1, "c": [0.5]}),
    ("TIMESTAMP[]", '["2020-01-02 10:00:00.500"]', ["2020-01-02T10:00:00.500"]),
    ("MAP(VARCHAR, STRUCT(X INTEGER))", '{"K":{"x":2}}', {"K": {"X": 2}}),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "text", "expected"), CELLS)
def test_cells(type_: str, text: str | None, expected: object) -> None:
    """As DuckDB's would be."""
    found = from_text(text, parse(type_))

    assert found == expected
    assert str(found) == str(expected)


@pytest.mark.parametrize(
    ("duckdb", "athena"),
    [
        ("BIGINT", "integer"), ("HUGEINT", "bigint"), ("DECIMAL(38,2)", "decimal"), ("DOUBLE", "double"), ("FLOAT", "float"),
        ("VARCHAR", "varchar"),
        ("VARCHAR", "char"), ("JSON", "varchar"), ("DATE", "date"), ("TIMESTAMP", "timestamp"), ("TIMESTAMP WITH TIME ZONE", "timestamp"),
        ("BLOB", "varbinary"), ("BOOLEAN", "boolean"), ("INTEGER[]", "varchar"), ('"NULL"', "unknown"),
    ],
)  # fmt: skip
def test_answers_of_one_kind(duckdb: str, athena: str) -> None:
    """Are taken."""
    refuse_unlike("x", parse(duckdb), athena)


@pytest.mark.parametrize(
    ("duckdb", "athena"),
    [("DOUBLE", "decimal"), ("DOUBLE", "bigint"), ("BIGINT", "double"), ("VARCHAR", "bigint"), ("DATE", "varchar"), ("TIMESTAMP", "date"),
     ("INTERVAL", "interval day to second")],
)  # fmt: skip
def test_answers_of_another_kind(duckdb: str, athena: str) -> None:
    """Were computed differently: which, the refusal says."""
    if duckdb == "INTERVAL":
        with pytest.raises(Unlike):
            refuse_unlike("x", parse(duckdb), athena)
        return
    with pytest.raises(Unlike, match="CAST"):
        refuse_unlike("x", parse(duckdb), athena)


@pytest.mark.parametrize(
    ("type_", "raw", "expected"),
    [
        ("DECIMAL(10,2)", "1.50", Decimal("1.50")), ("DOUBLE", "nan", "NaN"), ("DOUBLE", "inf", "Infinity"), ("FLOAT", "0.1", 0.1),
        ("HUGEINT", 2**100, 2**100), ("TIMESTAMP WITH TIME ZONE", "2019-12-31 22:00:00+00", "2019-12-31T22:00:00+00:00"),
        ("STRUCT(a DECIMAL(3,1), b DATE[])", {"a": "1.5", "b": ["2020-01-01"]}, {"a": Decimal("1.5"), "b": ["2020-01-01"]}),
        ("TUPLE(INTEGER, DECIMAL(3,1))", [1, "2.5"], [1, Decimal("2.5")]), ("JSON", "not json", "not json"), ("JSON", "NaN", "NaN"),
        ("INTERVAL", "1 month", "1 month"), ("MAP(VARCHAR, DECIMAL(3,1))", {"x": "1.5"}, {"x": Decimal("1.5")}),
        ("INTEGER[2]", [1, None], [1, None]),
    ],
)  # fmt: skip
def test_what_duckdb_says(type_: str, raw: object, expected: object) -> None:
    """Becomes the same."""
    assert value(raw, parse(type_)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-01 00:00:00.1234", "2020-01-01T00:00:00.123400"), ("2020-01-01 00:00:00.123456789", "2020-01-01T00:00:00.123456789"),
        ("2020-01-01 00:00:00+05:30", "2020-01-01T00:00:00+05:30"), ("10:00:00.5", "10:00:00.500"), ("10:00:00+01", "10:00:00+01:00"),
        ("infinity", "infinity"), ("0044-03-15 (BC) 12:00:00", "0044-03-15 (BC) 12:00:00"),
        ("290000-01-01 00:00:00", "290000-01-01T00:00:00"),
    ],
)  # fmt: skip
def test_moments(text: str, expected: str) -> None:
    """In ISO 8601 where that has a word for them."""
    assert moment(text) == expected


@pytest.mark.parametrize(
    "text",
    ["BIGINT", "DECIMAL(18,3)", 'STRUCT("a b" INTEGER, "c""d" DECIMAL(2,1)[], "e" MAP(VARCHAR, INTEGER))', "INTEGER[2][]",
     "TIMESTAMP WITH TIME ZONE[]",
     "TUPLE(INTEGER, VARCHAR[])", 'STRUCT("timestamp" TIMESTAMP WITH TIME ZONE, "STRUCT" DATE)', "MAP(STRUCT(\"x\" INTEGER), UUID)"],
)  # fmt: skip
def test_names_of_types_are_read(text: str) -> None:
    """And can be said again."""
    assert parse(text).spelled(lambda leaf: leaf.plain) == text


@pytest.mark.parametrize("text", ["STRUCT(", "DECIMAL(a,b)", "INTEGER[", "", "STRUCT(a)", "??"])
def test_what_is_no_type_is_a_leaf_of_that_name(text: str) -> None:
    """Nothing fails for it."""
    assert parse(text).leaves() == [parse(text)]
