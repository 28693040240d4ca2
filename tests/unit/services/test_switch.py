"""Enabling and disabling many jobs."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from engine_stage import PROJECT, Stage, step

from quintet.domain.definition import Plan
from quintet.domain.errors import Conflict, Invalid
from quintet.domain.job import Job

HOUR = timedelta(hours=1)
PLAN = Plan((step("a"),))


@pytest.fixture
def hourly(engine: Stage) -> Stage:
    """The engine with schedules that come an hour later."""
    engine.services.next_moment = lambda _, moment: moment + HOUR
    return engine


def define(engine: Stage, *labels: str, dialect: str = "jobs", project: str = PROJECT, **fields: Any) -> Job:
    """A job with labels."""
    return engine.services.define.define(project, dialect, "job", PLAN, {}, labels=frozenset(labels), **fields)


def now_of(engine: Stage, job: Job) -> Job:
    """The job as it is."""
    found: Job = engine.stores["jobs"].get(job.project, job.id)
    return found


def race(engine: Stage, job: Job, times: int) -> None:
    """Another writer changes the job before each of the next writes."""
    left = [times]

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "jobs.update_many") and left[0]:
            left[0] -= 1
            engine.services.define.revise(PROJECT, job.id, {"description": str(left[0])})

    engine.hooks.append(hook)


def test_named_jobs_are_switched(hourly: Stage) -> None:
    """Only those that are the project's and API's and stand otherwise count; no version is made."""
    first, second, off = define(hourly), define(hourly), define(hourly, status="disabled")
    workflow, foreign = define(hourly, dialect="workflows"), define(hourly, project="other")
    hourly.clock.advance(5)
    ids = [first.id, off.id, "nobody", workflow.id, foreign.id, first.id]
    assert hourly.services.switch_jobs(PROJECT, "disabled", ids=ids, by="key-1") == 1
    changed = now_of(hourly, first)
    assert (changed.status, changed.version, changed.version_id) == ("disabled", 1, first.version_id)
    assert changed.updated_at == first.updated_at + timedelta(seconds=5)
    assert changed.settings == {"updated_by": "key-1"}
    assert [now_of(hourly, job) for job in (second, off, workflow, foreign)] == [second, off, workflow, foreign]
    assert hourly.services.switch_jobs(PROJECT, "disabled", ids=ids) == 0
    assert hourly.services.switch_jobs(PROJECT, "active", ids=[], label="tag:a") == 0


def test_jobs_of_a_label_are_switched_page_by_page(hourly: Stage) -> None:
    """However many, in one write a page; ids and label together mean both."""
    labelled = [define(hourly, "tag:a") for _ in range(200)]
    other = define(hourly, "tag:b")
    hourly.calls.clear()
    assert hourly.services.switch_jobs(PROJECT, "disabled", label="tag:a") == 200
    assert (hourly.calls["jobs.browse"], hourly.calls["jobs.update_many"]) == (3, 3)
    assert hourly.stores["jobs"].count(PROJECT, "jobs", "disabled") == 200
    assert now_of(hourly, other) == other
    assert hourly.services.switch_jobs(PROJECT, "active", ids=[labelled[0].id, other.id], label="tag:a") == 1


def test_a_schedule_stops_and_goes_on(hourly: Stage) -> None:
    """A disabled job has no next moment; enabled again it goes on from the present, without what it missed."""
    start = hourly.clock.now()
    schedule = {"cron": "0 * * * *", "timezone": "UTC", "next_at": (start + HOUR).isoformat()}
    job = define(hourly, "tag:a", settings={"schedule": schedule, "x": 1})
    hourly.services.switch_jobs(PROJECT, "disabled", label="tag:a")
    assert now_of(hourly, job).settings == {"schedule": {**schedule, "next_at": None}, "x": 1}
    assert hourly.stores["jobs"].scheduled(start + 100 * HOUR, 10) == []
    hourly.clock.advance(7 * 3600)
    hourly.services.switch_jobs(PROJECT, "active", label="tag:a")
    ((found, moment),) = hourly.stores["jobs"].scheduled(start + 100 * HOUR, 10)
    assert moment == start + 8 * HOUR
    assert datetime.fromisoformat(found.settings["schedule"]["next_at"]) == moment
    assert found.settings["schedule"]["cron"] == "0 * * * *"


def test_another_writer_is_not_overwritten(hourly: Stage) -> None:
    """Both changes stand; the others of the page are not written twice."""
    first, second = define(hourly, "tag:a"), define(hourly, "tag:a")
    race(hourly, first, 2)
    assert hourly.services.switch_jobs(PROJECT, "disabled", label="tag:a") == 2
    assert (now_of(hourly, first).status, now_of(hourly, first).description) == ("disabled", "0")
    assert now_of(hourly, second).status == "disabled"


def test_a_job_that_goes_on_changing_is_given_up(hourly: Stage) -> None:
    """After bounded tries the caller is told."""
    job = define(hourly, "tag:a")
    race(hourly, job, 100)
    with pytest.raises(Conflict):
        hourly.services.switch_jobs(PROJECT, "disabled", label="tag:a")


def test_a_job_deleted_meanwhile_is_none_that_was_switched(hourly: Stage) -> None:
    """It stops no other."""
    gone, stays = define(hourly, "tag:a"), define(hourly, "tag:a")

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "jobs.update_many"):
            hourly.hooks.clear()
            hourly.stores["jobs"].delete(gone)

    hourly.hooks.append(hook)
    assert hourly.services.switch_jobs(PROJECT, "disabled", label="tag:a") == 1
    assert now_of(hourly, stays).status == "disabled"


def test_something_must_be_named(hourly: Stage) -> None:
    """Neither jobs nor a label is a fault, not the whole project."""
    define(hourly)
    with pytest.raises(Invalid):
        hourly.services.switch_jobs(PROJECT, "disabled")
