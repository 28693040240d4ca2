"""Steps settled by hand."""

from typing import Any

import pytest
from engine_stage import PROJECT, Stage, ask, call, rest, step, url

from quintet.domain.definition import OnFailure, RetryPolicy, Strategy
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.events import EventType
from quintet.domain.status import RunStatus, StepStatus

SKIPPED, COMPLETED, CANCELED = StepStatus.SKIPPED, StepStatus.COMPLETED, StepStatus.CANCELED
SLOW = RetryPolicy(3, Strategy.FIXED, 600.0)


def skip(engine: Stage, run_id: str, path: str, **said: Any) -> None:
    """Skips a step, and plays what follows."""
    engine.services.operate_step.skip(PROJECT, run_id, path, by="ada", **said)
    engine.play()


def complete(engine: Stage, run_id: str, path: str, output: Any) -> None:
    """Completes a step, and plays what follows."""
    engine.services.operate_step.complete(PROJECT, run_id, path, output, by="ada")
    engine.play()


def test_a_skipped_step_lets_a_dependant_run_that_has_another_one(engine: Stage) -> None:
    """To what depends on it, a step skipped by hand is one skipped by its condition: it blocks only where nothing else ran."""
    run_id = engine.run(ask("gate"), call("other"), call("both", "gate", "other"), call("only", "gate"))
    skip(engine, run_id, "gate", reason="not needed today")
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.steps(run_id) == {"gate": SKIPPED, "other": COMPLETED, "both": COMPLETED, "only": SKIPPED}
    (event,) = [one for one in engine.events(run_id, EventType.STEP_SKIPPED) if one.path == "gate"]
    assert event.data == {"reason": "by_hand", "by": "ada", "message": "not needed today"}


def test_a_step_whose_turn_has_not_come_can_be_skipped(engine: Stage) -> None:
    """It is never started, and what comes after its dependencies goes on without it."""
    run_id = engine.run(ask("gate"), call("later", "gate"), call("beside", "gate"))
    skip(engine, run_id, "later")
    assert engine.status(run_id) is RunStatus.WAITING
    engine.services.answer_step(PROJECT, run_id, "gate", approved=True, by="ada")
    engine.play()
    assert engine.steps(run_id) == {"gate": COMPLETED, "later": SKIPPED, "beside": COMPLETED}
    assert engine.http.count(url("later")) == 0


def test_the_outcome_of_a_step_skipped_at_work_comes_too_late(engine: Stage) -> None:
    """The call ends as it ends; the journal notes the refusal, and the step stays skipped."""
    engine.http.on(url("slow"), 200, seconds=30)
    run_id = engine.trigger(engine.define(call("slow"), call("other"), call("next", "slow", "other")))
    engine.later(5, lambda: engine.services.operate_step.skip(PROJECT, run_id, "slow", by="ada"))
    engine.play()
    assert engine.steps(run_id) == {"slow": SKIPPED, "other": COMPLETED, "next": COMPLETED}
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_completed_steps_output_is_what_others_see(engine: Stage) -> None:
    """The result given by hand goes on as if the step had come to it."""
    shows = step("after", "gate", kind="set", config={"values": {"seen": "{% steps.gate.n %}"}})
    run_id = engine.run(ask("gate"), shows)
    complete(engine, run_id, "gate", {"n": 7})
    assert engine.result(run_id, "after") == {"seen": 7}
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_large_output_lies_outside_the_journal(engine: Stage) -> None:
    """As large results do."""
    run_id = engine.run(ask("gate"))
    complete(engine, run_id, "gate", "x" * 100_000)
    assert engine.result(run_id, "gate") == "x" * 100_000
    (event,) = engine.events(run_id, EventType.STEP_COMPLETED)
    assert event.data["result"]["size"] == 100_002


@pytest.mark.parametrize("way", ["skip", "complete"])
def test_the_child_of_a_step_settled_by_hand_is_canceled(engine: Stage, way: str) -> None:
    """Nobody waits for it any more."""
    child = engine.define(ask("forever"), name="child")
    run_id = engine.run(step("child", kind="subrun", config={"job_id": child.id}), call("after", "child"))
    (waiting,) = [one for one in engine.stores["runs"].page(PROJECT, None, 10, 0) if one.parent]
    skip(engine, run_id, "child") if way == "skip" else complete(engine, run_id, "child", 1)
    assert engine.status(waiting.id) is RunStatus.CANCELED
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.steps(run_id) == (
        {"child": SKIPPED, "after": SKIPPED} if way == "skip" else dict.fromkeys(("child", "after"), COMPLETED)
    )


