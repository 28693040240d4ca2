"""Retrying an ended run takes over what still holds of it."""

import pytest
from engine_stage import PROJECT, Stage, call, rest, step, url

from quintet.domain.definition import OnFailure, Plan
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.domain.status import RunStatus, StepStatus


def failed_run(engine: Stage) -> str:
    """a -> bad -> after, beside; `bad` fails the first time."""
    engine.http.on(url("bad"), 400, 200)
    steps = (call("a"), call("beside"), call("bad", "a", "beside"), call("after", "bad"))
    return engine.run(*steps, given={"n": 7})


def counts(engine: Stage) -> dict[str, int]:
    """How often each endpoint was called."""
    return {key: engine.http.count(url(key)) for key in ("a", "beside", "bad", "after")}


def again(engine: Stage, run_id: str, mode: str, key: str | None = None) -> str:
    """Retries and plays; the new run's id."""
    new = engine.services.retry_run(PROJECT, run_id, mode, key).id
    engine.play()
    return new


def test_from_failed_runs_only_what_failed_and_what_follows(engine: Stage) -> None:
    """Results of completed steps are taken over: their endpoints are not called again."""
    run_id = failed_run(engine)
    assert counts(engine) == {"a": 1, "beside": 1, "bad": 1, "after": 0}
    new = again(engine, run_id, "from_failed")
    assert counts(engine) == {"a": 1, "beside": 1, "bad": 2, "after": 1}
    assert engine.status(new) is RunStatus.COMPLETED
    state = engine.state(new)
    assert (state.steps["a"].reused_from, state.steps["bad"].reused_from) == (run_id, None)
    assert engine.result(new, "a") == engine.result(run_id, "a")
    assert state.input == {"n": 7}
    assert engine.of(new).trigger.source_id == run_id
    assert engine.status(run_id) is RunStatus.FAILED


def test_from_step_runs_the_step_and_all_that_depends_on_it(engine: Stage) -> None:
    """Of a completed run, everything from a step on is done anew."""
    run_id = engine.run(call("a"), call("beside"), call("bad", "a"), call("after", "bad"))
    new = again(engine, run_id, "from_step", "bad")
    assert counts(engine) == {"a": 1, "beside": 1, "bad": 2, "after": 2}
    assert engine.status(new) is RunStatus.COMPLETED


def test_full_runs_everything(engine: Stage) -> None:
    """Nothing is taken over."""
    run_id = failed_run(engine)
    new = again(engine, run_id, "full")
    assert counts(engine) == {"a": 2, "beside": 2, "bad": 2, "after": 1}
    assert all(step.reused_from is None for step in engine.state(new).steps.values())


def test_from_failed_of_a_completed_run_does_nothing_again(engine: Stage) -> None:
    """Everything is taken over, and the new run completes at once."""
    run_id = engine.run(call("a"), call("bad", "a"))
    new = again(engine, run_id, "from_failed")
    assert engine.status(new) is RunStatus.COMPLETED
    assert counts(engine)["a"] == counts(engine)["bad"] == 1


def test_a_retry_of_a_retry_takes_over_what_was_taken_over(engine: Stage) -> None:
    """Results pass from run to run."""
    engine.http.on(url("bad"), 400, 400, 200)
    run_id = engine.run(call("a"), call("bad", "a"))
    third = again(engine, again(engine, run_id, "from_failed"), "from_failed")
    assert engine.status(third) is RunStatus.COMPLETED
    assert (counts(engine)["a"], counts(engine)["bad"]) == (1, 3)


def test_from_failed_of_a_canceled_run(engine: Stage) -> None:
    """What was canceled is done; what had completed is not."""
    run_id = engine.trigger(engine.define(call("a"), rest("w", "a", seconds=100), call("after", "w")))
    engine.play(10)
    engine.services.cancel_run(PROJECT, run_id, "ada")
    new = again(engine, run_id, "from_failed")
    assert engine.status(new) is RunStatus.COMPLETED
    assert (counts(engine)["a"], counts(engine)["after"]) == (1, 1)


def test_a_loop_that_completed_is_not_looped_again(engine: Stage) -> None:
    """Loops and maps are taken over whole."""
    engine.http.on(url("bad"), 400, 200)
    loop = step("loop", kind="loop", config={"until": "iteration = 3"}, body=(call("a"),))
    run_id = engine.run(loop, call("bad", "loop"))
    new = again(engine, run_id, "from_failed")
    assert engine.http.count(url("a")) == 3
    assert engine.result(new, "loop") == engine.result(run_id, "loop")
    assert engine.status(new) is RunStatus.COMPLETED


