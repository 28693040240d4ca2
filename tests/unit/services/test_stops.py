"""What attempts leave at work elsewhere is stopped when they are cut short, and only then."""

from collections.abc import Callable
from datetime import timedelta

import engine_stage
import pytest
from engine_stage import PROJECT, ProcessDied, Stage, ask, call, parked, program, rest, step, url

from quintet.domain.definition import OnFailure, RetryPolicy, StepDef, Strategy
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus
from quintet.services import attempts

LEAVES = {"program": program, "job": parked}
LONG = 5_000.0
TWICE = RetryPolicy(2, Strategy.FIXED, 1.0)


@pytest.fixture(autouse=True)
def many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several carriers wait beside each other, each inside the one before."""
    monkeypatch.setattr(engine_stage, "MAX_NESTING", 12)


def live(engine: Stage) -> set[tuple[str, int]]:
    """What is at work now, by run and token."""
    return engine.programs.live | engine.service.live


def asked_to_stop(engine: Stage) -> set[tuple[str, int]]:
    """What was told to end, whether or not it was at work."""
    leashes = (name.split("/") for name, _ in engine.stores["blobs"].names("leashes/", 1000))
    return {(run_id, int(token)) for _, run_id, token in leashes} | set(engine.service.stopped)


def begun(engine: Stage) -> list[tuple[str, int]]:
    """What ever began."""
    return engine.programs.begun + engine.service.begun


def play_with(engine: Stage, act: Callable[[], object], after: float = 30.0, sweeps: int = 0) -> set[tuple[str, int]]:
    """Plays everything; so many seconds from now somebody acts, then the sweep comes by each minute. Answers what was at work before."""
    found: list[set[tuple[str, int]]] = []
    engine.later(after, lambda: found.append(live(engine)))
    engine.later(after, act)
    for minute in range(1, sweeps + 1):
        engine.later(after + 60.0 * minute, engine.services.sweep)
    engine.play()
    return found[0]


def cancel(engine: Stage, run_id: str) -> None:
    """Cancels the run."""
    engine.services.cancel_run(PROJECT, run_id, "ada")


def skip(engine: Stage, run_id: str) -> None:
    """Skips the step by hand."""
    engine.services.operate_step.skip(PROJECT, run_id, "long", by="ada")


def complete(engine: Stage, run_id: str) -> None:
    """Completes the step by hand."""
    engine.services.operate_step.complete(PROJECT, run_id, "long", {}, by="ada")


def give_up(engine: Stage, run_id: str) -> None:
    """Marks the run as a zombie."""
    assert [run.id for run in engine.services.zombies.mark(PROJECT, timedelta())] == [run_id]


def wait(engine: Stage, run_id: str) -> None:
    """Lets deadlines pass."""


WAYS: dict[str, tuple[Callable[[Stage, str], None], RunStatus]] = {
    "cancel": (cancel, RunStatus.CANCELED),
    "skip": (skip, RunStatus.COMPLETED),
    "complete": (complete, RunStatus.COMPLETED),
    "zombie": (give_up, RunStatus.CRASHED),
    "step timeout": (wait, RunStatus.FAILED),
    "run timeout": (wait, RunStatus.TIMED_OUT),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", LEAVES)
def test_what_was_cut_short_is_stopped_and_nothing_else(engine: Stage, kind: str, way: str) -> None:
    """However the attempt was ended; those beside it that ended by themselves, well or not, are left alone."""
    make = LEAVES[kind]
    said = {"deadline": 700.0} if way == "step timeout" and kind == "job" else {}
    fails = {"fails": "Timeout"}  # its own word for it: it has ended by itself
    steps = (
        make("long", seconds=LONG, said=said, timeout=600.0),
        make("well", seconds=2.0),
        make("badly", seconds=2.0, said=fails, on_failure=OnFailure.CONTINUE),
    )
    job = engine.define(*steps, timeout=650.0 if way == "run timeout" else None, reaped=True)
    run_id = engine.trigger(job)
    engine.late["carriers"] = 5.0  # after the burst rests, in which everybody else would wait for it
    act, status = WAYS[way]
    mine = play_with(engine, lambda: act(engine, run_id), sweeps=20)
    assert (len(begun(engine)), len(mine)) == (3, 1)
    assert engine.status(run_id) is status
    assert asked_to_stop(engine) == {*engine.programs.stopped, *engine.service.stopped} == mine


@pytest.mark.parametrize("kind", LEAVES)
def test_an_attempt_that_ended_by_itself_stops_nothing_when_its_run_ends(engine: Stage, kind: str) -> None:
    """Neither a completed nor a finally failed one, with attempts before it that failed."""
    make = LEAVES[kind]
    said = {"fails": "Unlucky"}
    run_id = engine.run(make("a", seconds=3.0), make("b", "a", seconds=3.0, said=said, retry=TWICE))
    assert engine.status(run_id) is RunStatus.FAILED
    assert len(begun(engine)) == 3
    assert asked_to_stop(engine) == set()
    assert engine.state(run_id).abandoned == {}


def in_loop(inner: StepDef) -> StepDef:
    """The second iteration of a loop."""
    return step("outer", kind="loop", config={"until": "false"}, body=(inner,))


def in_map(inner: StepDef) -> StepDef:
    """Three items of a map."""
    return step("outer", kind="map", config={"items": [1, 2, 3]}, body=(inner,))


def skip_outer(engine: Stage, run_id: str) -> None:
    """Skips the loop or map by hand."""
    engine.services.operate_step.skip(PROJECT, run_id, "outer", by="ada")


@pytest.mark.parametrize("way", ["cancel", "skip", "run timeout", "zombie"])
@pytest.mark.parametrize(("within", "count"), [("loop", 1), ("map", 3), ("fanned-out map", 3)])
@pytest.mark.parametrize("kind", LEAVES)
def test_what_is_inside_loops_and_maps_is_stopped_with_them(
    engine: Stage, kind: str, within: str, count: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every iteration's and item's, also of items that are runs of their own."""
    if within == "fanned-out map":
        monkeypatch.setattr(attempts, "FANOUT_ABOVE", 2)
    inner = LEAVES[kind]("long", seconds=LONG, timeout=600.0)
    outer = in_loop(inner) if within == "loop" else in_map(inner)
    run_id = engine.trigger(engine.define(outer, timeout=400.0 if way == "run timeout" else None, reaped=True))
    act = skip_outer if way == "skip" else WAYS[way][0]
    mine = play_with(engine, lambda: act(engine, run_id), sweeps=20)
    assert len(mine) == count
    assert engine.status(run_id).terminal
    assert asked_to_stop(engine) == {*engine.programs.stopped, *engine.service.stopped} == mine