def test_a_child_is_canceled_though_the_process_that_skipped_died(engine: Stage) -> None:
    """What the journal says is done by whoever looks at the run next."""
    child = engine.define(ask("forever"), name="child")
    run_id = engine.run(step("child", kind="subrun", config={"job_id": child.id}))
    (waiting,) = [one for one in engine.stores["runs"].page(PROJECT, None, 10, 0) if one.parent]
    engine.die_at("after", "runs.append")
    engine.later(0, lambda: engine.services.operate_step.skip(PROJECT, run_id, "child", by="ada"))
    engine.play()
    assert engine.died
    engine.sweep(times=2)
    assert engine.status(waiting.id) is RunStatus.CANCELED
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_loop_skipped_by_hand_ends_with_what_is_in_it(engine: Stage) -> None:
    """Its iteration is canceled, and nothing of it goes on."""
    loop = step("poll", kind="loop", config={"while": "true", "max_iterations": 9}, body=(ask("inner"),))
    run_id = engine.run(loop, call("beside"), call("after", "poll", "beside"))
    skip(engine, run_id, "poll")
    assert engine.steps(run_id) == {"poll": SKIPPED, "poll[1].inner": CANCELED, "beside": COMPLETED, "after": COMPLETED}


def test_a_step_inside_a_loop_is_skipped_by_its_path(engine: Stage) -> None:
    """The iteration goes on without it."""
    loop = step("poll", kind="loop", config={"until": "true", "max_iterations": 2}, body=(ask("inner"), call("work")))
    run_id = engine.run(loop)
    skip(engine, run_id, "poll[1].inner")
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.steps(run_id)["poll[1].inner"] is SKIPPED


@pytest.mark.parametrize(
    ("first", "second"), [("skip", "complete"), ("complete", "skip"), ("skip", "skip"), ("complete", "answer")]
)
def test_of_racing_interventions_one_is_taken(engine: Stage, first: str, second: str) -> None:
    """The other learns of it, though both decided on the same journal position."""
    run_id = engine.run(ask("gate"), call("after", "gate"))
    operate = engine.services.operate_step
    acts = {
        "skip": lambda: operate.skip(PROJECT, run_id, "gate", by="ada"),
        "complete": lambda: operate.complete(PROJECT, run_id, "gate", 1, by="ada"),
        "answer": lambda: engine.services.answer_step(PROJECT, run_id, "gate", approved=True, by="bob"),
    }
    done: list[str] = []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append") and not done:
            done.append(first)
            acts[first]()

    engine.hooks.append(hook)
    with pytest.raises(Conflict):
        acts[second]()
    engine.hooks.clear()
    engine.play()
    assert engine.steps(run_id)["gate"] is (SKIPPED if first == "skip" else COMPLETED)
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_steps_own_end_and_a_skip_race_to_one_end(engine: Stage) -> None:
    """Whoever appends first; the other is refused."""
    run_id = engine.run(rest("sleep", seconds=600), timeout=None)
    engine.play(600)
    assert engine.steps(run_id) == {"sleep": COMPLETED}
    with pytest.raises(Conflict):
        engine.services.operate_step.skip(PROJECT, run_id, "sleep", by="ada")


def test_a_sleep_completed_by_hand_ends_at_once(engine: Stage) -> None:
    """Its time does not matter any more, nor does its timer do harm."""
    run_id = engine.trigger(engine.define(rest("sleep", seconds=3600), call("after", "sleep")))
    engine.play(60)
    engine.services.operate_step.complete(PROJECT, run_id, "sleep", {}, by="ada")
    engine.play(10)
    assert engine.status(run_id) is RunStatus.COMPLETED
    engine.play()
    assert engine.http.count(url("after")) == 1


