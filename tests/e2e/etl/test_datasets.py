"""Datasets in the local cloud: uploads, and questions that both engines answer alike."""

from collections.abc import Iterator
from typing import Any

import duckdb
import httpx
import pytest

MAKE = """COPY (SELECT range AS id, (range % 7)::INTEGER AS "Kind", (range / 8)::DECIMAL(18, 3) AS price, range / 3 AS ratio,
    'n' || range AS name, range % 2 = 0 AS even, DATE '2020-01-01' + range::INTEGER AS day, NULLIF(range, 5) AS hole,
    TIMESTAMP '2020-01-01' + INTERVAL (range * 250) MILLISECOND AS moment FROM range(1000)) TO '{path}' (FORMAT parquet)"""
QUESTIONS = [
    "SELECT * FROM {t} ORDER BY id",
    "SELECT Kind, count(*) AS n, sum(price) AS Total, avg(ratio) AS mean, max(moment) AS last FROM {t} GROUP BY Kind ORDER BY Kind",
    "SELECT id / 7 AS part, price / 3 AS third FROM {t} WHERE id / 2 = 10.5 OR id < 3 ORDER BY id",
    "WITH x AS (SELECT * FROM {t} ORDER BY id LIMIT 10 OFFSET 20) SELECT sum(id) AS s FROM x",
    "SELECT a.id, b.id AS id FROM {t} a JOIN {t} b ON a.id = b.hole WHERE a.id BETWEEN 3 AND 7 ORDER BY 1",
    "SELECT id FROM {t} ORDER BY id DESC LIMIT 30 OFFSET 5 -- the end",
    "SELECT 'it''s /* no comment */' AS text, CAST('0.10' AS DECIMAL(5, 2)) AS exact, NULL AS nothing, true AS yes",
    "SELECT count(*) AS n FROM lake.gold.{t} WHERE day > DATE '2021-01-01' AND name LIKE 'n9%'",
]


@pytest.fixture(scope="module")
def api(url: str) -> Iterator[httpx.Client]:
    """A client of the ETL API."""
    headers = {"X-API-Key": "local-dev-key"}
    with httpx.Client(base_url=f"{url}/webrobot/api", headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def dataset(api: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Parquet file of a thousand rows, uploaded by a link."""
    path = tmp_path_factory.mktemp("datasets") / "f.parquet"
    duckdb.execute(MAKE.format(path=path))
    made = api.post("/datasets", json={"name": "thousand", "format": "parquet"}).json()
    link = api.post(f"/datasets/{made['id']}/upload-url").json()
    assert httpx.request(link["method"], link["url"], content=path.read_bytes(), trust_env=False).status_code == 200
    shown = api.get(f"/datasets/{made['id']}").json()
    assert (shown["rowCount"], shown["fileSize"], len(shown["schema"])) == (1000, path.stat().st_size, 9)
    return shown


def ask(api: httpx.Client, dataset: Any, engine: str, sql: str, **body: Any) -> str:
    """The text of an answer by that engine."""
    assert api.put(f"/datasets/{dataset['id']}", json={"engine": engine}).status_code == 200
    answer = api.post("/datasets/query", json={"sql": sql.format(t=dataset["table"]), **body})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_both_engines_give_the_same_answer(api: httpx.Client, dataset: Any) -> None:
    """Byte for byte: names, order, numbers, moments, pages."""
    for sql in QUESTIONS:
        body = {
            "limit": 20,
            "offset": 1 if " BY " in sql.rpartition(")")[2] else 0,
            "catalog": "lake",
            "schema": "gold",
        }
        by_duckdb, by_athena = (ask(api, dataset, engine, sql, **body) for engine in ("duckdb", "athena"))
        assert by_athena == by_duckdb, sql
        assert '"results":[{' in by_duckdb, sql


def test_athena_refuses_what_the_two_read_differently(api: httpx.Client, dataset: Any) -> None:
    """Before it is asked."""
    ask(api, dataset, "athena", "SELECT 1 AS one FROM {t}", limit=1)
    for sql in (
        "SELECT 1 /* /* */ */ FROM {t}",
        "SELECT id::INT FROM {t}",
        "FROM nowhere, {t}",
        "SELECT 1; SELECT 2 FROM {t}",
    ):
        answer = api.post("/datasets/query", json={"sql": sql.format(t=dataset["table"])})
        assert (answer.status_code, answer.json()["code"]) == (400, 400)


def test_a_file_in_the_request(api: httpx.Client) -> None:
    """Text or bytes, over the real gateway."""
    made = api.post("/datasets", json={"name": "small"}).json()
    path = f"/datasets/{made['id']}"
    for body, type_ in (
        ("n,s\n1,ä\n2,b\n", "text/csv"),
        ('{"n":1,"s":"ä"}\n{"n":2,"s":"b"}\n', "application/x-ndjson"),
    ):
        shown = api.put(f"{path}/content", content=body.encode(), headers={"content-type": type_})
        assert shown.status_code == 200, shown.text
        rows = api.post("/datasets/query", json={"sql": f"FROM {made['table']} ORDER BY n"}).json()["results"]
        assert rows == [{"n": 1, "s": "ä"}, {"n": 2, "s": "b"}]
    bad = api.put(
        f"{path}/content", content=b"\x00\x01\xff", headers={"content-type": "application/vnd.apache.parquet"}
    )
    assert (bad.status_code, bad.json()["code"]) == (400, 400)
    assert api.get(path).json()["format"] == "jsonl"
    assert api.delete(path).json() == {}
    assert api.get(path).status_code == 404