def test_a_loops_timeout_stops_what_its_iteration_had_begun(engine: Stage) -> None:
    """The next attempt of the loop begins anew, beside nothing that is left of the first."""
    loop = step(
        "outer",
        kind="loop",
        config={"until": "true"},
        body=(parked("long", seconds=400.0),),
        timeout=100.0,
        retry=TWICE,
        on_failure=OnFailure.CONTINUE,
    )
    run_id = engine.run(loop)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert len(begun(engine)) == 2
    assert asked_to_stop(engine) == set(begun(engine))
    assert live(engine) == set()


@pytest.mark.parametrize("kind", LEAVES)
def test_a_childs_work_is_stopped_when_nobody_waits_for_the_child(engine: Stage, kind: str) -> None:
    """The end of the run above reaches it."""
    child = engine.define(LEAVES[kind]("long", seconds=LONG, timeout=600.0))
    above = engine.trigger(engine.define(step("child", kind="subrun", config={"job_id": child.id})))
    mine = play_with(engine, lambda: cancel(engine, above))
    assert len(mine) == 1
    assert asked_to_stop(engine) == {*engine.programs.stopped, *engine.service.stopped} == mine


# --- crashes -----------------------------------------------------------------------------------------------------------------


def test_the_program_of_a_burst_that_died_is_stopped_before_the_next_attempt(engine: Stage) -> None:
    """It may go on although nobody is left to hear it: at no moment are there two of one step."""
    run_id = engine.trigger(engine.define(program("long", seconds=58.0, retry=TWICE)))
    engine.die_at("before", "runs.renew")
    most = [0]
    engine.hooks.append(lambda _when, _name: most.append(len(live(engine))))
    engine.sweep(every=10.0, times=12)
    assert engine.died
    assert engine.status(run_id) is RunStatus.COMPLETED
    first, second = engine.programs.begun
    assert engine.programs.stopped == [first]
    assert first != second
    assert max(most) == 1


