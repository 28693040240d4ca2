"""Spark jobs of the emulator: their files, their ends, and that no process outlives its job. Spark is played by plain Python."""

import gzip
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.repairs.conftest import Cloud
from tests.e2e.repairs.spark import BUCKET, Spark, spark_home

FAMILY = """
import os, subprocess, sys, time

# A child in a group of its own that asks to live, as the workers of Python functions are; then it tells of both.
child = subprocess.Popen([sys.executable, "-c",
    "import os, signal, time; os.setpgid(0, 0); signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"],
    stdout=subprocess.PIPE)
child.stdout.readline()
with open(sys.argv[1] + ".part", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""
"""A program that goes on with a child, and tells who they are in the file that it is given."""


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """Jobs on an emulator of these tests' own, one at a time."""
    folder = tmp_path_factory.mktemp("spark")
    running = Cloud(folder, **spark_home(folder), QUINTET_SPARK_JOBS="1").start()
    try:
        yield Spark(running)
    finally:
        running.stop()


def cause(ended: dict[str, Any]) -> dict[str, Any]:
    """The job that a failed execution names as its cause."""
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed"), ended
    found: dict[str, Any] = json.loads(ended["cause"])
    return found


def family(note: Path) -> list[int]:
    """The processes of a job, as soon as it has told."""
    until(note.exists)
    return [int(pid) for pid in note.read_text().split()]


def alive(pid: int) -> bool:
    """True while a process runs: one that waits for its parent to hear of its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    """Waits for what the emulator does by itself."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_job_finds_its_input_and_leaves_its_output(spark: Spark) -> None:
    """A file, a folder, an address inside an argument; what it writes is put where its address says, Spark's own marks left out."""
    spark.put("datasets/p/1/rows.csv", "k\n1\n")
    spark.put("datasets/p/2/a.csv", "k\n2\n")
    spark.put("datasets/p/2/deep/b.csv", "k\n3\n")
    program = """
import pathlib, sys
one, many, extra, out = sys.argv[1:]
many, out = pathlib.Path(many), pathlib.Path(out)
found = [pathlib.Path(one).read_text(), (many / "a.csv").read_text(), (many / "deep/b.csv").read_text()]
assert not out.exists()
out.mkdir()
for name in ("part-0.csv", "_SUCCESS", ".part-0.csv.crc", "_temporary/x.csv"):
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("".join(found))
print("read", one, "and", extra)
"""
    base = f"s3://{BUCKET}/datasets/p"
    ended = spark.run(program, f"{base}/1/rows.csv", f"{base}/2/", f"--at={base}/1/rows.csv", f"{base}/3/out")

    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    job = json.loads(ended["output"])
    assert (job["State"], job["ApplicationId"]) == ("SUCCESS", "app")
    assert spark.keys("datasets/p/3/") == ["datasets/p/3/out/part-0.csv"]
    assert spark.get("datasets/p/3/out/part-0.csv") == b"k\n1\nk\n2\nk\n3\n"
    logs = f"spark-logs/r-1/applications/app/jobs/{job['JobRunId']}"
    assert spark.keys(logs) == [
        f"{logs}/SPARK_DRIVER/stderr.gz", f"{logs}/SPARK_DRIVER/stdout.gz", f"{logs}/sparklogs/local-1"
    ]  # fmt: skip
    said = gzip.decompress(spark.get(f"{logs}/SPARK_DRIVER/stdout.gz")).decode()
    assert said == f"read {base}/1/rows.csv and --at={base}/1/rows.csv\n"


def test_a_job_that_fails_fails_its_task(spark: Spark) -> None:
    """With what it said last, its paths as the addresses they stand for; its output is not kept, its logs are."""
    program = "import sys\nopen(sys.argv[1], 'w').write('half')\nraise SystemExit(f'no column in {sys.argv[1]}')"
    job = cause(spark.run(program, f"s3://{BUCKET}/datasets/p/4/out.csv"))

    assert job["State"] == "FAILED"
    assert "ExitCode: 1" in job["StateDetails"]
    assert f"no column in s3://{BUCKET}/datasets/p/4/out.csv" in job["StateDetails"]
    assert spark.keys("datasets/p/4/") == []
    assert len(spark.keys(f"spark-logs/r-1/applications/app/jobs/{job['JobRunId']}/")) == 3


