"""Tables of free JSON rows over HTTP."""

import json
from decimal import Decimal
from typing import Any

import pytest
from etl_desk import Answer, Desk

from quintet.services.ports.collections import Record

TABLE = "/api/strapi-tables/prices"
CREATED, LATER = "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.500Z"


def _row(desk: Desk, **fields: Any) -> str:
    """Adds a row; its path."""
    answer = desk.post(TABLE, fields)
    assert answer.status == 201, answer.text
    return f"{TABLE}/{answer.json['id']}"


def _ids(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.text
    return [int(row["id"]) for row in answer.json]


def _fill(desk: Desk, count: int, project: str = "default", table: str = "prices") -> None:
    """Adds rows behind the API's back."""
    for _ in range(count):
        desk.services.rows.create(project, table, {})


def test_a_row_lives(desk: Desk) -> None:
    """It is added, read, changed field by field, listed, and removed; who asks then finds nothing."""
    made = desk.post(TABLE, {"item": "tea", "tags": ["a", {"b": None}], "off": None})
    row = {
        "id": "1",
        "item": "tea",
        "tags": ["a", {"b": None}],
        "off": None,
        "createdAt": CREATED,
        "updatedAt": CREATED,
    }
    assert (made.status, made.json) == (201, row)
    assert desk.get(f"{TABLE}/1").json == row
    desk.clock.advance(60.5)
    row |= {"item": None, "tags": {"b": 1}, "more": 2, "updatedAt": LATER}
    changed = desk.put(f"{TABLE}/1", {"item": None, "tags": {"b": 1}, "more": 2})
    assert (changed.status, changed.json) == (200, row)
    listed = desk.get(TABLE)
    assert (listed.json, listed.headers["x-total-count"]) == ([row], "1")
    gone = desk.delete(f"{TABLE}/1")
    assert (gone.status, gone.json) == (200, {})
    for again in (desk.get(f"{TABLE}/1"), desk.put(f"{TABLE}/1", {}), desk.delete(f"{TABLE}/1")):
        assert (again.status, again.error) == (404, "Table prices has no row 1")
    assert (desk.get(TABLE).json, desk.get(TABLE).headers["x-total-count"]) == ([], "0")
    assert _row(desk) == f"{TABLE}/2"


def test_what_only_the_server_knows_is_not_taken_from_bodies(desk: Desk) -> None:
    """A row may be sent back as it was read; no other row, and no other time, comes of it."""
    _row(desk, a=1)
    for path, send in ((TABLE, desk.post), (f"{TABLE}/1", desk.put)):
        answer = send(path, {"id": "77", "createdAt": "1999", "updatedAt": None, "a": 2})
        assert (answer.json["createdAt"], answer.json["updatedAt"], answer.json["a"]) == (CREATED, CREATED, 2)
        assert answer.json["id"] in ("1", "2")
    read = desk.get(f"{TABLE}/1").json
    assert desk.put(f"{TABLE}/1", read).json == read
    assert desk.get(f"{TABLE}/77").status == 404


NUMBERS = (
    '"a":123456789012345678901234567890,"b":[0.1,1.10,-0.0,1E+400],"c":-98765432109876543210.0123456789012345678901'
)


def test_numbers_stay_as_they_were_written(desk: Desk) -> None:
    """Thirty digits and more, trailing zeros, exponents that no double has: in answers to writes, in reads and lists, after changes."""
    made = desk.post(TABLE, raw=f"{{{NUMBERS}}}")
    changed = desk.put(f"{TABLE}/1", raw='{"d": 2.50}')
    for text in (made.text, changed.text, desk.get(f"{TABLE}/1").text, desk.get(TABLE).text):
        assert NUMBERS in text
    assert '"d":2.50' in desk.get(TABLE).text
    exact = json.loads(changed.text, parse_float=Decimal)
    assert sum(exact["b"][:2]) == Decimal("1.20")


def test_pages_follow_each_other(desk: Desk) -> None:
    """Fifty rows a page if nothing is said, a thousand at most; the whole length is in the headers; beyond the end there is nothing."""
    _fill(desk, 1005)
    assert _ids(desk.get(TABLE)) == list(range(1, 51))
    assert _ids(desk.get(TABLE, query={"page": 1})) == list(range(51, 101))
    assert _ids(desk.get(TABLE, query={"page": 0, "pageSize": 1000})) == list(range(1, 1001))
    last = desk.get(TABLE, query={"page": 1, "pageSize": 1000})
    assert (_ids(last), last.headers["x-total-count"]) == (list(range(1001, 1006)), "1005")
    for page in (2, 1_000_000):
        beyond = desk.get(TABLE, query={"page": page, "pageSize": 1000})
        assert (_ids(beyond), beyond.headers["x-total-count"]) == ([], "1005")


@pytest.mark.parametrize(
    "query", ["page=-1", "page=x", "page=1.5", "pageSize=0", "pageSize=1001", "pageSize=-5", "page=" + "9" * 30]
)
def test_bad_pages_are_refused(desk: Desk, query: str) -> None:
    """And the parameter named."""
    answer = desk.get(TABLE, query=query)
    assert answer.status == 400
    assert answer.error.startswith(query.partition("=")[0])


def test_a_walk_through_the_pages_sees_all_that_stays(desk: Desk) -> None:
    """Ten thousand rows in order, each once, while others add rows behind it and remove some ahead of it."""
    _fill(desk, 10_000)
    rows, seen = desk.services.rows, list[int]()
    for page in range(11):
        found = _ids(desk.get(TABLE, query={"page": page, "pageSize": 1000}))
        seen += found
        if page < 8:
            desk.post(TABLE, {"new": page})
            rows.delete("default", "prices", 10_000 - page)
    assert seen == sorted(set(seen))
    assert set(range(1, 9993)) <= set(seen)
    assert len(seen) == rows.count("default", "prices") == 10_000


@pytest.mark.parametrize("name", ["Prices", "a b", "é", "a.b", "a" * 65, "..", "a'b", "ａ"])
def test_tables_have_plain_names(desk: Desk, name: str) -> None:
    """Anything else is refused in words, whatever is asked of it."""
    path = f"/api/strapi-tables/{name}"
    for answer in (
        desk.get(path),
        desk.post(path, {}),
        desk.get(f"{path}/1"),
        desk.put(f"{path}/1", {}),
        desk.delete(f"{path}/1"),
    ):
        assert answer.status == 400
        assert answer.error.startswith("table: ")


@pytest.mark.parametrize("name", ["a", "a" * 64, "0", "-", "_", "a-b_c9"])
def test_names_up_to_64_characters_are_tables(desk: Desk, name: str) -> None:
    """Of lower case letters, digits, dashes and underlines."""
    assert desk.post(f"/api/strapi-tables/{name}", {"a": 1}).status == 201
    assert desk.get(f"/api/strapi-tables/{name}/1").json["a"] == 1


@pytest.mark.parametrize("row_id", ["0", "01", "-1", "1.0", "x", "1e3", "9" * 15, "9" * 16, "9" * 5000, "١", " 1"])
def test_ids_that_no_row_has_are_not_found(desk: Desk, row_id: str) -> None:
    """Whether they look like ids or not."""
    _row(desk)
    path = f"{TABLE}/{row_id}"
    for answer in (desk.get(path), desk.put(path, {}), desk.delete(path)):
        assert answer.status == 404
        assert answer.error


def test_projects_have_tables_of_their_own(desk: Desk) -> None:
    """Rows of another project are neither seen, counted, changed nor removed, whatever their ids."""
    desk.add_key("theirs", "admin", project="other")
    _row(desk, mine=True)
    _row(desk, mine=True)
    assert desk.get(TABLE, key="theirs").json == []
    assert desk.get(TABLE, key="theirs").headers["x-total-count"] == "0"
    for answer in (
        desk.get(f"{TABLE}/1", key="theirs"),
        desk.put(f"{TABLE}/1", {"mine": False}, key="theirs"),
        desk.delete(f"{TABLE}/1", key="theirs"),
    ):
        assert answer.status == 404
    assert desk.post(TABLE, {"mine": False}, key="theirs").json["id"] == "1"
    assert desk.put(f"{TABLE}/1", {"theirs": 1}, key="theirs").json["mine"] is False
    assert [row["mine"] for row in desk.get(TABLE).json] == [True, True]
    assert desk.delete(f"{TABLE}/1", key="theirs").status == 200
    assert _ids(desk.get(TABLE)) == [1, 2]


def test_scopes_part_readers_from_writers(desk: Desk) -> None:
    """Reading takes jobs:read, writing jobs:write; a key that lacks it is answered as one that is none."""
    desk.add_key("reader", "jobs:read")
    desk.add_key("starter", "jobs:trigger")
    path = _row(desk)
    assert [desk.get(TABLE, key="reader").status, desk.get(path, key="reader").status] == [200, 200]
    for answer in (
        desk.post(TABLE, {}, key="reader"),
        desk.put(path, {}, key="reader"),
        desk.delete(path, key="reader"),
        desk.get(TABLE, key="starter"),
        desk.get(path, key="starter"),
        desk.get(TABLE, key=None),
        desk.post(TABLE, raw="{", key="nobody"),
    ):
        assert answer.status == 401
        assert answer.error
    assert _ids(desk.get(TABLE)) == [1]


@pytest.mark.parametrize(
    "raw",
    [
        "[]",
        "3",
        '"text"',
        "null",
        "",
        "{",
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":1e9999999}',
        '{"a":"\\ud800"}',
        '{"a":' * 65,
    ],
)
def test_bodies_are_json_objects(desk: Desk, raw: str) -> None:
    """Anything else is refused in words, and leaves nothing."""
    path = _row(desk, a=0)
    for answer in (desk.post(TABLE, raw=raw), desk.put(path, raw=raw)):
        assert answer.status == 400
        assert answer.error.startswith("body")
    assert [row["a"] for row in desk.get(TABLE).json] == [0]


def test_a_row_is_bounded(desk: Desk) -> None:
    """By what the store holds: what is above it is refused, also when it comes bit by bit; what is below goes in and out."""
    path = _row(desk, a="x" * 300_000)
    assert desk.put(path, {"b": "y" * 79_000}).status == 200
    for answer in (
        desk.put(path, {"c": "z" * 2_000}),
        desk.post(TABLE, {"a": "x" * 380_000}),
        desk.post(TABLE, {"a": "x" * 1_100_000}),
    ):
        assert answer.status == 413
        assert "bytes" in answer.error
    assert len(desk.get(path).json["b"]) == 79_000
    assert _ids(desk.get(TABLE)) == [1]


def test_a_page_that_no_answer_holds_is_refused(desk: Desk) -> None:
    """With what to do about it: ask for smaller pages."""
    for text in ["x" * 375_000] * 11 + ['"' * 180_000] * 10:
        _row(desk, a=text)
    for query in ({"pageSize": 11}, {"page": 1, "pageSize": 11}):
        answer = desk.get(TABLE, query=query)
        assert answer.status == 413
        assert "ask for" in answer.error
    assert _ids(desk.get(TABLE, query={"pageSize": 10})) == list(range(1, 11))
    assert _ids(desk.get(TABLE, query={"page": 3, "pageSize": 5})) == [16, 17, 18, 19, 20]


def test_every_path_answers_below_the_published_base(desk: Desk) -> None:
    """With /api before it, and without."""
    assert desk.post(f"/api{TABLE}", {"a": 1}).json["id"] == "1"
    assert desk.get(f"/api{TABLE}/1").json == desk.get(f"{TABLE}/1").json
    refused = desk.send("PATCH", f"/api{TABLE}/1", {})
    assert (refused.status, refused.headers["allow"]) == (405, "DELETE, GET, PUT")


def test_changes_that_race_all_count(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes another field of the row between the reading and the writing of a change: both are there."""
    path, collections = _row(desk, a=1), desk.services.collections
    change = collections.change

    def overtaken(record: Record) -> Record:
        monkeypatch.setattr(collections, "change", change)
        assert desk.put(path, {"b": 2}).status == 200
        return change(record)

    monkeypatch.setattr(collections, "change", overtaken)
    answer = desk.put(path, {"a": 3})
    assert (answer.json["a"], answer.json["b"]) == (3, 2)
