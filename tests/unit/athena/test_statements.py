"""Statements in Athena's words, and those that it is not asked."""

import pytest

from quintet.adapters.athena_sql import Untranslatable, translated

SOURCES = {"dataset_1": 'SELECT "a" FROM "gdb"."t1"'}
MADE = 'WITH "dataset_1" AS (SELECT "a" FROM "gdb"."t1")'


def said(sql: str, limit: int = 10, offset: int = 0, **names: str) -> str:
    """The statement without the tables that all begin with."""
    return translated(sql, SOURCES, limit=limit, offset=offset, database="gdb", **names).removeprefix(MADE).strip()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM dataset_1 ORDER BY a;", "SELECT a FROM dataset_1 ORDER BY a OFFSET 0 LIMIT 10"),
        ("SELECT 'it''s; --x', \"q\"\"x\" -- end", "SELECT 'it''s; --x' , \"q\"\"x\" OFFSET 0 LIMIT 10"),
        ("SELECT /* one */ 1 /* * / two */", "SELECT 1 OFFSET 0 LIMIT 10"),
        ("SELECT 1--x\r+1", "SELECT 1 + 1 OFFSET 0 LIMIT 10"),
        ("FROM dataset_1", "SELECT * FROM dataset_1 OFFSET 0 LIMIT 10"),
        ("VALUES (1)", "VALUES ( 1 ) OFFSET 0 LIMIT 10"),
        ("WITH x AS (SELECT 1) FROM x", ", x AS ( SELECT 1 ) FROM x OFFSET 0 LIMIT 10"),
        ("SELECT a || b, a <> b, a >= 1.5e3, .5", "SELECT a || b , a <> b , a >= 1.5e3 , .5 OFFSET 0 LIMIT 10"),
    ],
)
def test_statements(sql: str, expected: str) -> None:
    """Comments are left out; the tables come first, also before the statement's own WITH."""
    assert said(sql) == expected


def test_own_tables_that_refer_to_themselves() -> None:
    """RECURSIVE stands for the whole list."""
    made = translated("WITH RECURSIVE x AS (SELECT 1) SELECT 1", SOURCES, limit=1, offset=0, database="gdb")

    assert made.startswith('WITH RECURSIVE "dataset_1" AS (SELECT "a" FROM "gdb"."t1"), x AS')
    assert translated("WITH x AS (SELECT 1) SELECT 1", {}, limit=1, offset=0, database="gdb").startswith("WITH x AS")
    assert translated("SELECT 1", {}, limit=1, offset=0, database="gdb") == "SELECT 1 OFFSET 0 LIMIT 1"


@pytest.mark.parametrize(
    ("own", "limit", "offset", "page"),
    [
        ("", 10, 20, "OFFSET 20 LIMIT 10"),
        ("LIMIT 5", 10, 0, "OFFSET 0 LIMIT 5"),
        ("LIMIT 5", 10, 3, "OFFSET 3 LIMIT 2"),
        ("LIMIT 5", 10, 5, "OFFSET 5 LIMIT 0"),
        ("LIMIT 5", 10, 9, "OFFSET 9 LIMIT 0"),
        ("limit 100 offset 7", 10, 3, "OFFSET 10 LIMIT 10"),
        ("OFFSET 7 LIMIT 100", 10, 3, "OFFSET 10 LIMIT 10"),
        ("OFFSET 7 ROWS", 10, 3, "OFFSET 10 LIMIT 10"),
        ("LIMIT 0", 10, 0, "OFFSET 0 LIMIT 0"),
    ],
)
def test_a_page_of_a_part(own: str, limit: int, offset: int, page: str) -> None:
    """Rows of what the statement itself lets through, in Trino's order of words; the statement's order is its last word."""
    assert (
        said(f"SELECT a FROM dataset_1 ORDER BY a {own}", limit, offset) == f"SELECT a FROM dataset_1 ORDER BY a {page}"
    )


