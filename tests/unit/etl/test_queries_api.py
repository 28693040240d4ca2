"""SQL over HTTP: of a project's datasets, and of one task's."""

from typing import Any

import pytest
from etl_desk import Desk
from tasks_desk import TASK, TasksDesk, works_on

from quintet.domain.execution import Metrics, finished

QUERY = "/datasets/query"
OUTPUT = f"{QUERY}/task/1"


@pytest.fixture
def prices(desk: Desk) -> Desk:
    """Dataset 1 of 150 rows (n, name), dataset 2 of two rows (n, city)."""
    rows = [{"n": n, "name": f"x{n}"} for n in range(150)]
    for body in (
        {"name": "prices", "rows": rows},
        {"name": "cities", "rows": [{"n": 1, "city": "Rome"}, {"n": 149, "city": "Oslo"}]},
    ):
        assert desk.post("/datasets", body).status == 201
    return desk


def ask(desk: Desk, sql: str | None = None, path: str = QUERY, **body: Any) -> Any:
    """The rows of an answer."""
    answer = desk.post(path, {"sql": sql, **body})
    assert answer.status == 200, answer.text
    assert set(answer.json) == {"results"}
    return answer.json["results"]


def test_a_join_of_datasets(prices: Desk) -> None:
    """By their tables' names."""
    sql = "SELECT city, name FROM dataset_1 JOIN dataset_2 USING (n) ORDER BY city"
    assert ask(prices, sql) == [{"city": "Oslo", "name": "x149"}, {"city": "Rome", "name": "x1"}]


def test_limit_and_offset(prices: Desk) -> None:
    """A hundred rows unless said otherwise."""
    sql = "SELECT n FROM dataset_1 ORDER BY n DESC"
    assert len(ask(prices, sql)) == 100
    assert [row["n"] for row in ask(prices, sql, limit=2, offset=148)] == [1, 0]
    assert ask(prices, sql, limit=0) == []
    assert len(ask(prices, sql, limit=10_000, offset=None)) == 150
    assert ask(prices, sql, offset=1_000_000_000_000) == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"limit": -1}, "limit"), ({"limit": 10_001}, "limit"), ({"limit": 1.5}, "limit"), ({"limit": "5"}, "limit"),
        ({"limit": True}, "limit"),
        ({"offset": -1}, "offset"), ({"offset": 10**13}, "offset"), ({"sql": 5}, "sql"), ({"catalog": 5}, "catalog"),
        ({"schema": []}, "schema"),
        ({"sql": "x" * 100_001}, "sql"), ({"schema": "s" * 64}, "schema"),
    ],
)  # fmt: skip
def test_wrong_questions(prices: Desk, body: Any, place: str) -> None:
    """Name the place."""
    answer = prices.post(QUERY, {"sql": "SELECT 1", **body})

    assert (answer.status, answer.error.partition(":")[0]) == (400, place)


@pytest.mark.parametrize("body", [{}, {"sql": None}, {"sql": ""}, {"sql": " "}])
def test_a_project_has_no_table_of_its_own(prices: Desk, body: Any) -> None:
    """So a statement is needed."""
    assert prices.post(QUERY, body).status == 400


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "Parser Error"), ("SELECT 1; SELECT 2", "one SELECT"), ("DROP TABLE dataset_1", "one SELECT"),
        ("SELECT x FROM dataset_1", "x"),
        ("FROM dataset_9", "dataset_9"), ("FROM read_csv('/etc/passwd')", "disabled"), ("COPY dataset_1 TO 'x'", "one SELECT"),
        ("SELECT 'x'::INT", "Conversion Error"), ("SELECT repeat('x', 10000000)", "5242880"), ("SELECT getenv('HOME')", "getenv"),
    ],
)  # fmt: skip
def test_wrong_statements(prices: Desk, sql: str, said: str) -> None:
    """400 with the engine's own message."""
    answer = prices.post(QUERY, {"sql": sql})

    assert (answer.status, said in answer.error) == (400, True), answer.text


def test_datasets_of_others_are_no_tables(prices: Desk) -> None:
    """Though their ids are the same."""
    prices.add_key("other", "admin", project="other")

    answer = prices.post(QUERY, {"sql": "FROM dataset_1"}, key="other")

    assert (answer.status, "does not exist" in answer.error) == (400, True)


def test_catalog_and_schema(prices: Desk) -> None:
    """As a client's SQL may name them."""
    sql = "SELECT count(*) AS n FROM lake.gold.dataset_1 JOIN dataset_2 USING (n)"
    assert ask(prices, sql, catalog="lake", schema="gold") == [{"n": 2}]
    assert ask(prices, "FROM dataset_2", catalog="", schema="") != []
    assert prices.post(QUERY, {"sql": "SELECT 1", "catalog": "a b"}).status == 400


def test_exact_answers(prices: Desk) -> None:
    """Digit by digit, as JSON numbers."""
    sql = "SELECT 1.10::DECIMAL(5, 2) AS d, 12345678901234567890123::HUGEINT AS h, 1e300 AS e, 'nan'::DOUBLE AS n, {'x': 0.30} AS s"
    answer = prices.post(QUERY, {"sql": sql})

    assert answer.text == '{"results":[{"d":1.10,"h":12345678901234567890123,"e":1e+300,"n":"NaN","s":{"x":0.30}}]}'


