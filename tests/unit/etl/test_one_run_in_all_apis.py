"""A task's run read through the other APIs, and started through them: it is one run."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tasks_desk import JOB, TASK, TasksDesk, fails, works_on

from quintet.dialects.automations.app import build as automations
from quintet.dialects.jobs.app import build as jobs
from quintet.web.api import Api


class Others:
    """The other APIs over the same services."""

    def __init__(self, tasks: TasksDesk) -> None:
        self._tasks = tasks
        self._jobs, self._automations = jobs(lambda: tasks.services), automations(lambda: tasks.services)

    def job_run(self, run: str) -> dict[str, Any]:
        """A run as the Jobs API shows it."""
        return self._json(self._jobs, "GET", f"/v1/runs/{run}")

    def automation_run(self, run: str) -> dict[str, Any]:
        """A run as the Automations API shows it."""
        return self._json(self._automations, "GET", f"/api/v1/automation-runs/{run}")

    def automation(self, job: str) -> dict[str, Any]:
        """A core job as the Automations API shows it."""
        return self._json(self._automations, "GET", f"/api/v1/automations/{job}")

    def run(self, job: str) -> dict[str, Any]:
        """Starts a core job through the Automations API."""
        return self._json(self._automations, "POST", f"/api/v1/automations/{job}/run")

    def cancel(self, run: str) -> dict[str, Any]:
        """Cancels a run through the Automations API."""
        return self._json(self._automations, "POST", f"/api/v1/automation-runs/{run}/cancel")

    def replay(self, run: str) -> dict[str, Any]:
        """Runs an ended run again through the Jobs API."""
        return self._json(self._jobs, "POST", f"/v1/runs/{run}/replay")

    @staticmethod
    def _json(api: Api, method: str, path: str) -> dict[str, Any]:
        request = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"authorization": "Bearer secret-of-admin", "content-type": "application/json"},
            "requestContext": {"requestId": "r", "stage": "$default", "http": {"method": method, "path": path}},
            "body": None,
            "isBase64Encoded": False,
        }
        answer = api.answer(request, SimpleNamespace(aws_request_id="l"))
        assert answer["statusCode"] < 300, answer["body"]
        found: dict[str, Any] = json.loads(answer["body"])
        return found


def nothing(tasks: TasksDesk) -> None:
    """Leaves the run as it is."""


def end(tasks: TasksDesk) -> None:
    """Has the run end well."""
    tasks.finish()


def stop(tasks: TasksDesk) -> None:
    """Stops the run."""
    tasks.post(f"{TASK}/stop")


@pytest.mark.parametrize(
    ("then", "etl", "job", "automation"),
    [
        (nothing, "RUNNING", "waiting", "running"),
        (end, "COMPLETED", "completed", "completed"),
        (stop, "FAILED", "canceled", "cancelled"),
    ],
)
def test_a_tasks_run_reads_the_same_everywhere(
    tasks: TasksDesk, then: Callable[[TasksDesk], None], etl: str, job: str, automation: str
) -> None:
    """Its id, its times and its end, each API in its own words."""
    tasks.task()
    tasks.scripted.does[1] = works_on
    run = tasks.start()["executionReferenceId"]
    tasks.drive()
    tasks.clock.advance(90)
    then(tasks)
    others, log = Others(tasks), tasks.log()
    assert tasks.read()["executionStatus"] == etl
    there, and_there = others.job_run(run), others.automation_run(run)
    assert (there["status"], and_there["status"]) == (job, automation)
    assert there["started_at"] == and_there["startedAt"] == log["startedAt"]
    assert there.get("finished_at") == and_there["completedAt"] == log["completedAt"]


def test_a_failed_run_gives_its_reason_everywhere(tasks: TasksDesk) -> None:
    """The program's own error."""
    tasks.task()
    tasks.scripted.does[1] = fails
    run = tasks.start()["executionReferenceId"]
    tasks.drive()
    others = Others(tasks)
    assert tasks.log()["error"] == others.job_run(run)["error"] == "ValueError: no such column"
    assert others.automation_run(run)["error"] == {"type": "ValueError", "message": "no such column", "step": "task"}


def test_a_run_started_elsewhere_is_the_tasks_run(tasks: TasksDesk) -> None:
    """And keeps to the task's terms: one at a time. One that is canceled there reads as stopped here."""
    tasks.task()
    tasks.scripted.does[1] = works_on
    others = Others(tasks)
    job = tasks.services.jobs.by_slug("default", "etl", "task-1").id
    run = others.run(job)["id"]
    assert (tasks.run_of(), tasks.read()["executionStatus"]) == (run, "RUNNING")
    assert tasks.post(f"{TASK}/start").status == 409
    tasks.drive()
    others.cancel(run)
    assert (tasks.read()["executionStatus"], tasks.log()["status"]) == ("FAILED", "STOPPED")


def test_a_run_that_is_replayed_elsewhere_is_a_new_run_here(tasks: TasksDesk) -> None:
    """Which begins without the figures of the old one, and counts among the job's."""
    tasks.task()
    run = tasks.start()["executionReferenceId"]
    tasks.drive()
    again = Others(tasks).replay(run)["id"]
    assert tasks.run_of() == again != run
    assert tasks.log()["recordsOutput"] is None
    tasks.drive()
    assert tasks.log()["recordsOutput"] == 7
    assert tasks.read(f"{JOB}/metrics")["aggregated"]["totalExecutions"] == 2


def test_what_a_task_runs_is_shown_elsewhere_without_its_key(tasks: TasksDesk) -> None:
    """Its step with its program, and what its job calls."""
    tasks.task("t", apiKey="hush")
    others = Others(tasks)
    task = tasks.services.jobs.by_slug("default", "etl", "task-1")
    shown = others.automation(task.id)
    (step,) = shown["config"]["steps"]
    assert (step["kind"], step["config"]["program"]) == ("task", "etl")
    assert "hush" not in json.dumps(shown)
    assert task.settings["etl"]["apiKey"] not in json.dumps(shown)
    called = others.automation(tasks.services.jobs.by_slug("default", "etl", "job-1").id)
    assert [one["config"]["automationId"] for one in called["config"]["steps"]] == [task.id]