def test_what_was_skipped_for_a_failure_runs_once_the_failure_is_mended(engine: Stage) -> None:
    """Dependants of a failed step get their chance."""
    engine.http.on(url("bad"), 400, 200)
    run_id = engine.run(call("bad", on_failure=OnFailure.SKIP_DEPENDANTS), call("after", "bad"))
    assert engine.steps(run_id)["after"] is StepStatus.SKIPPED
    new = again(engine, run_id, "from_failed")
    assert engine.steps(new) == {"bad": StepStatus.COMPLETED, "after": StepStatus.COMPLETED}


def test_what_its_condition_skipped_stays_skipped(engine: Stage) -> None:
    """The condition is judged again, on the same input and results."""
    engine.http.on(url("bad"), 400, 200)
    run_id = engine.run(call("a", when="input.yes"), call("beside", "a"), call("bad"), given={"yes": False})
    new = again(engine, run_id, "from_failed")
    assert engine.status(new) is RunStatus.COMPLETED
    assert counts(engine)["a"] == 0
    assert engine.steps(new)["a"] is StepStatus.SKIPPED


def test_large_results_are_taken_over_by_reference(engine: Stage) -> None:
    """The next step of the new run reads them."""
    engine.http.on(url("a"), (200, {"text": "x" * 100_000}))
    engine.http.on(url("bad"), 400, 200)
    size = step("size", "a", "bad", config={"values": {"n": "{% $length(steps.a.body.text) %}"}})
    run_id = engine.run(call("a"), call("bad"), size, given={"text": "y" * 50_000})
    new = again(engine, run_id, "from_failed")
    assert engine.result(new, "size") == {"n": 100_000}
    assert engine.services.payloads.get(engine.state(new).input) == {"text": "y" * 50_000}


def test_a_retry_keeps_to_the_old_version(engine: Stage) -> None:
    """Also after the job was revised, and after it was deleted."""
    engine.http.on(url("bad"), 400)
    job = engine.define(call("a"), call("bad", "a"))
    run_id = engine.trigger(job)
    engine.play()
    engine.services.define.revise(PROJECT, job.id, {}, Plan((call("other"),)), {"n": "new"})
    assert engine.of(again(engine, run_id, "full")).version == 1
    engine.services.delete_job(PROJECT, job.id)
    assert engine.of(again(engine, run_id, "from_failed")).version == 1
    assert counts(engine)["a"] == 2
    assert engine.http.count(url("other")) == 0


def test_a_retry_queues_under_its_concurrency_key(engine: Stage) -> None:
    """The cap holds for retries as well."""
    engine.http.on(url("bad"), 400, 200)
    run_id = engine.run(call("bad"), concurrency_key="k")
    engine.trigger(engine.define(rest("w", seconds=100)), concurrency_key="k")
    new = engine.services.retry_run(PROJECT, run_id).id
    assert engine.status(new) is RunStatus.QUEUED
    engine.play()
    assert engine.status(new) is RunStatus.COMPLETED


def test_a_run_under_way_cannot_be_retried(engine: Stage) -> None:
    """It has to end first."""
    run_id = engine.trigger(engine.define(rest("w", seconds=100)))
    for mode in ("from_failed", "full"):
        with pytest.raises(Conflict):
            engine.services.retry_run(PROJECT, run_id, mode)


@pytest.mark.parametrize(
    ("mode", "key", "place"),
    [("sideways", None, "mode"), ("from_step", None, "stepKey"), ("from_step", "nobody", "stepKey")],
)
def test_a_bad_request_names_the_field(engine: Stage, mode: str, key: str | None, place: str) -> None:
    """An unknown mode, a missing step, an unknown step."""
    run_id = engine.run(call("a"))
    with pytest.raises(Invalid) as caught:
        engine.services.retry_run(PROJECT, run_id, mode, key)
    assert caught.value.problems[0].place == (place,)
    assert engine.stores["runs"].count(PROJECT, None) == 1


def test_another_projects_run_is_not_found(engine: Stage) -> None:
    """Nor one that doesn't exist."""
    run_id = engine.run(call("a"))
    with pytest.raises(NotFound):
        engine.services.retry_run("other", run_id)
    with pytest.raises(NotFound):
        engine.services.retry_run(PROJECT, "nothing")


def test_from_step_before_something_that_never_ran(engine: Stage) -> None:
    """Restarting an earlier step runs what had not been reached, too."""
    engine.http.on(url("bad"), 400, 200)
    run_id = engine.run(call("a"), call("beside"), call("bad", "a"), call("after", "bad", "beside"))
    new = again(engine, run_id, "from_step", "beside")
    assert engine.status(new) is RunStatus.COMPLETED
    assert counts(engine) == {"a": 1, "beside": 2, "bad": 2, "after": 1}
