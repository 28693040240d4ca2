"""Runs that have been at work for too long are given up: when somebody asks, and by themselves."""

import logging
from datetime import timedelta

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, ask, call, parked, rest, step, url

from quintet.domain.events import EventType
from quintet.domain.job import Job
from quintet.domain.status import RunStatus, StepStatus
from quintet.services import attempts

DAY = 24 * 3600.0
HOUR = timedelta(hours=1)


def mark(engine: Stage, older: timedelta = HOUR, project: str = PROJECT) -> list[str]:
    """The runs that are given up when somebody asks."""
    return [run.id for run in engine.services.zombies.mark(project, older)]


def reaped(engine: Stage) -> Job:
    """A job of endless work whose runs are given up."""
    return engine.define(parked("long"), reaped=True)


# --- asked for ---------------------------------------------------------------------------------------------------------------


def test_a_zombie_crashes_and_its_work_is_stopped(engine: Stage) -> None:
    """It says why; a result that comes later changes nothing."""
    run_id = engine.trigger(reaped(engine))
    engine.play(3600)
    token = engine.state(run_id).steps["long"].token
    assert mark(engine) == [run_id]
    run = engine.of(run_id)
    assert (run.status, run.duration) == (RunStatus.CRASHED, 3600)
    assert run.error == {"type": "Zombie", "message": "given up: it was running for more than 1 hours"}
    assert engine.service.stopped == [(run_id, token)]
    assert engine.steps(run_id) == {"long": StepStatus.CANCELED}
    engine.services.settle_parked(run_id, "long", token, {"result": 1})
    engine.play(60)
    assert engine.status(run_id) is RunStatus.CRASHED
    assert mark(engine) == []


@pytest.mark.parametrize(("seconds", "marked"), [(3599.999, False), (3600.0, True), (9999.0, True)])
def test_the_limit_is_met_at_its_moment(engine: Stage, seconds: float, marked: bool) -> None:
    """Not a millisecond before; it counts from the start, not from the trigger."""
    job = engine.define(parked("long"), reaped=True)
    run_id = engine.trigger(job, at=engine.clock.now() + timedelta(seconds=500))
    engine.play(500)
    engine.play(seconds)
    assert mark(engine) == ([run_id] if marked else [])


def test_a_part_of_an_hour_is_a_limit_too(engine: Stage) -> None:
    """And is said as it was asked for."""
    run_id = engine.trigger(reaped(engine))
    engine.play(60)
    assert mark(engine, timedelta(minutes=1)) == [run_id]
    error = engine.of(run_id).error
    assert error is not None
    assert "more than 0.0166667 hours" in error["message"]


def test_only_runs_that_have_begun_are_zombies(engine: Stage) -> None:
    """Who is queued, or delayed, does no work; who was paused at work still counts as at work."""
    job = reaped(engine)
    at_work = engine.trigger(job, concurrency_key="k")
    queued = engine.trigger(job, concurrency_key="k")
    paused = engine.trigger(job)
    delayed = engine.trigger(job, at=engine.clock.now() + timedelta(days=2))
    engine.play(60)
    engine.services.hold.pause(PROJECT, paused, "ada")
    engine.play(DAY / 2)
    assert sorted(mark(engine)) == sorted([at_work, paused])
    engine.play(60)
    assert engine.status(queued) is RunStatus.EXECUTING  # its turn has come
    assert engine.status(delayed) is RunStatus.DELAYED
    assert mark(engine) == []


def test_only_runs_of_reaped_jobs_of_the_project_are_zombies(engine: Stage) -> None:
    """Others may work for as long as they like."""
    other = engine.trigger(engine.define(parked("long")))
    waits = engine.trigger(engine.define(ask("gate")))
    run_id = engine.trigger(reaped(engine))
    engine.play(DAY / 2)
    assert mark(engine, project="another") == []
    assert mark(engine) == [run_id]
    assert (engine.status(other), engine.status(waits)) == (RunStatus.EXECUTING, RunStatus.WAITING)


def test_every_page_is_looked_at(engine: Stage) -> None:
    """Hundreds of runs, old ones among young ones."""
    old_job, job = reaped(engine), engine.define(parked("long"))
    old = [engine.trigger(old_job if index % 2 else job) for index in range(240)]
    engine.play(2 * 3600)
    young = [engine.trigger(old_job) for _ in range(120)]
    engine.play(60)
    assert sorted(mark(engine)) == sorted(old[1::2])
    assert {engine.status(run_id) for run_id in [*young, *old[::2]]} == {RunStatus.EXECUTING}