def test_tables_and_columns(prices: Desk) -> None:
    """What SQL can name."""
    prices.post("/datasets", {"name": "without content"})
    tables, columns = prices.get(f"{QUERY}/tables"), prices.get(f"{QUERY}/columns?table=dataset_2")

    assert [(one["name"], one["datasetId"], one["datasetName"], one["rowCount"]) for one in tables.json] == [
        ("dataset_1", "1", "prices", 150), ("dataset_2", "2", "cities", 2)
    ]  # fmt: skip
    assert tables.headers["x-total-count"] == "3"
    assert columns.json == [
        {"name": "n", "type": "BIGINT", "table": "dataset_2", "position": 1},
        {"name": "city", "type": "VARCHAR", "table": "dataset_2", "position": 2}
    ]  # fmt: skip
    assert columns.headers["x-total-count"] == "2"
    assert [one["position"] for one in prices.get(f"{QUERY}/columns?table=dataset_2&page=1&pageSize=1").json] == [2]
    assert len(prices.get(f"{QUERY}/columns").json) == 4
    assert [prices.get(f"{QUERY}/columns?table={name}").status for name in ("dataset_9", "x", "dataset_0", "")] == [
        404,
        400,
        400,
        200,
    ]


# --- of a task -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def task(tasks: TasksDesk) -> TasksDesk:
    """Task 1, whose runs leave the numbers from 0 on, one more each time."""
    answer = tasks.post("/projects/id/1/jobs/1/tasks", {"name": "numbers", "taskType": "PYTHON", "botId": "etl"})
    assert answer.status == 201, answer.text
    runs: list[str] = []

    def leave(call: Any) -> Any:
        runs.append(call.run.id)
        number = call.config["output"]
        into = f"datasets/default/{number}/{call.run.id}-{call.token}/part.parquet"
        content = tasks.services.files.make(f"SELECT range AS n FROM range({len(runs)})", {}, into).content
        return finished(number, content, Metrics())

    tasks.scripted.does[1] = leave
    return tasks


def start(tasks: TasksDesk) -> None:
    """Runs task 1."""
    assert tasks.post(f"{TASK}/start").status == 200
    tasks.drive()


def test_nothing_before_the_first_run(task: TasksDesk) -> None:
    """404, for what is known and for queries, and for tasks that are none."""
    for path in (OUTPUT, f"{QUERY}/task/9", f"{QUERY}/task/x"):
        assert task.get(f"{path}/info").status == 404
        assert task.post(path, {}).status == 404


def test_what_a_task_left(task: TasksDesk) -> None:
    """Is known as soon as its run has completed, and replaced by the next."""
    start(task)
    info = task.get(f"{OUTPUT}/info").json

    assert info | {"id": "", "storagePath": "", "sizeBytes": 0, "createdAt": "", "table": ""} == {
        "id": "", "name": "numbers", "format": "parquet", "storagePath": "", "columns": [{"name": "n", "type": "BIGINT"}],
        "rowCount": 1, "sizeBytes": 0, "createdAt": "", "table": "",
    }  # fmt: skip
    assert info["table"] == f"dataset_{info['id']}"
    assert info["storagePath"].endswith("/part.parquet")
    start(task)
    assert task.get(f"{OUTPUT}/info").json["rowCount"] == 2
    assert task.get(f"/datasets/{info['id']}").json["taskId"] == "1"


def test_queries_of_a_tasks_dataset(task: TasksDesk) -> None:
    """By both its names; without a statement, or a body, its rows."""
    for _ in range(3):
        start(task)
    table = task.get(f"{OUTPUT}/info").json["table"]

    assert ask(task, f"SELECT sum(d.n) AS s, count(*) AS c FROM dataset d JOIN {table} USING (n)", OUTPUT) == [
        {"s": 3, "c": 3}
    ]
    assert ask(task, None, OUTPUT) == ask(task, "", OUTPUT) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert task.post(OUTPUT).json == {"results": [{"n": 0}, {"n": 1}, {"n": 2}]}
    assert ask(task, None, OUTPUT, limit=1, offset=1) == [{"n": 1}]
    assert ask(task, f"SELECT count(*) AS c FROM a.b.{table}", OUTPUT, catalog="a", schema="b") == [{"c": 3}]


def test_a_tasks_query_sees_no_other_dataset(task: TasksDesk) -> None:
    """Of the same project."""
    start(task)
    made = task.post("/datasets", {"name": "other", "rows": [{"s3cret": 1}]}).json

    answer = task.post(OUTPUT, {"sql": f"FROM {made['table']}"})

    assert (answer.status, "does not exist" in answer.error) == (400, True)


def test_the_output_of_a_running_task_stays(task: TasksDesk) -> None:
    """409 until it has ended."""
    start(task)
    number = task.get(f"{OUTPUT}/info").json["id"]
    task.scripted.does[1] = works_on
    start(task)
    refused = task.delete(f"/datasets/{number}")
    task.post(f"{TASK}/stop")

    assert (refused.status, "task 1 is running" in refused.error.lower()) == (409, True)
    assert task.delete(f"/datasets/{number}").status == 200
    assert task.get(f"{OUTPUT}/info").status == 404
