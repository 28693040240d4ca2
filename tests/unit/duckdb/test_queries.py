"""Queries over rows and datasets, and the datasets they make."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from quintet.adapters.memory import MemoryBlobs

Ask = Callable[..., dict[str, Any]]
ROWS = [
    {"a": 1, "day": "2024-01-01", "x": 1.5, "none": None, "in": {"y": [1]}, "ok": True, "big": 2**70, "mix": 1},
    {"a": 2, "day": "none", "x": 2, "none": None, "in": None, "ok": None, "big": 1, "mix": "two", "more": 3},
]


def test_an_answer(ask: Ask) -> None:
    """Its count, its columns in order, and its first rows."""
    answer = ask("SELECT a, upper(day) AS d FROM t ORDER BY a DESC", inputs={"t": {"rows": ROWS}})

    assert answer == {
        "ok": True,
        "rowCount": 2,
        "columns": [{"name": "a", "type": "BIGINT"}, {"name": "d", "type": "VARCHAR"}],
        "preview": [{"a": 2, "d": "NONE"}, {"a": 1, "d": "2024-01-01"}],
        "sizeBytes": 0,
    }


def test_rows_keep_the_types_json_has(ask: Ask) -> None:
    """Integers stay integers, whatever their size, no text turns into a date, and a key some rows lack is null there."""
    answer = ask("FROM t", inputs={"t": {"rows": ROWS}})

    assert {column["name"]: column["type"] for column in answer["columns"]} == {
        "a": "BIGINT", "day": "VARCHAR", "x": "DOUBLE", "none": "VARCHAR", "in": "JSON", "ok": "BOOLEAN",
        "big": "HUGEINT", "mix": "VARCHAR", "more": "BIGINT",
    }  # fmt: skip
    first, second = answer["preview"]
    assert first == {**ROWS[0], "mix": "1", "more": None}
    assert second == ROWS[1]
    assert [type(row["a"]) for row in answer["preview"]] == [int, int]
    assert (type(first["big"]), type(second["x"])) == (int, float)


def test_values_json_has_no_type_for_are_text(ask: Ask) -> None:
    """Exact ones in full."""
    sql = r"""SELECT 1.50::DECIMAL(10, 2) AS "decimal", DATE '2020-01-02' AS "date", TIMESTAMP '2020-01-02 10:00:00' AS "time",
        TIMESTAMPTZ '2020-01-02 10:00:00+02' AS "zoned", INTERVAL 90 MINUTE AS "span", 'nan'::DOUBLE AS "nan",
        '\xFF'::BLOB AS "bytes", [1, 2] AS "list", {'k': DATE '2020-01-02'} AS "struct", MAP {1: 'x'} AS "map",
        '00000000-0000-0000-0000-000000000001'::UUID AS "uuid", sum(5) AS "sum", NULL AS "null" """

    assert ask(sql)["preview"] == [
        {
            "decimal": "1.50", "date": "2020-01-02", "time": "2020-01-02T10:00:00", "zoned": "2020-01-02 08:00:00+00",
            "span": "PT5400S", "nan": "nan", "bytes": "/w==", "list": [1, 2], "struct": {"k": "2020-01-02"},
            "map": {"1": "x"}, "uuid": "00000000-0000-0000-0000-000000000001", "sum": 5, "null": None,
        }
    ]  # fmt: skip


@pytest.mark.parametrize("format_", ["parquet", "csv", "jsonl"])
def test_a_dataset_can_be_asked_again(ask: Ask, blobs: MemoryBlobs, format_: str) -> None:
    """In every format, alone and joined with rows."""
    rows = [{"a": n, "b": f"t{n}", "c": n / 2} for n in range(50)]
    blob = f"datasets/p/1.{format_}"

    made = ask("FROM t", inputs={"t": {"rows": rows}}, output={"blob": blob, "format": format_})
    sql = "SELECT sum(d.a) AS s, count(*) AS n, max(b) AS b FROM d JOIN r USING (a)"
    again = ask(sql, inputs={"d": {"dataset": {"blob": blob, "format": format_}}, "r": {"rows": [{"a": 3}, {"a": 4}]}})

    assert (made["rowCount"], made["sizeBytes"]) == (50, len(blobs.get(blob)))
    assert again["preview"] == [{"s": 7, "n": 2, "b": "t4"}]


@pytest.mark.parametrize("format_", ["parquet", "csv", "jsonl"])
def test_sums_of_integers_stay_integers(ask: Ask, format_: str) -> None:
    """Through a dataset in any format; only what needs 128 bits keeps them."""
    sql = "SELECT sum(a) AS s, sum(none) AS n FROM (SELECT a, NULL::BIGINT AS none FROM t)"
    made = ask(sql, inputs={"t": {"rows": ROWS}}, output={"blob": "b", "format": format_})
    again = ask("SELECT s * 2 AS d FROM t", inputs={"t": {"dataset": {"blob": "b", "format": format_}}})

    assert [column["type"] for column in made["columns"]] == ["BIGINT", "BIGINT"]
    assert (again["preview"], type(again["preview"][0]["d"])) == ([{"d": 6}], int)
    assert ask("SELECT sum(big) AS s FROM t", inputs={"t": {"rows": ROWS}})["preview"] == [{"s": 2**70 + 1}]


def test_jsonl_is_json_lines(ask: Ask, blobs: MemoryBlobs) -> None:
    """Readable without DuckDB."""
    ask("SELECT a, x FROM t", inputs={"t": {"rows": ROWS}}, output={"blob": "b", "format": "jsonl"})

    assert [json.loads(line) for line in blobs.get("b").splitlines()] == [{"a": 1, "x": 1.5}, {"a": 2, "x": 2.0}]


def test_the_preview_is_bounded(ask: Ask) -> None:
    """Twenty rows unless asked otherwise, and no cell is a book."""
    sql = "SELECT range AS n, repeat('x', 100000) AS t FROM range(100)"

    assert len(ask(sql)["preview"]) == 20
    assert len(ask(sql, limit=3)["preview"]) == 3
    assert len(ask("FROM range(5000)", limit=10**6)["preview"]) == 1000
    assert len(ask(sql, limit=1)["preview"][0]["t"]) < 3000


def test_no_rows_make_an_empty_table(ask: Ask) -> None:
    """Which can be counted."""
    assert ask("SELECT count(*) AS n FROM t", inputs={"t": {"rows": []}})["preview"] == [{"n": 0}]
    assert ask("SELECT count(*) AS n FROM t", inputs={"t": {"rows": [{}, {}]}})["ok"] is True


def test_odd_names_of_columns_are_just_names(ask: Ask) -> None:
    """Quotes and keywords among them."""
    row = {"it's": 1, 'a"b': 2, "select": 3, "": 4, "ü": 5}

    answer = ask("FROM t", inputs={"t": {"rows": [{name: n for name, n in row.items() if name}]}})

    assert answer["preview"] == [{name: n for name, n in row.items() if name}]