def test_parts_inside() -> None:
    """Their words change places only."""
    sql = "SELECT * FROM (SELECT a FROM dataset_1 LIMIT 3 OFFSET 2) x"
    assert said(sql) == "SELECT * FROM ( SELECT a FROM dataset_1 OFFSET 2 LIMIT 3 ) x OFFSET 0 LIMIT 10"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a / b", "a / 1e0 / b"), ("a / b * c", "a / 1e0 / b * c"), ("a * b / c / d", "a * b / 1e0 / c / 1e0 / d"),
        ("'a/b'", "'a/b'"), ('"a/b"', '"a/b"'), ("a % b", "a % b"),
    ],
)  # fmt: skip
def test_division(sql: str, expected: str) -> None:
    """Is of floating point for both engines, as it is for DuckDB."""
    assert said(f"SELECT {sql}") == f"SELECT {expected} OFFSET 0 LIMIT 10"


@pytest.mark.parametrize(
    ("names", "table"),
    [
        ({"catalog": "C", "schema": "s"}, "c.S.dataset_1"), ({"catalog": "c", "schema": "s"}, "s.dataset_1"),
        ({"catalog": "c", "schema": "s"}, "c.dataset_1"), ({"schema": "s"}, 's."DATASET_1"'), ({"catalog": "c"}, "c.dataset_1"),
    ],
)  # fmt: skip
def test_tables_named_in_full(names: dict[str, str], table: str) -> None:
    """By their own names; what only looks like one stays."""
    found = said(f"SELECT {table}.a, x.{table}, s.other, c.s.x FROM {table}", **names)

    own = table.rpartition(".")[2]
    spaced = table.replace(".", " . ")
    assert found == f"SELECT {own} . a , x . {spaced} , s . other , c . s . x FROM {own} OFFSET 0 LIMIT 10"


@pytest.mark.parametrize(
    "sql",
    [
        # What the two engines could read differently must reach neither the other's tables nor anything at all.
        "SELECT 1 /* /* */ , (SELECT x FROM gdb.t9) */", "SELECT 1 /* a /* b */ c */", "SELECT * FROM gdb.t2", 'SELECT * FROM "GDB".t2',
        "SELECT gdb.t1.a FROM dataset_1", "SELECT * FROM awsdatacatalog.gdb.t2", "SELECT * FROM information_schema.tables",
        "SELECT * FROM \"information_schema\".columns", "SELECT $$x$$", "SELECT $1", "SELECT E'a\\'b'", "SELECT x'00'",
        "SELECT U&'\\0041'",
        "SELECT DATE'2020-01-01'", "SELECT a\"b\" FROM dataset_1", "SELECT `a` FROM dataset_1", "SELECT a::INT", "SELECT a // b",
        "SELECT 0x10", "SELECT 1_000", "SELECT a ~ 'x'", "SELECT a ^ 2", "SELECT @a", "SELECT ü", "SELECT {'a': 1}", "SELECT a & b",
        "SELECT \\n", "SELECT 1 /* open", "SELECT 'open", 'SELECT "open', "SELECT #1", "SELECT a!b",
    ],
)  # fmt: skip
def test_what_is_not_read_alike(sql: str) -> None:
    """Or names the database of all tables."""
    with pytest.raises(Untranslatable):
        said(sql)


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT 1 LIMIT 1 + 1", "plain numbers"), ("SELECT 1 LIMIT 10%", "plain numbers"),
        ("SELECT 1 LIMIT (SELECT 1)", "plain numbers"),
        ("SELECT 1 LIMIT 1.5", "plain numbers"), ("SELECT 1 FETCH FIRST 3 ROWS ONLY", "plain numbers"),
        ("DESCRIBE dataset_1", "SELECT, WITH"),
        ("SUMMARIZE dataset_1", "SELECT, WITH"), ("FROM dataset_1 SELECT a", "SELECT before FROM"),
    ],
)  # fmt: skip
def test_what_athena_wants_otherwise(sql: str, hint: str) -> None:
    """The refusal says how."""
    with pytest.raises(Untranslatable, match=hint):
        said(sql)


def test_texts_may_say_anything() -> None:
    """Names are what counts."""
    assert said("SELECT 'gdb', 'information_schema' AS gdb_, \"a.gdb\"").startswith("SELECT 'gdb' ,")
