"""Files as they come: what columns and rows are found in them, and what is no file of its format."""

from typing import Any

import pytest


def found(datasets: Any, format_: str, body: bytes | str) -> tuple[dict[str, str], list[list[Any]]]:
    """Columns and rows of a file."""
    told = datasets.file("f", format_, body)
    assert told["ok"], told
    rows = datasets.rows("FROM f")
    assert told["rowCount"] == len(rows)
    return {column["name"]: column["type"] for column in told["columns"]}, rows


@pytest.mark.parametrize(
    ("body", "columns", "rows"),
    [
        ("a,b\n1,x\n2,y\n", {"a": "BIGINT", "b": "VARCHAR"}, [[1, "x"], [2, "y"]]),
        ("a;b\n1;2,5\n", {"a": "BIGINT", "b": "VARCHAR"}, [[1, "2,5"]]),
        ("a\tb\n1\t2\n", {"a": "BIGINT", "b": "BIGINT"}, [[1, 2]]),
        ("a,b\r\n1,2\r\n", {"a": "BIGINT", "b": "BIGINT"}, [[1, 2]]),
        ("\ufeffa,b\n1,2\n", {"a": "BIGINT", "b": "BIGINT"}, [[1, 2]]),
        ('a,b\n"x ""q"", z","two\nlines"\n', {"a": "VARCHAR", "b": "VARCHAR"}, [['x "q", z', "two\nlines"]]),
        ('a,b\n,""\n', {"a": "VARCHAR", "b": "VARCHAR"}, [[None, ""]]),
        ('"a;x",b\n1,2\n', {"a;x": "BIGINT", "b": "BIGINT"}, [[1, 2]]),
        ('a,b\n1,x"y\n', {"a": "BIGINT", "b": "VARCHAR"}, [[1, 'x"y']]),
        ("a\nx\ny\n", {"a": "VARCHAR"}, [["x"], ["y"]]),
        ("a,b\n", {"a": "VARCHAR", "b": "VARCHAR"}, []),
        ("a,a,A\n1,2,3\n", {"a": "BIGINT", "a_1": "BIGINT", "A_2": "BIGINT"}, [[1, 2, 3]]),
        ('a b,"c""d",\n1,2,3\n', {"a b": "BIGINT", 'c"d': "BIGINT", "column2": "BIGINT"}, [[1, 2, 3]]),
        ("zip,n\n01234,12345678901234567890\n", {"zip": "VARCHAR", "n": "HUGEINT"}, [["01234", 12345678901234567890]]),
        ("day\n2020-02-29\n", {"day": "DATE"}, [["2020-02-29"]]),
        ("t\n2020-01-01 10:00:00+02\n", {"t": "TIMESTAMP WITH TIME ZONE"}, [["2020-01-01 08:00:00+00"]]),
        ("p\n12.50\n3\n", {"p": "DOUBLE"}, [[12.5], [3.0]]),
        ("x\n#no comment\ny\n", {"x": "VARCHAR"}, [["#no comment"], ["y"]]),
        ("n\nNaN\n1.5\n", {"n": "DOUBLE"}, [["nan"], [1.5]]),
    ],
)
def test_csv(datasets: Any, body: str, columns: dict[str, str], rows: list[list[Any]]) -> None:
    """The first line names the columns; the delimiter is the one that it has most of; nothing but quotes is special."""
    assert found(datasets, "csv", body) == (columns, rows)


def test_csv_types_hold_for_all_rows(datasets: Any) -> None:
    """However late the one comes that is not like the others."""
    told = datasets.file("f", "csv", "a,b\n" + "1,2\n" * 40_000 + "x,3\n")

    assert [column["type"] for column in told["columns"]] == ["VARCHAR", "BIGINT"]
    assert datasets.rows("SELECT count(*), max(a), sum(b) FROM f") == [[40_001, "x", 80_003]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n3\n4,5,6\n", "Line: 3"),
        ("a,b\n'x,y',2\n", "Expected Number of Columns: 2 Found: 3"),
        ('a,b\n1,"open\n', "unterminated quote"),
        (bytes(range(256)) * 10, "can't be read"),
    ],
)
def test_what_is_no_csv(datasets: Any, body: bytes | str, said: str) -> None:
    """Is refused with the line at fault, without advice on settings that nobody has here."""
    told = datasets.file("f", "csv", body)

    assert told["error"]["type"] == "BadInput"
    assert said in told["error"]["message"]
    assert "=" not in told["error"]["message"]


