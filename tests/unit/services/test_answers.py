"""Steps that wait for a person."""

from datetime import timedelta
from typing import Any

import pytest
from engine_stage import PROJECT, Stage, ask, call, step, url

from quintet.domain.definition import OnFailure
from quintet.domain.errors import Conflict, Forbidden, Invalid, NotFound
from quintet.domain.status import RunStatus, StepStatus


def asking(engine: Stage, **fields: Any) -> str:
    """A run that waits for an answer to `ask`."""
    run_id = engine.run(ask("ask", **fields), call("after", "ask"))
    assert engine.status(run_id) is RunStatus.WAITING
    return run_id


def test_an_approval_goes_on_with_the_answer_as_result(engine: Stage) -> None:
    """Who, when, what: the answer is the step's result, and the run goes on."""
    run_id = asking(engine)
    engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="ada", comment="fine", fields={})
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "ask") == {
        "approved": True,
        "by": "ada",
        "at": "2026-01-01T00:00:00.000Z",
        "comment": "fine",
        "fields": {},
    }
    assert engine.http.count(url("after")) == 1


def test_a_rejection_fails_the_step_for_good(engine: Stage) -> None:
    """A rejected step fails without another attempt, and the run with it."""
    run_id = asking(engine)
    engine.services.answer_step(PROJECT, run_id, "ask", approved=False, by="ada", comment="too dear")
    engine.play()
    run = engine.of(run_id)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("Rejected", "rejected by ada: too dear")


def test_a_rejection_follows_the_steps_policy(engine: Stage) -> None:
    """With `continue` a rejection doesn't stop the run."""
    run_id = asking(engine, on_failure=OnFailure.CONTINUE)
    engine.services.answer_step(PROJECT, run_id, "ask", approved=False, by="ada")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.steps(run_id) == {"ask": StepStatus.FAILED, "after": StepStatus.COMPLETED}


def test_of_racing_answers_one_wins(engine: Stage) -> None:
    """A second answer that decides on the same journal position loses and learns of it."""
    run_id = asking(engine)
    first: list[str] = []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append") and not first:
            first.append("ada")
            engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="ada")

    engine.hooks.append(hook)
    with pytest.raises(Conflict):
        engine.services.answer_step(PROJECT, run_id, "ask", approved=False, by="bob")
    engine.hooks.clear()
    engine.play()
    assert engine.result(run_id, "ask")["by"] == "ada"
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_only_approvers_may_answer(engine: Stage) -> None:
    """Nobody outside the list, whichever way; those on it may."""
    run_id = asking(engine, config={"approvers": ["ada", "bob"]})
    for approved in (True, False):
        with pytest.raises(Forbidden):
            engine.services.answer_step(PROJECT, run_id, "ask", approved=approved, by="eve")
    engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="bob")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_fields_are_checked_and_an_answer_that_fails_can_be_given_again(engine: Stage) -> None:
    """Every fault of the fields is named, nothing is settled, and a good answer is taken afterwards."""
    form = {"amount": {"type": "number", "required": True, "maximum": 10}, "note": {"type": "string"}}
    run_id = asking(engine, config={"fields": form})
    with pytest.raises(Invalid) as caught:
        engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="ada", fields={"note": 3, "x": 1})
    assert {problem.place for problem in caught.value.problems} == {
        ("fields", "amount"),
        ("fields", "note"),
        ("fields", "x"),
    }
    with pytest.raises(Invalid):
        engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="ada", fields={"amount": 11})
    engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="ada", fields={"amount": 9.5})
    engine.play()
    assert engine.result(run_id, "ask")["fields"] == {"amount": 9.5}


def test_nobody_answering_in_time_fails_the_step(engine: Stage) -> None:
    """The deadline of an answer ends the wait at its second."""
    run_id = engine.run(ask("ask", config={"timeout_seconds": 600}))
    run = engine.of(run_id)
    assert (run.status, run.duration) == (RunStatus.TIMED_OUT, 600.0)
    assert run.error is not None
    assert run.error["type"] == "Timeout"


@pytest.mark.parametrize("path", ["nothing", "after"])
def test_what_does_not_wait_cannot_be_answered(engine: Stage, path: str) -> None:
    """An unknown step is not found; one that waits for no answer is a conflict."""
    run_id = asking(engine)
    with pytest.raises(NotFound if path == "nothing" else Conflict):
        engine.services.answer_step(PROJECT, run_id, path, approved=True, by="ada")


def test_another_projects_step_is_not_found(engine: Stage) -> None:
    """A run can't be answered from another project."""
    run_id = asking(engine)
    with pytest.raises(NotFound):
        engine.services.answer_step("other", run_id, "ask", approved=True, by="ada")


def test_an_ended_run_takes_no_answer(engine: Stage) -> None:
    """After a cancel the answer is refused."""
    run_id = asking(engine)
    engine.services.cancel_run(PROJECT, run_id, "ada")
    with pytest.raises(Conflict):
        engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="ada")


def test_an_answer_that_comes_while_the_burst_works_is_not_lost(engine: Stage) -> None:
    """An answer during another step's attempt is seen by the burst that is active."""
    engine.http.on(url("slow"), 200, seconds=30)
    run_id = engine.trigger(engine.define(ask("ask"), call("after", "ask"), call("slow")))
    engine.later(10, lambda: engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="ada"))
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.of(run_id).duration == 30.0
    assert engine.calls["bursts.start"] == 1


def test_an_answer_inside_a_loop_is_addressed_by_its_path(engine: Stage) -> None:
    """Each iteration asks anew."""
    loop = step("again", kind="loop", config={"until": "iteration = 2"}, body=(ask("ask"),))
    run_id = engine.run(loop)
    for index in (1, 2):
        assert [entry["step"] for entry in engine.services.reading.waiting(PROJECT, run_id)] == [f"again[{index}].ask"]
        engine.services.answer_step(PROJECT, run_id, f"again[{index}].ask", approved=True, by=f"person {index}")
        engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "again")["last"]["ask"]["by"] == "person 2"


def test_a_waiting_run_says_what_for_and_until_when(engine: Stage) -> None:
    """The message and the deadline of the question are the answer to why a run waits."""
    run_id = engine.trigger(engine.define(ask("ask", config={"message": "Pay?", "timeout_seconds": 600})))
    engine.play(1)
    (reason,) = engine.services.reading.waiting(PROJECT, run_id)
    assert (reason["reason"], reason["step"], reason["detail"]) == ("input", "ask", "Pay?")
    assert reason["until"] - reason["since"] == timedelta(seconds=600)


def test_an_answer_after_the_deadline_is_refused(engine: Stage) -> None:
    """Whoever is late is told so, also before the timer has been heard."""
    engine.lose.add("timers")
    run_id = asking(engine, config={"timeout_seconds": 60})
    engine.clock.advance(61)
    with pytest.raises(Conflict, match="its time is over"):
        engine.services.answer_step(PROJECT, run_id, "ask", approved=True, by="ada")
