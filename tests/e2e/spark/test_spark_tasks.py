"""Spark for real: a SPARK task of the ETL API, from its program to SQL over what it leaves."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

PROGRAM = """
import argparse
from pyspark.sql import SparkSession

parser = argparse.ArgumentParser()
for name in ("input", "output", "least"):
    parser.add_argument(f"--{name}")
given = parser.parse_args()
rows = SparkSession.builder.getOrCreate().read.csv(given.input, header=True, inferSchema=True)
rows.where(rows.amount >= int(given.least)).groupBy("city").sum("amount").toDF("city", "total").write.parquet(given.output)
"""
ROWS = "city,amount\nOslo,5\nOslo,7\nRoma,9\nRoma,1\n"
SECONDS = 180.0


@pytest.fixture
def api(url: str) -> Iterator[httpx.Client]:
    """A client of the ETL API."""
    headers = {"x-api-key": "local-dev-key"}
    with httpx.Client(base_url=f"{url}/webrobot/api", headers=headers, timeout=40, trust_env=False) as client:
        yield client


def good(response: httpx.Response) -> Any:
    """The JSON of a response that succeeded."""
    assert response.status_code in (200, 201), response.text
    return response.json()


def test_a_task_leaves_a_dataset_that_sql_reads(api: httpx.Client) -> None:
    """Its program is called with input, output and the start's parameter; the dataset has its rows, the metrics are Spark's own."""
    good(api.put("/bots/totals", content=PROGRAM, headers={"content-type": "text/x-python"}))
    dataset = good(api.post("/datasets", json={"name": "sales", "format": "csv"}))
    good(api.put(f"/datasets/{dataset['id']}/content", content=ROWS, headers={"content-type": "text/csv"}))
    project = good(api.post("/projects", json={"name": "spark"}))["id"]
    job = good(api.post(f"/projects/id/{project}/jobs", json={"name": "totals", "inputDatasetId": dataset["id"]}))["id"]
    tasks = f"/projects/id/{project}/jobs/{job}/tasks"
    task = good(api.post(tasks, json={"name": "totals", "taskType": "SPARK", "botId": "totals"}))["id"]
    started = good(api.post(f"{tasks}/{task}/start", json={"params": {"least": 5}}))
    assert started["executionStatus"] == "RUNNING"

    end = time.monotonic() + SECONDS
    while good(api.get(f"{tasks}/{task}/status"))["status"] == "RUNNING":
        assert time.monotonic() < end
        time.sleep(0.1)
    shown = good(api.get(f"{tasks}/{task}"))
    assert shown["executionStatus"] == "COMPLETED", shown["executionLog"]
    info = good(api.get(f"/datasets/query/task/{task}/info"))
    assert (info["format"], info["rowCount"]) == ("parquet", 2)
    answer = good(
        api.post(f"/datasets/query/task/{task}", json={"sql": "SELECT city, total FROM dataset ORDER BY city"})
    )
    assert answer["results"] == [{"city": "Oslo", "total": 12}, {"city": "Roma", "total": 9}]
    metrics = good(api.get(f"{tasks}/{task}/metrics"))
    assert metrics["recordsOutput"] == 2
    assert metrics["recordsProcessed"] >= 4
    assert metrics["executorCount"] == 1
    assert metrics["driverMemoryUsedBytes"] > 10_000_000
    assert json.loads(shown["executionLog"])["totalCpuTimeSeconds"] > 0