def test_work_that_was_handed_over_by_a_burst_that_died_is_stopped(engine: Stage) -> None:
    """Its step never came to wait for it; the next attempt has work of its own."""
    run_id = engine.trigger(engine.define(parked("long", seconds=200.0, retry=TWICE)))
    engine.die_at("before", "runs.append", 2)
    engine.sweep(times=5)
    first, second = engine.service.begun
    assert set(engine.service.stopped) == {first}
    assert live(engine) == set()
    assert second[1] > first[1]
    assert engine.status(run_id) is RunStatus.COMPLETED


@pytest.mark.parametrize("kind", LEAVES)
def test_a_fault_of_the_engine_in_an_attempt_stops_what_it_began(engine: Stage, kind: str) -> None:
    """The answer to the call that started the work may be all that was lost."""

    def fail(when: str, name: str) -> None:
        if (when, name) == ("after", "parking.start"):
            raise RuntimeError("no answer")

    engine.hooks.append(fail)
    said = {"breaks": True} if kind == "program" else {}
    run_id = engine.trigger(engine.define(LEAVES[kind]("long", seconds=50.0, said=said)))
    engine.play()
    (failed,) = engine.events(run_id, EventType.STEP_FAILED)
    assert failed.data["error"]["type"] == "EngineFault"
    assert asked_to_stop(engine) == set(begun(engine)) != set()
    assert live(engine) == set()


def cancel_whatever_dies(when: str, nth: int, kind: str) -> bool:
    """Cancels a run with work under way in a process that dies at that port call; False when it came to its end before."""
    engine = Stage()
    run_id = engine.trigger(engine.define(LEAVES[kind]("long", seconds=LONG, timeout=600.0)))
    died: list[str] = []

    def act() -> None:
        engine.die_at(when, None, nth)
        try:
            cancel(engine, run_id)
        except ProcessDied as death:
            died.append(str(death))
        finally:
            engine.hooks.clear()
        if engine.status(run_id) is not RunStatus.CANCELED:
            cancel(engine, run_id)  # somebody asks again

    mine = play_with(engine, act, sweeps=3)
    assert asked_to_stop(engine) == {*engine.programs.stopped, *engine.service.stopped} == mine != set()
    assert not engine.stores["runs"].due(engine.clock.now() + timedelta(days=400), 10)
    return bool(died)


@pytest.mark.parametrize("kind", LEAVES)
def test_wherever_the_process_that_cancels_dies_the_work_is_stopped(kind: str) -> None:
    """Before or after any port call: what it left undone the sweep does, and then looks no more."""
    for when in ("before", "after"):
        nth = 1
        while cancel_whatever_dies(when, nth, kind):
            nth += 1
        assert nth > 4


def test_a_stop_that_fails_is_made_again(engine: Stage) -> None:
    """The sweep comes back until the service has taken it, and then no more."""
    failing = [True]

    def hook(when: str, name: str) -> None:
        if failing[0] and (when, name) == ("before", "parking.stop"):
            raise RuntimeError("the service is away")

    engine.hooks.append(hook)
    run_id = engine.trigger(engine.define(parked("long", seconds=LONG)))
    engine.play(30)
    cancel(engine, run_id)
    engine.sweep(times=3)
    assert len(live(engine)) == 1
    failing[0] = False
    engine.sweep(times=1)
    assert live(engine) == set()
    stops = engine.calls["parking.stop"]
    engine.sweep(times=5)
    assert engine.calls["parking.stop"] == stops


