"""What the tick fires."""

from datetime import datetime, timedelta

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, call

from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.status import RunStatus

HOUR = timedelta(hours=1)


@pytest.fixture
def hourly(engine: Stage) -> Stage:
    """The engine with schedules that come every full hour."""

    def after(job: Job, moment: datetime) -> datetime:
        if job.name == "bad":
            raise ValueError("no such schedule")
        return moment.replace(minute=0, second=0, microsecond=0) + HOUR

    engine.services.next_moment = after
    return engine


def schedule(engine: Stage, at: datetime, name: str = "job") -> Job:
    """A job whose next moment is `at`."""
    return engine.define(call(name), name=name, settings={"schedule": {"next_at": at.isoformat()}})


def runs(engine: Stage, job: Job) -> list[Run]:
    """The runs of a job, oldest first."""
    found: list[Run] = engine.stores["runs"].page(PROJECT, None, 1000, 0)
    return sorted((run for run in found if run.job_id == job.id), key=lambda run: run.id)


def test_a_moment_of_the_coming_minute_fires_at_its_second(hourly: Stage) -> None:
    """The run is made ahead and starts exactly when it should."""
    at = hourly.clock.now() + timedelta(seconds=42)
    job = schedule(hourly, at)
    assert hourly.services.tick() == {"fired": 1, "failed": 0}
    (run,) = runs(hourly, job)
    assert run.status is RunStatus.DELAYED
    hourly.play()
    (run,) = runs(hourly, job)
    assert (run.status, run.started_at) == (RunStatus.COMPLETED, at)
    assert (run.trigger.type, run.trigger.source_id) == ("schedule", job.id)


def test_what_lies_further_off_waits_for_a_later_tick(hourly: Stage) -> None:
    """Only the coming minute is fired."""
    job = schedule(hourly, hourly.clock.now() + timedelta(seconds=61))
    assert hourly.services.tick() == {"fired": 0, "failed": 0}
    assert runs(hourly, job) == []


def test_the_next_moment_follows(hourly: Stage) -> None:
    """Hour after hour, each moment once, with a tick every minute."""
    start = hourly.clock.now()
    job = schedule(hourly, start + HOUR)
    for _ in range(60 * 5 + 2):
        hourly.services.tick()
        hourly.play(60)
    assert [run.started_at for run in runs(hourly, job)] == [start + HOUR * n for n in range(1, 6)]


def test_two_racing_ticks_fire_a_moment_once(hourly: Stage) -> None:
    """A tick that read the same moment as another fires nothing more."""
    job = schedule(hourly, hourly.clock.now())
    raced: list[bool] = []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("after", "jobs.scheduled") and not raced:
            raced.append(True)
            hourly.services.tick()

    hourly.hooks.append(hook)
    hourly.services.tick()
    hourly.play()
    assert raced
    assert len(runs(hourly, job)) == 1


def test_moments_missed_while_nothing_ticked_fire_once(hourly: Stage) -> None:
    """After a day's downtime a schedule fires one run at once, then goes on from the present."""
    start = hourly.clock.now()
    job = schedule(hourly, start + HOUR)
    hourly.play(24 * 3600 + 60)
    assert hourly.services.tick() == {"fired": 1, "failed": 0}
    hourly.play()
    assert hourly.services.tick() == {"fired": 0, "failed": 0}
    (run,) = runs(hourly, job)
    assert run.started_at == start + 24 * HOUR + timedelta(seconds=60)
    ((_, upcoming),) = hourly.stores["jobs"].scheduled(start + 100 * HOUR, 10)
    assert upcoming == start + 25 * HOUR


def test_hundreds_of_schedules_fire_at_one_moment(hourly: Stage) -> None:
    """More schedules than a page holds fire in one tick, each once."""
    jobs = [schedule(hourly, hourly.clock.now(), f"job{index}") for index in range(230)]
    assert hourly.services.tick() == {"fired": 230, "failed": 0}
    hourly.play()
    assert all(len(runs(hourly, job)) == 1 for job in jobs[::20])
    assert hourly.stores["runs"].count(PROJECT, [RunStatus.COMPLETED]) == 230


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call_", ["jobs.scheduled", "jobs.reschedule", "runs.create", "timers.start"])
def test_a_tick_that_dies_between_its_writes_loses_no_moment(hourly: Stage, when: str, call_: str) -> None:
    """Wherever a tick dies, the next one sees to it that the moment has its run, and only one."""
    job = schedule(hourly, hourly.clock.now() + timedelta(seconds=30))
    hourly.die_at(when, call_)
    with pytest.raises(ProcessDied):
        hourly.services.tick()
    hourly.services.tick()
    hourly.sweep(times=3)
    assert [run.status for run in runs(hourly, job)] == [RunStatus.COMPLETED]


def test_one_bad_schedule_does_not_stop_the_others(hourly: Stage) -> None:
    """A job whose next moment can't be told harms no other job."""
    schedule(hourly, hourly.clock.now() - HOUR, "bad")
    good = schedule(hourly, hourly.clock.now(), "good")
    hourly.services.tick()
    hourly.play()
    assert len(runs(hourly, good)) == 1


@pytest.mark.parametrize("late", [0.0, 7200.0])
def test_a_single_moment_fires_once(engine: Stage, late: float) -> None:
    """At its second, or when somebody ticks again; then the job has no next moment, and is in nobody's way."""
    at = engine.clock.now() + timedelta(seconds=100)
    when = at.isoformat().replace("+00:00", "Z")
    job = engine.define(call("once"), settings={"schedule": {"at": when, "next_at": when}})
    engine.play(late)
    for _ in range(5):
        engine.services.tick()
        engine.play(60)
    (run,) = runs(engine, job)
    assert run.status is RunStatus.COMPLETED
    assert run.started_at is not None
    assert run.started_at >= at
    assert late or run.started_at == at
    assert engine.services.jobs.get(PROJECT, job.id).settings["schedule"] == {"at": when, "next_at": None}
    assert engine.services.tick() == {"fired": 0, "failed": 0}


def test_a_single_moment_that_passed_while_its_job_was_disabled_does_not_come(engine: Stage) -> None:
    """Enabled before it, the job has it; enabled after it, none."""
    at = engine.clock.now() + timedelta(seconds=1000)
    when = at.isoformat().replace("+00:00", "Z")
    job = engine.define(call("once"), settings={"schedule": {"at": when, "next_at": when}})
    for seconds, upcoming in ((10.0, when), (2000.0, None)):
        engine.services.switch_jobs(PROJECT, "paused", ids=[job.id], dialect="automations")
        engine.play(seconds)
        engine.services.switch_jobs(PROJECT, "active", ids=[job.id], dialect="automations")
        assert engine.services.jobs.get(PROJECT, job.id).settings["schedule"]["next_at"] == upcoming
    engine.services.tick()
    engine.play(60)
    assert runs(engine, job) == []
