"""PUT, GET and DELETE /bots: what tasks run."""

import hashlib
from typing import Any

import pytest

PYTHON, SQL, JSON = "text/x-python", "application/sql", "application/json"
CODE = b"def main(input):\n    return [{'n': len(input.rows)}]\n"
CALL = b'{"url": "https://agents.example/run", "method": "put", "headers": {"Authorization": "Bearer s3cret-s3cret", "X-Level": 3}}'


def put(desk: Any, name: str = "clean", body: bytes = CODE, type_: str | None = PYTHON, **more: Any) -> Any:
    """Puts a program."""
    return desk.put(f"/bots/{name}", raw=body, headers={"content-type": type_ or ""}, **more)


def test_a_program_is_kept_by_name(desk: Any) -> None:
    """201 with its record, which says what was kept; its bytes are answered as they came."""
    made = put(desk)

    assert made.status == 201
    shown = made.json
    assert (shown["id"], shown["name"], shown["type"], shown["sizeBytes"]) == ("1", "clean", PYTHON, len(CODE))
    assert shown["sha256"] == hashlib.sha256(CODE).hexdigest()
    assert shown["createdAt"].endswith("Z")
    assert desk.get("/bots/clean").json == shown
    content = desk.get("/bots/clean/content")
    assert (content.status, content.body, content.headers["content-type"]) == (200, CODE, f"{PYTHON}; charset=utf-8")


def test_a_program_is_replaced_under_its_id(desk: Any) -> None:
    """200; id and createdAt stay, the rest is the new program's, of whatever type. The same bytes again change nothing."""
    first = put(desk).json
    desk.clock.sleep(60)

    again = put(desk)
    assert (again.status, again.json) == (200, first)
    second = put(desk, body=b"SELECT 1", type_=f"{SQL}; charset=utf-8")

    assert second.status == 200
    assert (second.json["id"], second.json["createdAt"]) == (first["id"], first["createdAt"])
    assert second.json["type"] == SQL
    assert second.json["updatedAt"] > first["updatedAt"]
    assert desk.get("/bots/clean/content").text == "SELECT 1"


def test_programs_are_listed_by_page(desk: Any) -> None:
    """Oldest first, with the number of all; ids are never given twice."""
    for name in ("c", "a", "b"):
        put(desk, name)
    desk.delete("/bots/b")
    put(desk, "d")

    first = desk.get("/bots", query={"page": 0, "pageSize": 2})

    assert [(one["id"], one["name"]) for one in first.json] == [("1", "c"), ("2", "a")]
    assert first.headers["x-total-count"] == "3"
    assert [one["id"] for one in desk.get("/bots?page=1&pageSize=2").json] == ["4"]


def test_programs_are_found_by_id_too(desk: Any) -> None:
    """What a task's botId may be, a path may be; so no name is made of digits alone."""
    put(desk)

    assert desk.get("/bots/1").json["name"] == "clean"
    assert desk.get("/bots/1/content").body == CODE
    assert [desk.get(f"/bots/{name}").status for name in ("2", "01", "9" * 40, "%D9%A1", "Clean", "x" * 300)] == [
        404
    ] * 6
    assert put(desk, "7").status == 400
    assert desk.delete("/bots/1").json == {}
    assert desk.get("/bots/clean").status == 404


def test_a_removed_program_is_gone(desk: Any) -> None:
    """Its name is free again, under a new id."""
    put(desk)

    removed = desk.delete("/bots/clean")

    assert (removed.status, removed.json) == (200, {})
    assert desk.get("/bots/clean").status == desk.get("/bots/clean/content").status == 404
    assert desk.delete("/bots/clean").status == 404
    assert put(desk).json["id"] == "2"


def test_projects_have_programs_of_their_own(desk: Any) -> None:
    """A key sees its project's, and counts ids by itself."""
    put(desk)
    desk.add_key("theirs", "jobs:read", "jobs:write", project="theirs")

    assert desk.get("/bots/clean", key="theirs").status == 404
    assert desk.get("/bots", key="theirs").json == []
    assert put(desk, key="theirs").json["id"] == "1"
    desk.delete("/bots/clean", key="theirs")
    assert desk.get("/bots/clean").status == 200


