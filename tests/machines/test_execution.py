"""The state machines executed by the local cloud's emulator, with functions that answer by a script."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.repairs.conftest import Cloud
from tests.e2e.repairs.spark import BUCKET, spark_home

STUB = '''
import json, os

ANSWERS = json.loads(os.environ["ANSWERS"])

def handler(event, context):
    """Notes the call and answers, or raises, as the script says for this call."""
    with open(os.environ["CALLS"], "a+") as calls:
        calls.write(json.dumps(event) + "\\n")
        calls.seek(0)
        number = len(calls.read().splitlines())
    answer = ANSWERS[min(number, len(ANSWERS)) - 1]
    if isinstance(answer, str):
        raise RuntimeError(answer)
    return answer
'''
Calls = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One emulator for all tests of this module."""
    folder = tmp_path_factory.mktemp("cloud")
    running = Cloud(folder, **spark_home(folder)).start()
    yield running
    running.stop()


class Stage:
    """Puts machines of statemachines/ on the emulator, with stubs in the functions' places."""

    def __init__(self, cloud: Cloud, root: Path, folder: Path, name: str) -> None:
        self._cloud = cloud
        self._root = root
        self._folder = folder
        self._name = name
        self._named: dict[str, str] = {}

    def stub(self, function: str, *answers: object) -> Calls:
        """Make a function that answers so, the last answer for ever; returns what reads its calls."""
        notes = self._folder / f"{function}.jsonl"
        settings = {"Variables": {"ANSWERS": json.dumps(answers), "CALLS": str(notes)}}
        self._named[function] = self._cloud.function(f"{self._name}-{function}", STUB, Environment=settings)
        return lambda: [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []

    def run(self, machine: str, payload: dict[str, Any], kind: str = "STANDARD", **names: str) -> dict[str, Any]:
        """Execute a machine to its end; `names` stand for what the template puts in besides functions."""
        text = (self._root / f"statemachines/{machine}.asl.json").read_text()
        for name, value in (self._named | names).items():
            text = text.replace(f"${{{name}}}", value)
        arn = self._cloud.machine(f"{self._name}-{machine}", json.loads(text), kind)
        return self._cloud.execute(arn, payload)


@pytest.fixture
def stage(cloud: Cloud, root: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Stage:
    """A stage of this test's own."""
    return Stage(cloud, root, tmp_path, re.sub(r"\W+", "_", request.node.name).strip("_")[-40:])


def test_a_burst_goes_on_as_its_slices_say(stage: Stage) -> None:
    """Again, a wait, the end: each slice gets the run, the epoch, the slice number of the answer before, and since when the burst lives."""
    calls = stage.stub(
        "WorkFunction",
        {"next": "again", "seconds": 0, "slice": 1},
        {"next": "wait", "seconds": 0.2, "slice": 2},
        {"next": "end", "seconds": 0, "slice": 0},
    )
    ended = stage.run("burst", {"runId": "r-1", "epoch": 7}, "EXPRESS")

    assert ended["status"] == "SUCCEEDED"
    told = calls()
    [began] = {call.pop("startedAt") for call in told}
    assert datetime.fromisoformat(began).tzinfo is not None
    assert told == [{"runId": "r-1", "epoch": 7, "slice": number, "attempt": 0} for number in range(3)]


def test_a_slice_that_died_is_repeated_and_told_so(stage: Stage) -> None:
    """A fault of the function is retried in the same burst; the repeat knows that it is one."""
    calls = stage.stub("WorkFunction", "the first call dies", {"next": "end", "seconds": 0, "slice": 0})
    ended = stage.run("burst", {"runId": "r-2", "epoch": 1, "slice": 3}, "EXPRESS")

    assert ended["status"] == "SUCCEEDED"
    assert [(call["slice"], call["attempt"]) for call in calls()] == [(3, 0), (3, 1)]


def test_a_burst_gives_up_in_the_end(stage: Stage) -> None:
    """A slice that dies every time fails the execution, for the alarm to see; the sweep takes up the run."""
    calls = stage.stub("WorkFunction", "every call dies")
    ended = stage.run("burst", {"runId": "r-3", "epoch": 1}, "EXPRESS")

    assert ended["status"] == "FAILED"
    assert [call["attempt"] for call in calls()] == [0, 1, 2]


def test_a_parked_run_is_woken(stage: Stage) -> None:
    """At its moment, be it past, and again when the first call fails."""
    calls = stage.stub("WakeFunction", "the first call dies", None)
    ended = stage.run("park", {"runId": "r-4", "at": "2026-01-01T00:00:00Z"})

    assert ended["status"] == "SUCCEEDED"
    assert calls() == [{"runId": "r-4"}] * 2


@pytest.fixture(scope="module")
def program(cloud: Cloud) -> Callable[[str], dict[str, Any]]:
    """Stores a program; the work that runs it, as the engine parks it."""
    cloud.client("s3").create_bucket(Bucket=BUCKET)

    def put(text: str) -> dict[str, Any]:
        cloud.client("s3").put_object(Bucket=BUCKET, Key="programs/p/a.py", Body=text.encode())
        return {
            "kind": "spark",
            "name": "run-1 s",
            "entry": f"s3://{BUCKET}/programs/p/a.py",
            "args": ["--output", f"s3://{BUCKET}/datasets/p/1"],
            "conf": {"spark.executor.memory": "2g"},
            "logs": f"s3://{BUCKET}/spark-logs/run-1-7/",
            "minutes": 5,
        }

    return put


def test_a_parked_job_settles_its_step(stage: Stage, program: Callable[[str], dict[str, Any]]) -> None:
    """With the job that ran, and again when the first call fails: nobody else knows of its end."""
    calls = stage.stub("SettleFunction", "the first call dies", None)
    asked = {"runId": "run-1", "path": "s", "token": 7, "work": program("print('done')")}
    ended = stage.run("park", asked, SparkApplicationId="app", SparkJobRoleArn="role")

    assert ended["status"] == "SUCCEEDED", ended
    first, second = calls()
    job = first["ended"].pop("job")
    assert first == {"runId": "run-1", "path": "s", "token": 7, "ended": {"ok": True}}
    assert (job["ApplicationId"], set(job)) == ("app", {"ApplicationId", "JobRunId"})
    assert second["ended"]["job"] == job


def test_a_parked_job_that_fails_settles_its_step_too(stage: Stage, program: Callable[[str], dict[str, Any]]) -> None:
    """The job is the cause, and is not run again."""
    calls = stage.stub("SettleFunction", None)
    asked = {"runId": "run-1", "path": "s", "token": 7, "work": program("raise SystemExit('no such day')")}
    ended = stage.run("park", asked, SparkApplicationId="app", SparkJobRoleArn="role")

    assert ended["status"] == "SUCCEEDED", ended
    [call] = calls()
    cause = json.loads(call["ended"].pop("cause"))
    assert call["ended"] == {"ok": False, "error": "States.TaskFailed"}
    assert cause["State"] == "FAILED"
    assert "no such day" in cause["StateDetails"]


@pytest.mark.parametrize(
    ("work", "error", "said"),
    [
        ({"kind": "spark", "name": "n"}, "SparkDisabled", "parameter Spark is disabled"),
        ({"kind": "quantum"}, "UnknownWork", "no work of kind quantum"),
        ({}, "UnknownWork", "no work of kind"),
    ],
)
def test_work_that_cannot_be_done_settles_its_step(stage: Stage, work: dict[str, Any], error: str, said: str) -> None:
    """At once, with the reason."""
    calls = stage.stub("SettleFunction", None)
    asked = {"runId": "run-1", "path": "s", "token": 7, "work": work}
    ended = stage.run("park", asked, SparkApplicationId="none", SparkJobRoleArn="none")

    assert ended["status"] == "SUCCEEDED", ended
    [call] = calls()
    assert (call["ended"]["ok"], call["ended"]["error"]) == (False, error)
    assert said in call["ended"]["cause"]


@pytest.fixture
def manifest(cloud: Cloud) -> dict[str, Any]:
    """A manifest of nine items, as the fan-out's input names it."""
    cloud.client("s3").create_bucket(Bucket="manifests")
    items = json.dumps([{"n": n} for n in range(9)])
    cloud.client("s3").put_object(Bucket="manifests", Key="payloads/m.json", Body=items)
    return {"bucket": "manifests", "key": "payloads/m.json", "concurrency": 3}


def test_a_fanout_runs_each_item_and_settles_once(stage: Stage, manifest: dict[str, Any]) -> None:
    """Every item of the manifest is advanced with its index until its end; then the run hears of it, once."""
    items = stage.stub("ItemFunction", {"next": "end", "seconds": 0, "slice": 0})
    settled = stage.stub("WakeFunction", None)
    ended = stage.run("fanout", {"runId": "r-5", "path": "each", "token": 1, **manifest})

    assert ended["status"] == "SUCCEEDED", ended
    assert sorted((call["index"], call["item"]["n"]) for call in items()) == [(n, n) for n in range(9)]
    assert settled() == [{"runId": "r-5", "fanout": "each"}]


def test_a_fanout_settles_when_its_items_die(stage: Stage, manifest: dict[str, Any]) -> None:
    """Children that die for good must not leave the run waiting."""
    items = stage.stub("ItemFunction", "every call dies")
    settled = stage.stub("WakeFunction", None)
    ended = stage.run("fanout", {"runId": "r-6", "path": "each", "token": 2, **manifest})

    assert ended["status"] == "SUCCEEDED", ended
    assert {call["retry"] for call in items()} == {0, 1, 2}
    assert settled() == [{"runId": "r-6", "fanout": "each"}]


def test_a_fanout_settles_without_a_manifest(stage: Stage, manifest: dict[str, Any]) -> None:
    """Nor may a manifest that cannot be read."""
    stage.stub("ItemFunction", {"next": "end", "seconds": 0, "slice": 0})
    settled = stage.stub("WakeFunction", None)
    ended = stage.run("fanout", {"runId": "r-7", "path": "each", "token": 1, **manifest, "key": "payloads/none.json"})

    assert ended["status"] == "SUCCEEDED", ended
    assert settled() == [{"runId": "r-7", "fanout": "each"}]
