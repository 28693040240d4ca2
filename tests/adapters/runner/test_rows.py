"""A task's code over rows, in its own process: what main gets and gives, and what is measured of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Rows = Callable[..., dict[str, Any]]
GIVEN = b'{"id":1,"name":"caf\xc3\xa9"}\n{"id":12345678901234567890123,"name":null}\n\n{"id":0.1}\n'


def made(store: Any) -> list[dict[str, Any]]:
    """The rows that came to the store."""
    return [json.loads(line) for line in store.blobs["made"].splitlines()]


def test_main_takes_rows_and_gives_rows(rows: Rows, store: Any) -> None:
    """What it yields is the output, in order; whole numbers are exact, however long. What was read and written is counted."""
    code = "def main(input):\n    for row in input.rows:\n        yield {**row, 'twice': row['id'] * 2}"

    answer = rows(code, GIVEN, 3)

    assert answer["ok"] is True
    assert answer["result"] == {"rows": 3, "bytes": len(store.blobs["made"])}
    assert answer["counts"] == {"taken": 3, "warnings": 0, "errors": 0}
    assert made(store)[1] == {"id": 12345678901234567890123, "name": None, "twice": 24691357802469135780246}
    assert store.blobs["made"].splitlines()[0] == '{"id":1,"name":"café","twice":2}'.encode()
    assert answer["usage"]["cpuSeconds"] > 0
    assert 5 < answer["usage"]["maxRssMb"] < 100


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("return [{'n': len(input.rows)}]", [{"n": 3}]),
        ("return ({'n': n} for n in range(2))", [{"n": 0}, {"n": 1}]),
        ("return tuple({'id': r['id']} for r in input['rows'] if r['id'] == 1)", [{"id": 1}]),
        ("return [{'n': sum(1 for _ in input.rows)} for _ in range(2)]", [{"n": 3}, {"n": 3}]),
        ("return [{'n': len(list(zip(input.rows, input.rows)))}]", [{"n": 3}]),
        ("return [{'x': input.params['x'], 'y': input['params'].get('y')}]", [{"x": [1], "y": None}]),
        ("return [{'key': input.api_key, 'shown': repr(input)}]",
         [{"key": "k3y", "shown": "<input: 3 rows, params {'x': [1]}>"}]),
        ("return [dict.fromkeys(map(str, range(3)), 'é\\u2028')]", [{"0": "é\u2028", "1": "é\u2028", "2": "é\u2028"}]),
    ],
)  # fmt: skip
def test_what_main_may_return(rows: Rows, store: Any, body: str, result: Any) -> None:
    """Anything that gives dicts; the input may be gone through again, side by side even, and its length is known."""
    answer = rows(f"def main(input):\n    {body}", GIVEN, 3, params={"x": [1]}, apiKey="k3y")

    assert answer["ok"] is True, answer
    assert made(store) == result


def test_no_rows_and_none_are_two_things(rows: Rows, store: Any) -> None:
    """A main that returns None leaves no output; one that gives no rows leaves an empty one. Neither sends anything."""
    assert rows("def main(input): pass")["result"] == {"rows": None, "bytes": 0}
    assert rows("def main(input): return []")["result"] == {"rows": 0, "bytes": 0}
    assert store.requests == []


def test_without_input_there_are_no_rows(rows: Rows) -> None:
    """The rows are there to be gone through all the same."""
    answer = rows("def main(input): return [{'n': len(input.rows), 'rows': list(input.rows), 'p': input.params}]")

    assert answer["result"]["rows"] == 1
    assert answer["counts"]["taken"] == 0


def test_what_is_counted_is_what_was_taken(rows: Rows) -> None:
    """A main that stops early took the rows up to there; one that goes through them twice did not take more than there are."""
    early = "def main(input):\n    rows = iter(input.rows)\n    next(rows)\n    return [next(rows)]"
    twice = "def main(input):\n    list(input.rows)\n    list(input.rows)"

    assert rows(early, GIVEN, 3)["counts"]["taken"] == 2
    assert rows(twice, GIVEN, 3)["counts"]["taken"] == 3


@pytest.mark.parametrize(
    ("body", "type_", "message"),
    [
        ("return 5", "BadResult", "main returned a int; it must return or yield rows (dicts), or return None"),
        ("return {'a': 1}", "BadResult", "main returned a dict"),
        ("return 'rows'", "BadResult", "main returned a str"),
        ("return [{}, [], {}]", "BadRow", "row 1 is a list, not a dict"),
        ("return [{'a': {'b': [1, float('inf')]}}]", "BadRow", "row 0['a']['b'][1] is inf, which is not JSON"),
        ("return [{'a': 1}, {'b': object()}]", "BadRow", "row 1['b'] is a object, which is not JSON"),
        ("return [{(1, 2): 3}]", "BadRow", "a key of row 0 is a tuple"),
        ("return [{'a': '\\ud800'}]", "BadRow", "row 0 can't be written as JSON"),
        ("x = {}; x['x'] = x\n    return [x]", "BadRow", "nested too deep or inside itself"),
        ("yield {'a': 1}\n    raise KeyError('gone')", "KeyError", "gone"),
        ("yield {'a': 1}\n    exit(3)", "SystemExit", "3"),
        ("return [{'a': 'x' * 400_000_000}]", "OutOfMemory", "256 MB"),
        ("return ({'a': 'x' * 10_000_000} for _ in range(99))", "ResultTooLarge", "268435456 bytes as JSON (row 26)"),
        ("import os\n    os._exit(4)", "ProcessExited", "exit code 4"),
    ],
)
def test_errors_name_the_row(rows: Rows, store: Any, body: str, type_: str, message: str) -> None:
    """And nothing is sent: rows that are half of what was meant are no output."""
    answer = rows(f"def main(input):\n    {body}", memoryMb=256)

    assert answer["ok"] is False
    assert answer["error"]["type"] == type_
    assert message in answer["error"]["message"]
    assert store.requests == []


def test_the_authors_traceback_shows_the_authors_lines(rows: Rows) -> None:
    """Also of a generator, which is run by the runner's code; what was counted until then is told."""
    answer = rows("def main(input):\n    for row in input.rows:\n        yield {'n': 1 / (row['id'] - 1)}", GIVEN, 3)

    assert answer["error"]["traceback"] == (
        'Traceback (most recent call last):\n  File "<step>", line 3, in main\n'
        "    yield {'n': 1 / (row['id'] - 1)}\nZeroDivisionError: division by zero"
    )
    assert answer["counts"]["taken"] == 1


