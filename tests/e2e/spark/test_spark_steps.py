"""Spark for real: steps of automations whose programs PySpark runs."""

from pathlib import Path

from tests.local_cloud.client import Client, step

COUNT = """
import argparse
from pyspark.sql import SparkSession

parser = argparse.ArgumentParser()
parser.add_argument("--rows")
parser.add_argument("--output")
given = parser.parse_args()
rows = SparkSession.builder.getOrCreate().read.parquet(given.rows)
print("reading", given.rows)
counted = rows.groupBy("city").count()
counted.coalesce(2).write.json(given.output)
"""
FOREVER = """
import os, sys, time
from pyspark.sql import SparkSession

SparkSession.builder.getOrCreate()
with open(sys.argv[1] + ".part", "w") as file:
    file.write(f"{os.getpid()} {os.getppid()}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""
"""A program that tells of itself and of the Java process that started it, and goes on."""
SECONDS = 120


def alive(pid: int) -> bool:
    """True while a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_a_program_reads_one_dataset_and_leaves_another(client: Client) -> None:
    """Made by DuckDB, counted by Spark, read by DuckDB again; what the job used is measured, what it printed is logged."""
    rows = [{"city": f"city {number % 3}", "n": number} for number in range(300)]
    run_id = client.start(
        step("rows", kind="duckdb_transform", config={"inputs": {"given": rows}, "sql": "SELECT * FROM given"}),
        step("count", "rows", kind="spark", config={
            "program": COUNT, "args": ["--rows", "{% steps.rows %}"], "conf": {"spark.sql.shuffle.partitions": 2}
        }),
        step("check", "count", kind="duckdb_transform", config={
            "inputs": {"counted": "{% steps.count %}"}, "sql": "SELECT city, \"count\" AS n FROM counted ORDER BY city"
        }),
    )  # fmt: skip
    client.until(lambda: client.run(run_id)["status"] not in ("pending", "running"), SECONDS)
    steps = client.steps(run_id)

    assert steps["check"]["status"] == "completed", steps
    assert steps["check"]["result"]["preview"] == [{"city": f"city {number}", "n": 100} for number in range(3)]
    metrics = steps["count"]["result"]["metrics"]
    assert metrics["recordsProcessed"] >= 300
    assert metrics["recordsOutput"] == 3
    assert metrics["executorCount"] == 1
    assert metrics["totalCpuTimeSeconds"] > 0
    assert metrics["driverMemoryUsedBytes"] > 10_000_000
    assert metrics["errorCount"] == 0
    said = [data["message"] for _, event, data in client.events(run_id) if event == "log" and data["key"] == "count"]
    assert any(line.startswith("reading s3://") for message in said for line in message.splitlines()), said


def test_a_canceled_run_ends_its_job(client: Client, tmp_path: Path) -> None:
    """The step is running while the job is; once canceled, neither Python nor Java is left."""
    note = tmp_path / "pids"
    run_id = client.start(step("on", kind="spark", config={"program": FOREVER, "args": [str(note)]}))
    client.until(note.exists, SECONDS)
    assert client.steps(run_id)["on"]["status"] == "running"
    pids = [int(pid) for pid in note.read_text().split()]
    assert all(alive(pid) for pid in pids)
    assert client.good(client.post(f"/automation-runs/{run_id}/cancel"))["status"] == "cancelled"

    client.until(lambda: not any(alive(pid) for pid in pids))