def test_a_zombies_child_ends_with_it(engine: Stage) -> None:
    """And the work that the child had parked is stopped."""
    child = engine.define(parked("long"))
    above = engine.define(step("child", kind="subrun", config={"job_id": child.id}), reaped=True)
    run_id = engine.trigger(above)
    engine.play(2 * 3600)
    assert mark(engine) == [run_id]
    (work,) = engine.service.begun
    assert engine.service.stopped == [work]
    assert engine.status(work[0]) is RunStatus.CANCELED


def test_a_run_above_hears_that_its_child_was_given_up(engine: Stage) -> None:
    """Its step fails, whatever else of it goes on."""
    child = reaped(engine)
    above = engine.trigger(engine.define(step("child", kind="subrun", config={"job_id": child.id}), ask("gate")))
    engine.play(2 * 3600)
    (work,) = engine.service.begun
    assert mark(engine) == [work[0]]
    engine.play(60)
    assert engine.status(above) is RunStatus.FAILED
    error = engine.of(above).error
    assert error is not None
    assert error["type"] == "ChildRun"


def test_the_items_of_a_map_are_given_up_with_their_run(engine: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no zombies of their own, and in no list."""
    monkeypatch.setattr(attempts, "FANOUT_ABOVE", 2)
    each = step("each", kind="map", config={"items": [1, 2, 3]}, body=(parked("long"),))
    run_id = engine.trigger(engine.define(each, reaped=True))
    engine.play(2 * 3600)
    items = {work[0] for work in engine.service.begun}
    assert len(items) == 3
    assert mark(engine) == [run_id]
    engine.sweep(times=2)
    assert engine.service.live == set()
    assert {engine.status(item) for item in items} == {RunStatus.CANCELED}


def test_the_slot_of_a_zombie_goes_to_the_next(engine: Stage) -> None:
    """As at any end."""
    job = reaped(engine)
    zombie = engine.trigger(job, concurrency_key="k")
    following = engine.trigger(job, concurrency_key="k")
    engine.play(2 * 3600)
    assert mark(engine) == [zombie]
    engine.play(1)
    assert engine.status(following) is RunStatus.EXECUTING


# --- races and deaths --------------------------------------------------------------------------------------------------------


def test_of_two_who_mark_at_once_one_has_marked(engine: Stage) -> None:
    """Each run is in one answer only."""
    runs = [engine.trigger(reaped(engine)) for _ in range(3)]
    engine.play(2 * 3600)
    others: list[str] = []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append"):
            engine.hooks.remove(hook)
            others.extend(mark(engine))

    engine.hooks.append(hook)
    mine = mark(engine)
    assert sorted(mine + others) == sorted(runs)
    assert [len(engine.events(run_id, EventType.RUN_CRASHED)) for run_id in runs] == [1, 1, 1]


def test_a_run_that_ends_at_that_moment_is_no_zombie(engine: Stage) -> None:
    """Its result was first."""
    run_id = engine.trigger(reaped(engine))
    engine.play(2 * 3600)
    token = engine.state(run_id).steps["long"].token

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append"):
            engine.hooks.remove(hook)
            engine.services.settle_parked(run_id, "long", token, {"result": 1})
            engine.play(0)

    engine.hooks.append(hook)
    assert mark(engine) == []
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.service.stopped == []


def mark_whatever_dies(when: str, nth: int) -> bool:
    """Zombies are marked by a process that dies at that port call; False when it came to its end before."""
    engine = Stage()
    runs = [engine.trigger(reaped(engine)) for _ in range(2)]
    engine.play(2 * 3600)
    engine.die_at(when, None, nth)
    try:
        mark(engine)
    except ProcessDied:
        died = True
    else:
        died = False
    engine.hooks.clear()
    mark(engine)  # somebody asks again
    engine.sweep(times=3)
    assert [engine.status(run_id) for run_id in runs] == [RunStatus.CRASHED] * 2
    assert engine.service.live == set()
    assert sorted(set(engine.service.stopped)) == sorted(engine.service.begun)
    return died


def test_wherever_the_process_that_marks_dies_all_are_stopped() -> None:
    """Between the mark and the stop, for one."""
    for when in ("before", "after"):
        nth = 1
        while mark_whatever_dies(when, nth):
            nth += 1
        assert nth > 8


@pytest.mark.parametrize("broken", ["runs.load", "runs.append", "runs.next_queued", "parking.stop"])
def test_a_run_that_can_not_be_given_up_does_not_save_the_others(
    engine: Stage, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One fails; the others are marked; what was marked is told, and what did not follow its end follows by the sweep."""
    caplog.set_level(logging.CRITICAL, "quintet")
    job = reaped(engine)
    runs = [engine.trigger(job, concurrency_key=f"k{index}") for index in range(3)]
    engine.play(2 * 3600)

    def fail(when: str, name: str) -> None:
        if (when, name) == ("before", broken):
            engine.hooks.remove(fail)
            raise RuntimeError("the store is away")

    engine.hooks.append(fail)
    marked = mark(engine)
    given_up = [run_id for run_id in runs if engine.status(run_id) is RunStatus.CRASHED]
    assert sorted(marked) == sorted(given_up)
    assert len(marked) == (2 if broken in {"runs.load", "runs.append"} else 3)
    engine.sweep(times=2)
    assert len(engine.service.live) == 3 - len(marked)


# --- by itself ---------------------------------------------------------------------------------------------------------------


def test_the_sweep_gives_up_what_is_at_work_for_a_day(engine: Stage) -> None:
    """At the sweep after the limit, not at one before it; others' work goes on."""
    run_id = engine.trigger(reaped(engine))
    other = engine.trigger(engine.define(parked("long")))
    engine.sweep(times=24 * 60 - 1)
    assert engine.status(run_id) is RunStatus.EXECUTING
    engine.sweep(times=1)
    assert engine.status(run_id) is RunStatus.CRASHED
    assert engine.of(run_id).duration == DAY
    assert [work[0] for work in engine.service.stopped] == [run_id]
    engine.sweep(times=2 * 24)
    assert engine.status(other) is RunStatus.EXECUTING


def test_until_then_it_costs_as_much_as_any_other(engine: Stage) -> None:
    """No look at the run is made for the rule's sake before its time."""
    loads = []
    for job in (engine.define(parked("long")), reaped(engine)):
        run_id = engine.trigger(job)
        engine.play(60)
        before = engine.calls["runs.load"]
        engine.sweep(times=23 * 60)
        loads.append(engine.calls["runs.load"] - before)
        engine.services.cancel_run(PROJECT, run_id, "ada")
        engine.sweep(times=2)
    assert loads[0] == loads[1]


def test_a_paused_run_is_given_up_in_time_too(engine: Stage) -> None:
    """Nobody resumed it; one that is not reaped stays paused."""
    paused = [engine.trigger(job) for job in (reaped(engine), engine.define(parked("long")))]
    engine.play(60)
    for run_id in paused:
        engine.services.hold.pause(PROJECT, run_id, "ada")
    engine.sweep(times=24 * 60 - 2)
    assert [engine.status(run_id) for run_id in paused] == [RunStatus.PAUSED] * 2
    engine.sweep(times=2)
    assert [engine.status(run_id) for run_id in paused] == [RunStatus.CRASHED, RunStatus.PAUSED]


def test_queued_and_delayed_runs_wait_for_longer_than_that(engine: Stage) -> None:
    """Their time counts from their start."""
    job = reaped(engine)
    engine.trigger(engine.define(parked("long")), concurrency_key="k")
    queued = engine.trigger(job, concurrency_key="k")
    delayed = engine.trigger(job, at=engine.clock.now() + timedelta(days=3))
    engine.sweep(every=600, times=2 * 24 * 6)
    assert (engine.status(queued), engine.status(delayed)) == (RunStatus.QUEUED, RunStatus.DELAYED)


def test_a_run_that_never_rests_is_given_up_too(engine: Stage) -> None:
    """Burst hands over to burst, and no look of the sweep comes to it."""
    engine.services.zombies.after = HOUR
    engine.http.on(url("a"), 200, seconds=40.0)
    loop = step("loop", kind="loop", config={"until": "false", "max_iterations": 1000}, body=(call("a"),))
    run_id = engine.trigger(engine.define(loop, reaped=True))
    for minute in range(1, 90):
        engine.later(60.0 * minute, engine.services.sweep)
    engine.play()
    run = engine.of(run_id)
    assert run.status is RunStatus.CRASHED
    assert run.duration is not None
    assert 3600 <= run.duration <= 3600 + 300


@pytest.mark.parametrize("seconds", [70.0, 3000.0])
def test_a_rest_that_begins_shortly_before_the_limit_ends_at_it(engine: Stage, seconds: float) -> None:
    """The next look at a resting run comes when its time is over, if that is sooner than it would have come."""
    engine.services.zombies.after = timedelta(seconds=seconds)
    run_id = engine.trigger(engine.define(rest("w", seconds=seconds - 50), ask("gate", "w"), reaped=True))
    engine.sweep(times=int(seconds / 60) + 2)
    run = engine.of(run_id)
    assert run.status is RunStatus.CRASHED
    assert run.duration is not None
    assert run.duration <= seconds + 60


def test_a_sweep_and_somebody_who_marks_race_to_one_end(engine: Stage) -> None:
    """The run is given up once, and the answer of who was second does not name it."""
    run_id = engine.trigger(reaped(engine))
    engine.play(2 * DAY)
    marked: list[str] = []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append"):
            engine.hooks.remove(hook)
            marked.extend(mark(engine))

    engine.hooks.append(hook)
    engine.services.sweep()
    assert marked == [run_id]
    assert len(engine.events(run_id, EventType.RUN_CRASHED)) == 1
