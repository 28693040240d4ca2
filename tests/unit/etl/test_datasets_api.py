"""Datasets over HTTP: made, filled, shown, changed, removed."""

from typing import Any

import pytest
from etl_desk import Desk

CSV, LINES, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"


def create(desk: Desk, **fields: Any) -> dict[str, Any]:
    """A new dataset, as it is answered."""
    answer = desk.post("/datasets", {"name": "prices", **fields})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def upload(desk: Desk, body: str | bytes, type_: str = CSV, dataset: str = "1") -> Any:
    """The answer to an upload."""
    return desk.put(f"/datasets/{dataset}/content", raw=body, headers={"content-type": type_})


def rows(desk: Desk, sql: str = "FROM dataset_1") -> list[dict[str, Any]]:
    """The rows of an answer."""
    answer = desk.post("/datasets/query", {"sql": sql})
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["results"]
    return found


def test_a_dataset_of_rows(desk: Desk) -> None:
    """Is described at once; its file is where it says."""
    made = create(desk, description="of today", rows=[{"a": 1, "b": "x"}, {"a": None, "c": [1]}])

    assert made | {"storagePath": "", "fileSize": 0} == {
        "id": "1", "name": "prices", "description": "of today", "format": "parquet", "storagePath": "", "fileSize": 0, "rowCount": 2,
        "schema": [{"name": "a", "type": "BIGINT"}, {"name": "b", "type": "VARCHAR"}, {"name": "c", "type": "JSON"}],
        "table": "dataset_1", "engine": None, "taskId": None, "error": None, "createdAt": made["createdAt"], "updatedAt": made["createdAt"],
    }  # fmt: skip
    assert made["storagePath"].endswith("/data.parquet")
    assert made["fileSize"] > 100
    assert desk.get("/datasets/1").json == made
    assert rows(desk) == [{"a": 1, "b": "x", "c": None}, {"a": None, "b": None, "c": [1]}]


def test_numbers_stay_as_they_are_written(desk: Desk) -> None:
    """Of any size, in rows and in answers."""
    exact = '{"big":12345678901234567890123,"fine":9007199254740993.5,"plain":0.1,"whole":3}'
    answer = desk.post("/datasets", raw=f'{{"name":"n","rows":[{exact}]}}')

    assert answer.status == 201, answer.text
    assert desk.post("/datasets/query", {"sql": "FROM dataset_1"}).text == f'{{"results":[{exact}]}}'


@pytest.mark.parametrize(
    ("word", "format_", "end"),
    [("parquet", "parquet", "parquet"), ("CSV", "csv", "csv"), ("JSON", "jsonl", "jsonl"), ("ndjson", "jsonl", "jsonl"),
     (None, "parquet", "parquet")],
)  # fmt: skip
def test_the_format_of_rows(desk: Desk, word: str | None, format_: str, end: str) -> None:
    """Is what was asked for."""
    made = create(desk, format=word, rows=[{"a": 1.5, "b": ""}])

    assert (made["format"], made["storagePath"].rpartition(".")[2]) == (format_, end)
    assert rows(desk) == [{"a": 1.5, "b": ""}]


def test_no_rows_yet_and_no_rows_at_all(desk: Desk) -> None:
    """Are two things."""
    waiting, empty = create(desk, format="csv"), create(desk, rows=[])

    assert (waiting["rowCount"], waiting["schema"], waiting["storagePath"], waiting["format"]) == (
        None,
        None,
        None,
        "csv",
    )
    assert (empty["rowCount"], empty["schema"], empty["storagePath"], empty["fileSize"]) == (0, [], None, 0)
    assert rows(desk, "FROM dataset_2") == []
    assert "dataset 1 has no content yet" in desk.post("/datasets/query", {"sql": "FROM dataset_1"}).error


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "name"), ({"name": ""}, "name"), ({"name": "  "}, "name"), ({"name": "x" * 256}, "name"), ({"name": 5}, "name"),
        ({"name": "x", "format": "xml"}, "format"), ({"name": "x", "format": 5}, "format"), ({"name": "x", "rows": {}}, "rows"),
        ({"name": "x", "rows": [1]}, "rows[0]"), ({"name": "x", "engine": "spark"}, "engine"),
        ({"name": "x", "description": []}, "description"),
    ],
)  # fmt: skip
def test_wrong_bodies(desk: Desk, body: Any, place: str) -> None:
    """Name the place."""
    answer = desk.post("/datasets", body)

    assert (answer.status, answer.error.partition(":")[0]) == (400, place)
    assert desk.get("/datasets").json == []


