"""Tasks that really run: from PUT /bots to the rows of their output, with the real SQL engine and main called here."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

JOB = "/projects/id/1/jobs/1"
TASK = f"{JOB}/tasks/1"
PYTHON, SQL, JSON = "text/x-python", "application/sql", "application/json"
BIG = 12345678901234567890123


class Shop:
    """A desk with a project 1, a job 1 in it that reads dataset 1, and a task 1 of a type."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        desk.functions.runner = self.run
        self.good("POST", "/projects", {"name": "shop"})
        rows = [{"n": 1, "s": "a"}, {"n": BIG, "s": None}]
        self.input = self.good("POST", "/datasets", {"name": "in", "format": "parquet", "rows": rows})["id"]
        self.good("POST", "/projects/id/1/jobs", {"name": "nightly", "inputDatasetId": self.input})

    def good(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.desk.send(method, path, body, **more)
        assert answer.status < 300, answer.text
        return answer.json

    def task(self, type_: str, program: bytes, content_type: str, **fields: Any) -> Any:
        """Makes the program and the task that runs it."""
        self.good("PUT", "/bots/prog", raw=program, headers={"content-type": content_type})
        return self.good("POST", f"{JOB}/tasks", {"name": "t", "taskType": type_, "botId": "prog", **fields})

    def run(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """What the runner does with a payload, here."""
        rows = payload["rows"]
        given = [] if rows is None else self.desk.blobs.get(_blob(rows["link"])).splitlines()
        names: dict[str, Any] = {}
        exec(payload["code"], names)
        read = [json.loads(line) for line in given]
        made = list(names["main"](SimpleNamespace(rows=read, params=payload["params"], api_key=payload["apiKey"])))
        self.desk.blobs.put(_blob(payload["output"]), b"".join(json.dumps(row).encode() + b"\n" for row in made))
        return {
            "ok": True,
            "result": {"rows": len(made), "bytes": 1},
            "counts": {"taken": len(read), "warnings": 0, "errors": 0},
            "usage": {"cpuSeconds": 2.0, "maxRssMb": 10.0, "wallSeconds": 1.0},
            "stdout": "",
            "stderr": "",
        }

    def start(self, body: Any = None) -> Any:
        """Starts the task and does all that follows; the task then."""
        self.good("POST", f"{TASK}/start", body)
        self.desk.drive()
        return self.good("GET", TASK)

    def rows(self, sql: str = "", limit: int = 100) -> Any:
        """The rows of the task's output."""
        return self.good("POST", "/datasets/query/task/1", {"sql": sql, "limit": limit})["results"]


def _blob(link: str) -> str:
    return link.removeprefix("memory:").partition("?")[0]


@pytest.fixture
def shop(desk: Any) -> Shop:
    """The shop."""
    return Shop(desk)


def test_python_over_rows(shop: Shop) -> None:
    """Rows come and go exactly, numbers of any length included; what was measured is read out of the log."""
    code = b"def main(input):\n    for row in input.rows:\n        yield {**row, 'm': row['n'] * input.params['by']}\n"
    shop.task("PYTHON", code, PYTHON)

    task = shop.start({"params": {"by": 2}})

    assert task["executionStatus"] == "COMPLETED", task["executionLog"]
    assert shop.rows() == [{"n": 1, "s": "a", "m": 2}, {"n": BIG, "s": None, "m": 2 * BIG}]
    figures = shop.good("GET", f"{TASK}/metrics")
    assert (figures["recordsProcessed"], figures["recordsOutput"], figures["totalCpuTimeSeconds"]) == (2, 2, 2)
    assert figures["outputFileSizeBytes"] > 0
    assert figures["executorCount"] is None


def test_sql_over_the_jobs_input(shop: Shop) -> None:
    """One SELECT over `input`; its answer is the output, under its table's name too."""
    task = shop.task("SQL", b"SELECT s, n + 1 AS m FROM input ORDER BY n", SQL)

    assert shop.start()["executionStatus"] == "COMPLETED"
    assert shop.rows() == [{"s": "a", "m": 2}, {"s": None, "m": BIG + 1}]
    assert shop.rows(f"SELECT count(*) AS c FROM dataset_{task['outputDatasetId']}") == [{"c": 2}]


def test_http_posts_rows_and_takes_rows(shop: Shop) -> None:
    """What is answered is the output, its numbers as they were written."""
    shop.desk.web.page("https://hook.example/", b'[{"a": 0.10, "b": %d}]' % BIG, "application/json")
    shop.task("HTTP", b'{"url": "https://hook.example/"}', JSON, apiKey="k3y-of-the-task")

    assert shop.start()["executionStatus"] == "COMPLETED"

    [call] = shop.desk.web.calls
    assert json.loads(call.body) == [{"n": 1, "s": "a"}, {"n": BIG, "s": None}]
    assert call.headers["X-API-Key"] == "k3y-of-the-task"
    assert shop.rows() == [{"a": 0.1, "b": BIG}]


def test_a_program_that_gives_nothing_empties_the_output(shop: Shop) -> None:
    """The rows of the run before are gone; a query finds a table without rows."""
    shop.task("PYTHON", b"def main(input): return [{'a': 1}] * input.params['times']", PYTHON)
    shop.start({"params": {"times": 2}})
    assert shop.rows() == [{"a": 1}] * 2

    shop.start({"params": {"times": 0}})

    assert shop.rows() == []
    assert shop.good("GET", "/datasets/query/task/1/info")["rowCount"] == 0


def test_a_failure_keeps_the_output(shop: Shop) -> None:
    """A run that fails leaves the rows of the run before, and says why."""
    shop.task("SQL", b"SELECT 1 AS a", SQL)
    shop.start()
    shop.good("PUT", "/bots/prog", raw=b"SELECT nothing FROM input", headers={"content-type": SQL})

    task = shop.start()

    assert task["executionStatus"] == "FAILED"
    assert "nothing" in json.loads(task["executionLog"])["error"]
    assert shop.rows() == [{"a": 1}]


def test_a_task_reads_what_another_left(shop: Shop) -> None:
    """The output of one is the input of the next, whatever its program is."""
    first = shop.task("SQL", b"SELECT n, s FROM input", SQL)
    shop.good("PUT", "/bots/second", raw=b"def main(i): return i.rows", headers={"content-type": PYTHON})
    body = {"name": "u", "taskType": "PYTHON", "botId": "second", "inputDatasetId": first["outputDatasetId"]}
    shop.good("POST", f"{JOB}/tasks", {**body, "dependsOn": ["1"]})

    shop.good("POST", f"{JOB}/execute")
    shop.desk.drive()

    assert shop.good("GET", f"{JOB}/tasks/2")["executionStatus"] == "COMPLETED"
    assert shop.good("POST", "/datasets/query/task/2", {})["results"] == [{"n": 1, "s": "a"}, {"n": BIG, "s": None}]
