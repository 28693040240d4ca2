"""What follows a run's end: dependent jobs are triggered, runs that waited for dependencies go on."""

from datetime import timedelta

import pytest
from engine_stage import PROJECT, Stage, call, url

from quintet.domain.job import Job
from quintet.domain.run import Trigger
from quintet.domain.status import RunStatus
from quintet.domain.terms import Terms


def job(engine: Stage, name: str) -> Job:
    """A job of one call, whose runs' ends are passed on."""
    return engine.define(call(name), name=name, terms=Terms(follows=True))


def depend(engine: Stage, downstream: Job, *upstream: Job, condition: str = "completed") -> Job:
    """Has a job depend on others; the job as it is then."""
    for one in upstream:
        engine.services.dependencies.add(PROJECT, downstream.id, one.id, condition)
    return engine.services.jobs.get(PROJECT, downstream.id)


def runs_of(engine: Stage, one: Job) -> list[str]:
    """The job's runs, oldest first."""
    return sorted(run.id for run in engine.services.runs.page(PROJECT, None, 100, 0) if run.job_id == one.id)


def test_the_end_of_a_run_triggers_what_depends_on_it(engine: Stage) -> None:
    """The downstream run says what came before it, and is told its result."""
    first, second = job(engine, "first"), job(engine, "second")
    depend(engine, second, first)
    run = engine.submit(first).run
    engine.play()
    (follower,) = runs_of(engine, second)
    given = engine.state(follower).input["upstream"]
    assert (given["job_id"], given["run_id"], given["status"]) == (first.id, run.id, "completed")
    assert given["result"] == engine.result(run.id, "first")
    assert engine.of(follower).trigger == Trigger("job_completion", "run", run.id)
    assert engine.status(follower) is RunStatus.COMPLETED


def test_a_condition_decides_what_follows(engine: Stage) -> None:
    """A failed run triggers only what follows failures, or any end."""
    first, good, bad, whatever = (job(engine, name) for name in ("first", "good", "bad", "any"))
    depend(engine, good, first)
    depend(engine, bad, first, condition="failed")
    depend(engine, whatever, first, condition="any")
    engine.http.on(url("first"), 400)
    engine.submit(first)
    engine.play()
    assert [len(runs_of(engine, one)) for one in (good, bad, whatever)] == [0, 1, 1]


def test_several_upstreams_come_together(engine: Stage) -> None:
    """The downstream job starts once for each set of ends, whatever their order."""
    left, right, both = (job(engine, name) for name in ("left", "right", "both"))
    depend(engine, both, left, right)
    engine.submit(left)
    engine.play()
    assert runs_of(engine, both) == []
    engine.submit(right)
    engine.play()
    assert len(runs_of(engine, both)) == 1
    engine.submit(right)
    engine.play()
    assert len(runs_of(engine, both)) == 1
    engine.submit(left)
    engine.play()
    assert len(runs_of(engine, both)) == 2


def test_a_triggered_run_waits_for_its_jobs_dependencies(engine: Stage) -> None:
    """It waits, says why, and goes on when what it waits for has come."""
    first, second = job(engine, "first"), job(engine, "second")
    second = depend(engine, second, first)
    waiting = engine.submit(second, {"mine": 1}).run
    engine.sweep(times=3)
    assert engine.status(waiting.id) is RunStatus.WAITING
    assert engine.reasons(waiting.id) == ["dependencies"]
    engine.submit(first)
    engine.play()
    assert engine.status(waiting.id) is RunStatus.COMPLETED
    assert engine.state(waiting.id).input == {"mine": 1}
    assert engine.submit(engine.services.jobs.get(PROJECT, second.id)).run.status is RunStatus.EXECUTING


def test_a_waiting_run_can_be_canceled(engine: Stage) -> None:
    """It then never starts."""
    first, second = job(engine, "first"), job(engine, "second")
    second = depend(engine, second, first)
    waiting = engine.submit(second).run
    engine.services.cancel_run(PROJECT, waiting.id, "ann")
    engine.submit(first)
    engine.play()
    assert engine.of(waiting.id).started_at is None
    assert engine.status(waiting.id) is RunStatus.CANCELED


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "name",
    ["dependency_store.waiting", "dependency_store.keep_last", "runs.forget_due", "runs.create", "deliveries.create"],
)
def test_what_follows_survives_a_crash(engine: Stage, when: str, name: str) -> None:
    """Wherever the process dies after the upstream's end, the downstream job runs once and the waiting run goes on."""
    first, second = job(engine, "first"), job(engine, "second")
    second = depend(engine, second, first)
    waiting = engine.submit(second).run
    engine.submit(first)
    engine.die_at(when, name)
    engine.play()
    engine.sweep(times=70)
    assert engine.status(waiting.id) is RunStatus.COMPLETED
    assert len(runs_of(engine, second)) == 2
    assert engine.http.count(url("second")) == 2


def test_a_run_made_while_its_process_died_is_held_back_all_the_same(engine: Stage) -> None:
    """Created, but not registered as waiting: the sweep finds it."""
    first, second = job(engine, "first"), job(engine, "second")
    second = depend(engine, second, first)
    engine.die_at("before", "dependency_store.wait")
    with pytest.raises(BaseException, match=r"dependency_store\.wait"):
        engine.submit(second)
    (waiting,) = runs_of(engine, second)
    engine.submit(first)
    engine.play()
    engine.sweep(times=65)
    assert engine.status(waiting) is RunStatus.COMPLETED


def test_a_scheduled_run_asks_for_its_dependencies_at_its_time(engine: Stage) -> None:
    """Neither earlier, though they hold by then, nor not at all."""
    first, second = job(engine, "first"), job(engine, "second")
    second = depend(engine, second, first)
    at = engine.clock.now() + timedelta(seconds=100)
    run = engine.submit(second, at=at).run
    late = engine.submit(second, at=engine.clock.now() + timedelta(seconds=10)).run
    engine.play(50)
    assert (run.status, engine.status(late.id)) == (RunStatus.DELAYED, RunStatus.WAITING)
    engine.submit(first)
    engine.play()
    assert engine.of(run.id).started_at == at
    assert {engine.status(one.id) for one in (run, late)} == {RunStatus.COMPLETED}