@pytest.mark.parametrize(("given", "said"), [([{"a": 1, "A": 2}], "one column in SQL"), ([{"": 1}], "no name")])
def test_rows_that_make_no_table(desk: Desk, given: Any, said: str) -> None:
    """Are refused with the reason."""
    answer = desk.post("/datasets", {"name": "x", "rows": given})

    assert (answer.status, said in answer.error) == (400, True)
    assert desk.get("/datasets").headers["x-total-count"] == "0"


def test_lists(desk: Desk) -> None:
    """The oldest first, by page, of one's own project."""
    for name in "abc":
        create(desk, name=name)
    desk.add_key("other", "admin", project="other")

    assert [one["name"] for one in desk.get("/datasets").json] == ["a", "b", "c"]
    page = desk.get("/datasets?page=1&pageSize=2")
    assert ([one["name"] for one in page.json], page.headers["x-total-count"]) == (["c"], "3")
    assert desk.get("/datasets", key="other").json == []
    for send in (desk.get, desk.delete):
        assert send("/datasets/1", key="other").status == 404
    assert desk.put("/datasets/1", {"name": "x"}, key="other").status == 404
    assert "no dataset" in desk.post("/datasets/1/upload-url", {"format": "csv"}, key="other").error.lower()


def test_changes(desk: Desk) -> None:
    """Of what the body names; a dataset may be put back as it was read."""
    made = create(desk, description="d", rows=[{"a": 1}])
    desk.clock.advance(60)
    assert desk.put("/datasets/1", {**made, "name": "new"}).json == {
        **made,
        "name": "new",
        "updatedAt": "2026-01-01T00:01:00.000Z",
    }
    assert desk.put(
        "/datasets/1", {"description": None, "engine": "athena", "name": None, "format": "csv", "id": "9"}
    ).json | {"updatedAt": ""} == {**made, "name": "new", "description": None, "engine": "athena", "updatedAt": ""}
    assert desk.put("/datasets/1", {"engine": "x"}).status == 400


def test_a_removed_dataset(desk: Desk) -> None:
    """Is gone with its file; its id is not given again."""
    create(desk, rows=[{"a": 1}])
    assert (desk.delete("/datasets/1").json, desk.delete("/datasets/1").status) == ({}, 404)
    assert desk.blobs.names("datasets/", 9) == []
    assert create(desk)["id"] == "2"


@pytest.mark.parametrize(
    "path", ["/datasets/x", "/datasets/0", "/datasets/-1", "/datasets/1.5", "/datasets/9", "/datasets/query"]
)
def test_no_such_dataset(desk: Desk, path: str) -> None:
    """404, whatever else the request is."""
    assert desk.get(path).status == 404


# --- filling -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "body", "format_"),
    [(CSV, "a,b\n1,x\n", "csv"), ("text/csv; charset=utf-8", b"a,b\n1,x\n", "csv"), (LINES, '{"a":1,"b":"x"}\n', "jsonl"),
     ("application/jsonl", b'{"a":1,"b":"x"}', "jsonl")],
)  # fmt: skip
def test_an_upload(desk: Desk, type_: str, body: str | bytes, format_: str) -> None:
    """Is described at once, in the format that Content-Type says; text or bytes."""
    create(desk)
    shown = upload(desk, body, type_)

    assert shown.status == 200, shown.text
    assert (shown.json["format"], shown.json["rowCount"], shown.json["fileSize"]) == (format_, 1, len(body))
    assert rows(desk) == [{"a": 1, "b": "x"}]


def test_a_parquet_file_comes_back(desk: Desk) -> None:
    """As it was taken."""
    source = create(desk, rows=[{"a": n} for n in range(50)])
    body = desk.blobs.get(
        source["storagePath"].partition("datasets/")[1] + source["storagePath"].partition("datasets/")[2]
    )
    create(desk)
    shown = upload(desk, body, PARQUET, "2").json

    assert (shown["rowCount"], shown["schema"]) == (50, source["schema"])
    assert rows(desk, "SELECT sum(a) AS s FROM dataset_2") == [{"s": 1225}]


def test_without_a_type_the_datasets_own_format_counts(desk: Desk) -> None:
    """If it was said."""
    create(desk, format="csv")
    create(desk)
    assert upload(desk, b"a\n1\n", "application/octet-stream").json["rowCount"] == 1
    answer = upload(desk, b"a\n1\n", "application/octet-stream", "2")

    assert answer.status == 400
    assert "Content-Type" in answer.error