@pytest.mark.parametrize("kind", LEAVES)
def test_a_cancel_that_comes_before_the_work_begins_keeps_it_from_beginning(engine: Stage, kind: str) -> None:
    """The attempt is in the journal, its work on the way: nobody would be there to stop it afterwards."""
    run_id = engine.trigger(engine.define(LEAVES[kind]("long", seconds=LONG, timeout=60.0)))

    def hook(when: str, name: str) -> None:
        if (when, name) == ("after", "runs.append") and engine.events(run_id, EventType.STEP_STARTED):
            engine.hooks.remove(hook)
            cancel(engine, run_id)

    engine.hooks.append(hook)
    engine.play()
    assert engine.status(run_id) is RunStatus.CANCELED
    assert len(asked_to_stop(engine)) == 1
    assert begun(engine) == []


# --- once it is done -----------------------------------------------------------------------------------------------------------


def test_what_is_known_to_be_stopped_is_not_stopped_again_and_again(engine: Stage) -> None:
    """A run of many attempts that were cut short asks no more for each than for the first, and its state does not grow with them."""
    many = RetryPolicy(40, Strategy.FIXED, 100.0)
    run_id = engine.trigger(engine.define(parked("long", said={"deadline": 50.0}, retry=many)))
    engine.play()
    assert engine.status(run_id) is RunStatus.TIMED_OUT
    assert len(engine.service.begun) == 40
    assert set(engine.service.stopped) == set(engine.service.begun)
    assert engine.calls["parking.stop"] <= 2 * 40
    assert len(engine.state(run_id).abandoned) <= 2


def test_what_is_left_at_that_moment_is_not_taken_for_stopped(engine: Stage) -> None:
    """Somebody settles a step just when a burst books others' ends and notes what it has stopped so far."""
    early = parked("early", said={"deadline": 5.0}, on_failure=OnFailure.CONTINUE)
    run_id = engine.trigger(engine.define(early, parked("long"), program("beside", seconds=20.0), ask("gate")))
    begun_at = engine.clock.now()

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append") and engine.clock.now() - begun_at >= timedelta(seconds=20):
            engine.hooks.remove(hook)
            skip(engine, run_id)

    engine.hooks.append(hook)
    engine.play(60)
    assert engine.steps(run_id)["long"] is StepStatus.SKIPPED
    assert len(engine.events(run_id, EventType.RUN_CLEARED)) == 1
    assert set(engine.service.stopped) == set(engine.service.begun)


def test_a_paused_run_stops_what_is_settled_by_hand(engine: Stage) -> None:
    """At once, although no burst comes before it is resumed; should that process die, at the sweep's next look."""
    for dies in (False, True):
        run_id = engine.trigger(engine.define(parked("long", seconds=LONG), call("after", "long")))
        engine.play(30)
        engine.services.hold.pause(PROJECT, run_id, "ada")
        if dies:
            engine.die_at("before", "parking.stop")
            with pytest.raises(ProcessDied):
                skip(engine, run_id)
            engine.sweep(times=2)
        else:
            skip(engine, run_id)
        assert engine.status(run_id) is RunStatus.PAUSED
        assert live(engine) == set()
        engine.services.hold.resume(PROJECT, run_id, "ada")
        engine.play(5)
        assert engine.steps(run_id) == {"long": StepStatus.SKIPPED, "after": StepStatus.SKIPPED}


def test_runs_that_leave_nothing_ask_for_nothing(engine: Stage) -> None:
    """Calls and waits, cut short or not, cost no request for it."""
    engine.http.on(url("slow"), 200, seconds=50.0)
    run_id = engine.trigger(engine.define(call("slow"), call("carried", timeout=100.0), rest("w", seconds=900.0)))
    play_with(engine, lambda: cancel(engine, run_id), sweeps=3)
    assert engine.status(run_id) is RunStatus.CANCELED
    assert (engine.calls["parking.stop"], engine.calls["blobs.put"]) == (0, 0)
    assert engine.state(run_id).abandoned == {}