def test_input_that_is_no_rows_names_its_row(rows: Rows) -> None:
    """The first row that is no object."""
    answer = rows("def main(input): return list(input.rows)", b'{"a":1}\n[2]\n', 2)

    assert answer["error"] == {"type": "BadInput", "message": "row 1 of the input is no JSON object"}


def test_warnings_and_errors_are_counted(rows: Rows) -> None:
    """Records of logging from WARNING and from ERROR on, and warnings that are shown, before and after their modules are imported; a
    warning that logging captures counts once."""
    code = """
import logging, warnings
def main(input):
    logging.getLogger("mine").info("no")
    logging.warning("one")
    logging.getLogger("a.b").error("bad")
    logging.critical("worse")
    warnings.warn("two")
    with warnings.catch_warnings(record=True):
        warnings.warn("kept to itself")
    logging.captureWarnings(True)
    warnings.warn("three")
"""
    assert rows(code)["counts"] == {"taken": 0, "warnings": 3, "errors": 2}


def test_counting_imports_nothing(rows: Rows, store: Any) -> None:
    """Code that does not log has no logging."""
    rows("import sys\ndef main(input): return [{'there': 'logging' in sys.modules}]")

    assert made(store) == [{"there": False}]


def test_a_process_that_lies_of_itself_is_not_believed_all(rows: Rows) -> None:
    """What it reports of its counts is its own word, but it can't break the answer or claim no memory."""
    code = """
import os, json
def main(input):
    told = {"rows": -1, "taken": "all", "warnings": True, "errors": 2**70, "maxRssKb": 10**12}
    for fd in range(3, 30):
        try: os.write(fd, b"R" + json.dumps(told).encode())
        except OSError: pass
    os._exit(0)
"""
    answer = rows(code)

    assert answer["result"]["rows"] is None
    assert answer["counts"] == {"errors": 2**70}
    assert answer["usage"]["maxRssMb"] < 1000


def test_what_the_links_are_the_code_can_not_see(rows: Rows, store: Any) -> None:
    """Not in its memory, its environment, its open files or its command line; the leash neither."""
    code = """
import gc, os
def main(input):
    seen = [repr(found) for found in gc.get_objects() if isinstance(found, (dict, list, tuple)) and len(repr(found)) < 10**5]
    seen += [repr(dict(os.environ))]
    for name in ("cmdline", "environ"):
        seen.append(open(f"/proc/self/{name}").read())
    for fd in os.listdir("/proc/self/fd"):
        try: seen.append(repr(os.pread(int(fd), 10**6, 0)))
        except OSError: pass
    needle = "".join(reversed("=erutangis"))
    return [{"found": needle in "".join(seen), "seen": len(seen) > 100}]
"""
    answer = rows(code, GIVEN, 3, leash=store.link("leash"))

    assert answer["ok"] is True, answer
    assert made(store) == [{"found": False, "seen": True}]


def test_input_that_can_not_be_had_is_told_so(rows: Rows, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone, refused or larger than a runner holds: the code is not begun, and no link is in the message."""
    code = "def main(input): print('began')"
    store.refusals = [403]
    refused = rows(code, GIVEN, 3)
    monkeypatch.setattr("quintet_runner.transfers.MAX_INPUT", 10)
    large = rows(code, GIVEN, 3)

    assert refused["error"] == {
        "type": "InputUnreachable",
        "message": "the input's rows as JSON: the store answered 403",
    }
    assert large["error"]["type"] == "InputTooLarge"
    assert "at most 10 are allowed" in large["error"]["message"]
    assert {refused["stdout"], large["stdout"]} == {""}
    assert (refused["usage"], refused["counts"]) == (None, {})


def test_rows_are_sent_again_when_the_store_stumbles(rows: Rows, store: Any) -> None:
    """Whole, from the beginning; a store that refuses for good is told."""
    code = "def main(input): return [{'a': 1}]"
    store.refusals = [503]
    assert rows(code)["ok"] is True
    assert made(store) == [{"a": 1}]

    store.refusals = [403]
    refused = rows(code)

    assert refused["error"] == {
        "type": "OutputUnreachable",
        "message": "the rows could not be kept: the store answered 403",
    }
    assert refused["usage"]["cpuSeconds"] > 0


def test_a_store_that_is_not_there(rows: Rows) -> None:
    """Is told without its address."""
    answer = rows("def main(input): pass", rows={"link": "http://127.0.0.1:9/x?signature=s3cret", "count": 1})

    assert answer["error"]["type"] == "InputUnreachable"
    assert "127" not in json.dumps(answer)


def test_the_time_counts_for_fetching_too(rows: Rows) -> None:
    """What is over before the code begins is a timeout."""
    answer = rows("def main(input): pass", GIVEN, 3, timeout=0.000001)

    assert answer["error"]["type"] == "Timeout"