@pytest.mark.parametrize(
    ("body", "columns", "rows"),
    [
        ('{"a":1}\n\n{"a":2,"b":"x"}', {"a": "BIGINT", "b": "VARCHAR"}, [[1, None], [2, "x"]]),
        ('{"a":"2020-01-01","u":"00000000-0000-0000-0000-000000000001"}', {"a": "VARCHAR", "u": "VARCHAR"},
         [["2020-01-01", "00000000-0000-0000-0000-000000000001"]]),
        ('{"a":1}\n{"a":1.5}', {"a": "DOUBLE"}, [[1.0], [1.5]]),
        ('{"a":1}\n{"a":"x"}', {"a": "VARCHAR"}, [["1"], ["x"]]),
        ('{"a":true}\n{"a":2}', {"a": "VARCHAR"}, [["true"], ["2"]]),
        ('{"a":[1,"x",{"y":1}]}\n{"a":null}', {"a": "JSON"}, [['[1,"x",{"y":1}]'], [None]]),
        ('{"a":{"x":1}}\n{"a":"s"}', {"a": "JSON"}, [['{"x":1}'], ['"s"']]),
        ('{"a":12345678901234567890123}\n{"a":-1}', {"a": "HUGEINT"}, [[12345678901234567890123], [-1]]),
        ('{"a":9223372036854775808}', {"a": "HUGEINT"}, [[9223372036854775808]]),
        ('{"a":12345678901234567890123}\n{"a":0.5}', {"a": "DOUBLE"}, [[1.2345678901234568e22], [0.5]]),
        ('{"a":null}', {"a": "VARCHAR"}, [[None]]),
        ('{"a":{}}\n{"a":[]}', {"a": "JSON"}, [["{}"], ["[]"]]),
        ('{"json":1}', {"json": "BIGINT"}, [[1]]),
        ('{"a":1,"a_1":2}', {"a": "BIGINT", "a_1": "BIGINT"}, [[1, 2]]),
        ('{"b c":1,"d\\"e":"\\u00e4"}', {"b c": "BIGINT", 'd"e': "VARCHAR"}, [[1, "ä"]]),
        ("", {}, []),
    ],
)  # fmt: skip
def test_json_lines(datasets: Any, body: str, columns: dict[str, str], rows: list[list[Any]]) -> None:
    """The columns are all the lines' keys, of the narrowest type for all their values; no text becomes a date."""
    assert found(datasets, "jsonl", body) == (columns, rows)


def test_json_lines_of_nothing(datasets: Any) -> None:
    """Are rows all the same."""
    assert datasets.file("f", "jsonl", "{}\n{}\n")["rowCount"] == 2
    assert datasets.rows("SELECT count(*) FROM f") == [[2]]


def test_keys_of_late_lines_count(datasets: Any) -> None:
    """And so do their types."""
    told = datasets.file("f", "jsonl", '{"a":1}\n' * 30_000 + '{"a":"x","late":[1]}\n')

    assert {column["name"]: column["type"] for column in told["columns"]} == {"a": "VARCHAR", "late": "JSON"}
    assert datasets.rows("SELECT count(*), max(late) FROM f") == [[30_001, "[1]"]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[1]", "every line must be a JSON object"),
        ('[{"a":1},{"a":2}]', "every line must be a JSON object"),
        ('1\n{"a":1}', "every line must be a JSON object"),
        ('{"a":1,"A":2}', "are one column in SQL"),
        ('{"a":1}\n{"A":1}', "are one column in SQL"),
        ('{"":1}', "a key has no name"),
        ('{"a":1\n', "Malformed JSON"),
        ("not json", "Malformed JSON"),
        ('{"a": "\\ud800"}', "surrogate"),
        (b'\xff\xfe{"a":1}', "Malformed JSON"),
        ('{"a":1,"a":2}', "duplicate"),
    ],
)
def test_what_are_no_json_lines(datasets: Any, body: bytes | str, said: str) -> None:
    """Are refused, each with the reason."""
    told = datasets.file("f", "jsonl", body)

    assert told["error"]["type"] == "BadInput", told
    assert said in told["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1", bytes(1000), b"a,b\n1,2\n",
                                  b"x" * 92 + (2**31).to_bytes(4, "little") + b"PAR1"])  # fmt: skip
def test_what_is_no_parquet(datasets: Any, body: bytes) -> None:
    """Is refused in a sentence."""
    told = datasets.file("f", "parquet", body)

    assert told["error"]["type"] == "BadInput"
    assert told["error"]["message"].startswith("the file can't be read: Invalid Input Error")


def test_of_parquet_only_the_ends_are_read(datasets: Any) -> None:
    """However large a file is, its columns and counts are at its end."""
    datasets.make("large", "SELECT range AS a, hash(range)::VARCHAR AS h FROM range(200000)")
    asked: list[tuple[int, int]] = []
    part = datasets.blobs.part

    def noted(name: str, start: int, length: int) -> bytes:
        body: bytes = part(name, start, length)
        asked.append((start, len(body)))
        return body

    datasets.blobs.part = noted
    told = datasets.engine.run({"mode": "describe", "format": "parquet", "parts": ["datasets/large"]})

    assert (told["rowCount"], told["sizeBytes"]) == (200_000, len(datasets.blobs.get("datasets/large")))
    assert told["sizeBytes"] > 2_000_000
    assert sum(length for _, length in asked) <= 64 * 1024


def test_a_long_end_is_read_whole(datasets: Any) -> None:
    """Of a table with many columns."""
    columns = ", ".join(f"range AS {'c' * 40}{place}" for place in range(600))
    datasets.make("wide", f"SELECT {columns} FROM range(3)")

    told = datasets.engine.run({"mode": "describe", "format": "parquet", "parts": ["datasets/wide"]})

    assert (len(told["columns"]), told["rowCount"]) == (600, 3)


@pytest.mark.parametrize("format_", ["parquet", "csv", "jsonl", "xml"])
def test_files_that_are_not_there(datasets: Any, format_: str) -> None:
    """And formats that nobody knows."""
    told = datasets.engine.run({"mode": "describe", "format": format_, "parts": ["gone"]})

    assert told["error"]["type"] == "BadInput"
