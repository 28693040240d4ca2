"""How runs begin."""

from datetime import timedelta

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, call, step, url

from quintet.domain.definition import Plan
from quintet.domain.errors import Invalid, NotFound
from quintet.domain.events import EventType
from quintet.domain.run import Trigger
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import Guard


def test_a_run_knows_its_job_version_and_source(engine: Stage) -> None:
    """What triggered it, which version it runs, and its input are kept."""
    job = engine.define(call("a"))
    run_id = engine.trigger(job, {"n": 1}, trigger=Trigger("webhook", "hook", "orders"))
    run = engine.of(run_id)
    assert (run.job_id, run.version, run.version_id) == (job.id, 1, job.version_id)
    assert run.trigger == Trigger("webhook", "hook", "orders")
    assert engine.state(run_id).input == {"n": 1}


def test_a_run_keeps_to_its_version(engine: Stage) -> None:
    """A revision made while the run waits changes nothing for it."""
    job = engine.define(step("w", kind="wait", config={"seconds": 100}), call("old", "w"))
    run_id = engine.trigger(job)
    engine.play(1)
    engine.services.define.revise(PROJECT, job.id, {}, Plan((call("new"),)), {"n": "new"})
    engine.play()
    assert (engine.http.count(url("old")), engine.http.count(url("new"))) == (1, 0)
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_the_same_guard_starts_one_run(engine: Stage) -> None:
    """A repeated request with the same guard gets the run that exists."""
    job = engine.define(call("a"))

    def guard(name: str) -> Guard:
        return Guard(name, engine.clock.now() + timedelta(seconds=300))

    first = engine.trigger(job, guard=guard("delivery 1"))
    engine.play(200)
    assert engine.trigger(job, guard=guard("delivery 1")) == first
    assert engine.trigger(job, guard=guard("delivery 2")) != first
    engine.play(200)
    assert engine.trigger(job, guard=guard("delivery 1")) != first
    engine.play()
    assert engine.http.count(url("a")) == 3


def test_the_same_run_id_starts_one_run(engine: Stage) -> None:
    """A trigger that is repeated because its answer was lost gets the run that exists."""
    job = engine.define(call("a"))
    run_id = engine.ids.new()
    assert engine.trigger(job, run_id=run_id) == engine.trigger(job, run_id=run_id) == run_id
    engine.play()
    assert engine.http.count(url("a")) == 1


@pytest.mark.parametrize(("when", "call_"), [("after", "runs.create"), ("before", "bursts.start")])
def test_a_run_whose_burst_never_started_is_taken_up(engine: Stage, when: str, call_: str) -> None:
    """What was accepted runs, although the process died before it started the burst."""
    job = engine.define(call("a"))
    run_id = engine.ids.new()
    engine.die_at(when, call_)
    with pytest.raises(ProcessDied):
        engine.trigger(job, run_id=run_id)
    engine.sweep()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.http.count(url("a")) == 1


def test_a_delayed_run_starts_at_its_moment(engine: Stage) -> None:
    """Until then it says that it is delayed."""
    at = engine.clock.now() + timedelta(seconds=500)
    run_id = engine.trigger(engine.define(call("a")), at=at)
    engine.play(499)
    assert engine.status(run_id) is RunStatus.DELAYED
    assert engine.reasons(run_id) == ["delayed"]
    engine.play()
    assert engine.of(run_id).started_at == at
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_delayed_run_says_until_when(engine: Stage) -> None:
    """The moment of its start is part of the answer to why it waits."""
    at = engine.clock.now() + timedelta(seconds=500)
    run_id = engine.trigger(engine.define(call("a")), at=at)
    (reason,) = engine.services.reading.waiting(PROJECT, run_id)
    assert reason["until"] == at


def test_an_early_wake_does_not_start_a_delayed_run(engine: Stage) -> None:
    """Timers may be early or come twice: the run starts at its moment all the same."""
    at = engine.clock.now() + timedelta(seconds=500)
    run_id = engine.trigger(engine.define(call("a")), at=at)
    engine.play(100)
    engine.services.wake_run(run_id)
    engine.play(100)
    assert engine.status(run_id) is RunStatus.DELAYED
    engine.play()
    assert engine.of(run_id).started_at == at


def test_a_delayed_run_whose_timer_was_lost_starts_with_the_sweep(engine: Stage) -> None:
    """A lost timer costs a minute, not the run."""
    engine.lose.add("timers")
    run_id = engine.trigger(engine.define(call("a")), at=engine.clock.now() + timedelta(seconds=100))
    engine.sweep(times=3)
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_timeout_counts_from_the_start_not_from_the_delay(engine: Stage) -> None:
    """A delayed run has its whole time before it."""
    job = engine.define(step("w", kind="wait", config={"seconds": 1000}), timeout=50.0)
    run_id = engine.trigger(job, at=engine.clock.now() + timedelta(seconds=500))
    engine.play()
    run = engine.of(run_id)
    assert (run.status, run.duration) == (RunStatus.TIMED_OUT, 50.0)


def test_a_bad_plan_is_refused_with_every_place_and_nothing_is_kept(engine: Stage) -> None:
    """Unknown kinds, unknown dependencies, bad configs and bad conditions are all named at once."""
    steps = (
        step("a", kind="magic"),
        step("b", "nobody"),
        call("c", when="1 +"),
        step("d", kind="http", config={"method": "GET"}),
    )
    with pytest.raises(Invalid) as caught:
        engine.define(*steps)
    places = {problem.place for problem in caught.value.problems}
    assert {("steps", 0, "kind"), ("steps", 1, "dependsOn", 0), ("steps", 2, "when")} <= places
    assert ("steps", 3, "config", "url") in places
    assert engine.stores["jobs"].count(PROJECT, "automations", None) == 0


def test_an_unknown_run_is_not_found(engine: Stage) -> None:
    """Nor is another project's."""
    with pytest.raises(NotFound):
        engine.services.reading.run(PROJECT, "nothing")
    run_id = engine.run(call("a"))
    with pytest.raises(NotFound):
        engine.services.reading.run("other", run_id)
    with pytest.raises(NotFound):
        engine.services.cancel_run("other", run_id, "eve")


def test_the_journal_reads_in_pages(engine: Stage) -> None:
    """Events carry their numbers, and a reader goes on from any of them."""
    run_id = engine.run(call("a"), call("b", "a"))
    numbers, after = [], 0
    while page := engine.services.reading.events(run_id, after, 3):
        numbers += [number for number, _ in page]
        after = numbers[-1]
    assert numbers == list(range(1, len(engine.events(run_id)) + 1))
    assert engine.events(run_id)[0].type is EventType.RUN_CREATED