def test_a_retry_by_hand_comes_at_once(engine: Stage) -> None:
    """The rest between attempts ends; the attempts are counted as before."""
    engine.http.on(url("work"), 500)
    run_id = engine.trigger(engine.define(call("work", retry=SLOW)))
    engine.play(60)
    assert engine.http.count(url("work")) == 1
    engine.services.operate_step.retry(PROJECT, run_id, "work", by="ada")
    engine.play(10)
    assert engine.http.count(url("work")) == 2
    assert engine.state(run_id).steps["work"].attempt == 2
    engine.services.operate_step.retry(PROJECT, run_id, "work", by="ada")
    with pytest.raises(Conflict):  # somebody has just asked for the same attempt
        engine.services.operate_step.retry(PROJECT, run_id, "work", by="bob")
    engine.play(10)
    assert engine.http.count(url("work")) == 3
    assert engine.status(run_id) is RunStatus.FAILED


def test_a_step_that_rests_between_attempts_can_be_skipped(engine: Stage) -> None:
    """It is not tried again."""
    engine.http.on(url("work"), 500)
    run_id = engine.trigger(engine.define(call("work", retry=SLOW), call("other"), call("after", "work", "other")))
    engine.play(60)
    engine.services.operate_step.skip(PROJECT, run_id, "work", by="ada")
    engine.play()
    assert engine.http.count(url("work")) == 1
    assert engine.steps(run_id) == {"work": SKIPPED, "other": COMPLETED, "after": COMPLETED}


def test_an_ended_run_is_retried_from_a_step_as_a_new_run(engine: Stage) -> None:
    """What came before the step is taken over; what comes after it is done again."""
    engine.http.on(url("work"), 500)
    run_id = engine.run(call("before"), call("work", "before"))
    assert engine.status(run_id) is RunStatus.FAILED
    engine.http.on(url("work"), 200)
    again = engine.services.operate_step.retry(PROJECT, run_id, "work", by="ada")
    engine.play()
    assert again.id != run_id
    assert engine.status(again.id) is RunStatus.COMPLETED
    assert engine.http.count(url("before")) == 1


@pytest.mark.parametrize("on_failure", [OnFailure.CONTINUE, OnFailure.SKIP_DEPENDANTS])
def test_a_step_that_failed_for_good_is_not_retried_while_its_run_goes_on(engine: Stage, on_failure: OnFailure) -> None:
    """What depends on it has gone on already."""
    engine.http.on(url("work"), 500)
    run_id = engine.run(call("work", on_failure=on_failure), ask("gate"))
    for act in (engine.services.operate_step.retry, engine.services.operate_step.skip):
        with pytest.raises(Conflict):
            act(PROJECT, run_id, "work", by="ada")


def test_what_can_not_be_operated_is_refused(engine: Stage) -> None:
    """Unknown steps, foreign runs, ended runs, and runs that have not started."""
    operate = engine.services.operate_step
    run_id = engine.run(ask("gate"))
    for project, path in ((PROJECT, "nothing"), ("other", "gate")):
        for act in (operate.skip, operate.retry):
            with pytest.raises(NotFound):
                act(project, run_id, path, by="ada")
    with pytest.raises(Conflict):
        operate.retry(PROJECT, run_id, "gate", by="ada")
    skip(engine, run_id, "gate")
    with pytest.raises(Conflict):
        operate.skip(PROJECT, run_id, "gate", by="ada")
    held = engine.define(ask("gate"))
    engine.trigger(held, concurrency_key="k")
    queued = engine.trigger(held, concurrency_key="k")
    with pytest.raises(Conflict):
        operate.skip(PROJECT, queued, "gate", by="ada")


def test_a_paused_run_takes_interventions_and_goes_on_when_resumed(engine: Stage) -> None:
    """What depends on the step waits for the run to go on."""
    run_id = engine.run(ask("gate"), call("other"), call("after", "gate", "other"))
    engine.services.hold.pause(PROJECT, run_id, "ada")
    engine.play()
    skip(engine, run_id, "gate")
    assert engine.status(run_id) is RunStatus.PAUSED
    assert engine.http.count(url("after")) == 0
    engine.services.hold.resume(PROJECT, run_id, "ada")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.http.count(url("after")) == 1