@pytest.mark.parametrize(
    ("body", "type_", "said"),
    [
        ("a,b\n1\n", CSV, "Line: 2"), ("", CSV, "empty"), ("[1]", LINES, "JSON object"), (b"PAR1", PARQUET, "Parquet"),
        ("a\n1\n", "text/html", "Content-Type"), ("a\n1\n", "application/json", "Content-Type"),
    ],
)  # fmt: skip
def test_bad_content(desk: Desk, body: str | bytes, type_: str, said: str) -> None:
    """Is refused with the engine's message, and changes nothing."""
    was = create(desk, rows=[{"a": 1}])
    answer = upload(desk, body, type_)

    assert (answer.status, said in answer.error) == (400, True), answer.text
    assert desk.get("/datasets/1").json == was


def test_what_no_request_carries(desk: Desk) -> None:
    """Six MiB are taken, more is not."""
    create(desk)
    line = b"x" * 1023 + b"\n"
    assert upload(desk, b"a\n" + line * 6143).status == 200
    assert upload(desk, b"a\n" + line * 6144).status == 413
    assert upload(desk, b"a\n1\n", dataset="9").status == 404


def test_a_link(desk: Desk) -> None:
    """Takes a file for an hour; who reads next sees it."""
    create(desk, format="parquet")
    link = desk.post("/datasets/1/upload-url", {"format": "CSV"}).json
    place = link["url"].removeprefix("memory:").partition("?")[0]
    desk.blobs.put(place, b"a\n1\n2\n")

    assert link | {"url": ""} == {"url": "", "method": "PUT", "format": "csv", "expiresAt": "2026-01-01T01:00:00.000Z"}
    assert rows(desk, "SELECT sum(a) AS s FROM dataset_1") == [{"s": 3}]
    assert desk.get("/datasets/1").json["rowCount"] == 2


def test_a_link_to_a_bad_file(desk: Desk) -> None:
    """The dataset says what is wrong with it."""
    create(desk, format="parquet")
    url = desk.post("/datasets/1/upload-url").json["url"]
    desk.blobs.put(url.removeprefix("memory:").partition("?")[0], b"no parquet at all, though long enough")

    assert "Parquet" in desk.get("/datasets/1").json["error"] or "magic" in desk.get("/datasets/1").json["error"]
    assert "can't be read" in desk.post("/datasets/query", {"sql": "FROM dataset_1"}).error
    assert upload(desk, "a\n1\n").json["error"] is None


def test_a_link_needs_a_format(desk: Desk) -> None:
    """The dataset's, or one of its own."""
    create(desk)
    assert desk.post("/datasets/1/upload-url").status == 400
    assert desk.post("/datasets/1/upload-url", {"format": "xml"}).status == 400
    assert desk.post("/datasets/9/upload-url", {"format": "csv"}).status == 404


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/datasets", "jobs:read"), ("POST", "/datasets", "jobs:write"), ("GET", "/datasets/1", "jobs:read"),
        ("PUT", "/datasets/1", "jobs:write"), ("DELETE", "/datasets/1", "jobs:write"), ("PUT", "/datasets/1/content", "jobs:write"),
        ("POST", "/datasets/1/upload-url", "jobs:write"), ("POST", "/datasets/query", "jobs:read"),
        ("GET", "/datasets/query/tables", "jobs:read"),
        ("GET", "/datasets/query/columns", "jobs:read"), ("GET", "/datasets/query/task/1/info", "jobs:read"),
        ("POST", "/datasets/query/task/1", "jobs:read"),
    ],
)  # fmt: skip
def test_scopes(desk: Desk, method: str, path: str, scope: str) -> None:
    """401 without the one that a route needs."""
    desk.add_key("lacks", *({"jobs:read", "jobs:write", "jobs:trigger", "runs:read"} - {scope}))
    desk.add_key("has", scope)

    assert desk.send(method, path, {}, key="lacks").status == 401
    assert desk.send(method, path, {}, key="has").status != 401


def test_an_engine_that_is_away(desk: Desk) -> None:
    """503 in the API's shape; nothing is half made."""
    create(desk)
    desk.functions.calls.clear()
    call = desk.functions.call

    def away(*_: Any) -> dict[str, Any]:
        from quintet.services.ports.functions import FunctionFault  # noqa: PLC0415

        raise FunctionFault("Unavailable", "TooManyRequestsException: secret words")

    desk.functions.call = away  # type: ignore[method-assign]
    answers = [
        desk.post("/datasets/query", {"sql": "SELECT 1"}),
        upload(desk, "a\n1\n"),
        desk.post("/datasets", {"name": "x", "rows": [{}]}),
    ]
    desk.functions.call = call  # type: ignore[method-assign]

    assert [answer.status for answer in answers] == [503, 503, 503]
    assert not any("secret" in answer.error for answer in answers)
    assert desk.get("/datasets").headers["x-total-count"] == "1"
    assert [name for name, _ in desk.blobs.names("datasets/", 9)] == []