@pytest.mark.parametrize("address", ["payloads/x.json", "datasets/../payloads/x.json", "", "programs/../../../../x"])
def test_a_job_reaches_what_its_role_does_and_no_more(spark: Spark, address: str) -> None:
    """Payloads and keys are none of a Spark program's business, nor is what lies beside the folder of its files."""
    job = cause(spark.run("print('read')", f"s3://{BUCKET}/{address}"))

    assert "Access Denied" in job["StateDetails"]


def test_a_job_writes_datasets_only(spark: Spark) -> None:
    """Programs can be read, not changed."""
    spark.put("programs/p/other.py", "print(1)")
    job = cause(spark.run("import sys\nopen(sys.argv[1], 'w').write('print(2)')", f"s3://{BUCKET}/programs/p/other.py"))

    assert "may write below datasets/" in job["StateDetails"]
    assert spark.get("programs/p/other.py") == b"print(1)"


def test_a_job_ends_at_its_time(spark: Spark, tmp_path: Path) -> None:
    """With its processes, as canceled."""
    job = cause(spark.run(FAMILY, str(tmp_path / "pids"), ExecutionTimeoutMinutes=0.02))

    assert job["State"] == "CANCELLED"
    assert not any(alive(pid) for pid in family(tmp_path / "pids"))


def test_a_stopped_job_is_gone_with_all_its_processes(spark: Spark, tmp_path: Path) -> None:
    """Those that won't hear of it, and those in groups of their own."""
    execution = spark.start(FAMILY, str(tmp_path / "pids"))
    pids = family(tmp_path / "pids")
    spark.stop(execution)

    until(lambda: not any(alive(pid) for pid in pids))
    assert spark.run("print('the next')")["status"] == "SUCCEEDED"


def test_jobs_stand_in_line(spark: Spark, tmp_path: Path) -> None:
    """One at a time in the order of their coming, and one that is stopped in the line gives its place up."""
    append = "import sys\nopen(sys.argv[1], 'a').write(sys.argv[2])"
    first = spark.start(FAMILY, str(tmp_path / "pids"))
    family(tmp_path / "pids")
    order = str(tmp_path / "order")
    second, third, fourth = (spark.start(append, order, name) for name in "bcd")
    spark.stop(third)
    spark.stop(first)

    assert [spark.cloud.ended(one)["status"] for one in (second, fourth)] == ["SUCCEEDED"] * 2
    assert sorted((tmp_path / "order").read_text()) == ["b", "d"]


@pytest.mark.parametrize("missing", ["SPARK_HOME", "JAVA_HOME"])
def test_what_is_missing_is_named(new_cloud: Any, tmp_path: Path, missing: str) -> None:
    """By an error of its own, before anything runs."""
    empty = tmp_path / "empty"
    empty.mkdir()
    spark = Spark(new_cloud(**spark_home(tmp_path) | {missing: str(empty)}).start())
    ended = spark.run("print(1)")

    assert (ended["status"], ended["error"]) == ("FAILED", "SparkUnavailable")
    assert str(empty) in ended["cause"]


def test_a_killed_launcher_leaves_no_job(new_cloud: Any, tmp_path: Path) -> None:
    """kill -9: the guard hears of it by its lifeline; of a guard that was killed too, the next start clears up."""
    cloud = new_cloud(**spark_home(tmp_path), QUINTET_SPARK_JOBS="2")
    spark = Spark(cloud.start())
    spark.start(FAMILY, str(tmp_path / "guarded"))
    spark.start(FAMILY, str(tmp_path / "unguarded"))
    guarded, unguarded = family(tmp_path / "guarded"), family(tmp_path / "unguarded")
    os.kill(os.getsid(unguarded[0]), signal.SIGKILL)
    cloud.kill()

    until(lambda: not any(alive(pid) for pid in guarded))
    assert all(alive(pid) for pid in unguarded)
    cloud.start()
    assert not any(alive(pid) for pid in unguarded)