@pytest.mark.parametrize(
    ("type_", "body", "said"),
    [
        (PYTHON, b"def main(:\n", "invalid syntax (line 1)"),
        (PYTHON, b"x = 1\0", "null bytes"),
        (PYTHON, b"# caf\xe9", "UTF-8"),
        (PYTHON, b"  \n", "empty"),
        (SQL, b"", "empty"),
        (SQL, b"SELECT 1\0", "NUL"),
        (JSON, b"[]", "must be an object"),
        (JSON, b"{", "is not JSON"),
        (JSON, b'{"url": "http://a.example", "url": "http://b.example"}', "twice"),
        (JSON, b'{"url": "http://a.example", "x": NaN}', "NaN"),
        (JSON, b"[" * 100_000, "is not JSON"),
        (JSON, b"{}", "url: required"),
        (JSON, b'{"url": "ftp://a.example"}', "url: must begin with http:// or https://"),
        (JSON, b'{"url": "http://me:pw@a.example"}', "url: must not hold a user name"),
        (JSON, b'{"url": "http://"}', "url: has no host"),
        (JSON, b'{"url": "http://internal.example"}', "url: Leads to a closed network"),
        (JSON, b'{"url": "http://a.example", "methode": "GET"}', "methode: unknown field"),
        (JSON, b'{"url": "http://a.example", "method": "TRACE"}', "method: must be one of GET"),
        (JSON, b'{"url": "http://a.example", "headers": ["a"]}', "headers: must be an object"),
        (JSON, b'{"url": "http://a.example", "headers": {"a b": "c"}}', "headers.a b: is no header's name"),
        (JSON, b'{"url": "http://a.example", "headers": {"a": ["c"]}}', "headers.a: must be a string"),
        (JSON, b'{"url": "http://a.example", "headers": {"a": "b\\r\\nc"}}', "headers.a: must not hold control"),
        (JSON, b'{"url": "http://a.example", "headers": {"X-Run-Token": "c"}}', "is set by every call"),
        (JSON, b'{"url": "http://a.example", "headers": {"x-quintet-task": "c"}}', "is set by every call"),
        (JSON, b'{"url": "http://a.example", "headers": {"a": "***"}}', "headers.a: is shown as ***"),
        (JSON, b'{"url": "http://a.example", "headers": {"a": "' + b"x" * 4000 + b'"}}', "at most 4000"),
        ("text/plain", CODE, "Content-Type: must be one of text/x-python, application/sql, application/json"),
        ("", CODE, "Content-Type: must be one of"),
    ],
)  # fmt: skip
def test_a_program_that_could_never_run_is_refused(desk: Any, type_: str, body: bytes, said: str) -> None:
    """400 names the place; nothing is kept."""
    refused = put(desk, "bad", body, type_)

    assert refused.status == 400
    assert said in refused.error
    assert desk.get("/bots").json == []


@pytest.mark.parametrize("name", ["-a", ".a", "_a", "a b", "x" * 129, "a,b", "ä"])
def test_names_are_plain(desk: Any, name: str) -> None:
    """They stand in paths and in tasks."""
    assert "name: must begin with a letter or digit" in put(desk, name).error


def test_a_program_has_a_mebibyte(desk: Any) -> None:
    """At the bound it is kept, above it is 413."""
    least = b"SELECT '" + b"x" * (1024 * 1024 - 9) + b"'"

    assert put(desk, body=least, type_=SQL).status == 201
    assert put(desk, "more", least + b" ", SQL).status == 413


def test_header_values_are_write_only(desk: Any) -> None:
    """No answer shows them, and no blob or record holds them; whoever calls the endpoint gets them."""
    put(desk, "agent", CALL, JSON)

    shown = desk.get("/bots/agent/content")

    assert shown.json == {
        "url": "https://agents.example/run",
        "method": "PUT",
        "headers": {"Authorization": "***", "X-Level": "***"},
    }
    kept = desk.services.programs.find("default", "agent")
    assert b"s3cret" not in desk.blobs.get(kept.blob)
    assert desk.services.programs.endpoint(kept).headers == {"Authorization": "Bearer s3cret-s3cret", "X-Level": "3"}
    assert desk.get("/bots/agent").json["sha256"] == hashlib.sha256(CALL).hexdigest()


def test_the_same_bytes_of_two_types_are_two_programs(desk: Any) -> None:
    """What JSON seals, Python keeps as it came: neither writes over the other's bytes."""
    put(desk, "call", CALL, JSON)
    put(desk, "code", CALL, PYTHON)

    assert desk.services.programs.endpoint(desk.services.programs.get("default", "call")).method == "PUT"
    assert desk.get("/bots/code/content").body == CALL
