"""What programs report of the runs they work on, and what becomes of those that fall silent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, step, url

from quintet.domain.definition import OnFailure, RetryPolicy, StepDef, Strategy
from quintet.domain.errors import Conflict, Invalid, NotFound, TooLarge, Unauthenticated
from quintet.domain.events import EventType
from quintet.domain.run import Trigger
from quintet.domain.status import RunStatus, StepStatus
from quintet.services.report import Report
from quintet.services.tokens import RunToken

TWICE = RetryPolicy(2, Strategy.FIXED, 1.0)


def work(key: str = "call", *needed: str, **fields: Any) -> StepDef:
    """A step that calls the endpoint of its own name."""
    return step(key, *needed, kind="endpoint", config={"url": url(key)}, **fields)


def accepted(engine: Stage, *steps: StepDef, given: Any = None) -> str:
    """A run whose endpoints have all answered 202."""
    for one in steps:
        engine.http.on(url(one.key), 202)
    run_id = engine.trigger(engine.define(*steps), given)
    engine.play(1)
    return run_id


def sent(engine: Stage, key: str = "call") -> RunToken:
    """The token of the last call to an endpoint."""
    last = [request for request in engine.http.calls if request.url == url(key)][-1]
    return engine.services.run_tokens.read(last.headers["X-Run-Token"])


def beat(engine: Stage, run_id: str, every: float, times: int) -> None:
    """Signs of life, and a sweep a minute, as time passes."""
    for number in range(1, times + 1):
        engine.play(every)
        engine.services.report.heartbeat(RunToken(run_id), run_id)
        if number * every % 60 < every:
            engine.services.sweep()
            engine.play(0)


# --- reports that end the work -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["call", "run"])
@pytest.mark.parametrize("timeout", [50.0, 300.0])
def test_a_202_waits_until_the_work_is_reported_done(engine: Stage, whose: str, timeout: float) -> None:
    """With the token of the call or of the run; the reported result is the step's, and what follows goes on."""
    engine.http.on(url("call"), 202)
    run_id = engine.trigger(engine.define(work(timeout=timeout), step("after", "call")))
    engine.play(1)
    assert engine.steps(run_id)["call"] is StepStatus.WAITING
    assert engine.reasons(run_id) == ["report"]
    token = sent(engine) if whose == "call" else RunToken(run_id)

    engine.services.report.complete(token, run_id, {"rows": 3})
    engine.play()

    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "call") == {"rows": 3}
    assert engine.http.count(url("call")) == 1
    assert engine.of(run_id).duration == 1.0


def test_a_waiting_run_is_called_so_and_holds_nothing(engine: Stage) -> None:
    """No burst, no carrier, no timer: whoever works sends signs of life."""
    run_id = accepted(engine, work())
    assert engine.status(run_id) is RunStatus.WAITING
    assert not engine.stores["runs"].load(run_id).active
    assert engine.calls["timers.start"] == 0


@pytest.mark.parametrize("timeout", [50.0, 300.0])
@pytest.mark.parametrize("late", [202, 200, 500])
def test_the_work_may_be_done_before_the_call_is_answered(engine: Stage, timeout: float, late: int) -> None:
    """The report wins; the answer that comes after it is late and refused."""

    def done(request: Any) -> int:
        token = engine.services.run_tokens.read(request.headers["X-Run-Token"])
        engine.services.report.complete(token, token.run_id, "reported")
        return late

    engine.http.on(url("call"), done)
    engine.http.on(url("other"), 200, seconds=20)
    run_id = engine.trigger(engine.define(work(timeout=timeout, retry=TWICE), work("other", timeout=40.0)))
    engine.play()

    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "call") == "reported"
    assert len(engine.events(run_id, EventType.LATE_REFUSED)) == 1
    assert engine.http.count(url("call")) == 1


def test_of_racing_reports_one_wins(engine: Stage) -> None:
    """The loser learns of it, whatever it reports."""
    run_id = accepted(engine, work())
    token, first = sent(engine), []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "runs.append") and not first:
            first.append("first")
            engine.services.report.complete(RunToken(run_id), run_id, first[0])

    engine.hooks.append(hook)
    with pytest.raises(Conflict):
        engine.services.report.fail(token, run_id, "second")
    engine.hooks.clear()
    with pytest.raises(Conflict):
        engine.services.report.complete(token, run_id, "third")
    engine.play()
    assert engine.result(run_id, "call") == "first"
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_a_reported_failure_follows_the_retry_policy(engine: Stage) -> None:
    """The next attempt calls again; the last one's error is the run's."""
    run_id = accepted(engine, work(retry=TWICE))
    engine.services.report.fail(sent(engine), run_id, {"message": "disk full", "class": "DiskError", "disk": 2})
    engine.play(2)
    assert engine.http.count(url("call")) == 2
    assert [request.headers["X-Attempt"] for request in engine.http.calls] == ["1", "2"]
    engine.services.report.fail(sent(engine), run_id, "again")
    engine.play()
    run = engine.of(run_id)
    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("Reported", "again")
    errors = [event.data["error"] for event in engine.events(run_id, EventType.STEP_FAILED)]
    assert errors[0] == {"type": "DiskError", "message": "disk full", "details": {"disk": 2}, "reported": True}


@pytest.mark.parametrize("class_", ["Timeout", "Crashed", "HeartbeatLost"])
def test_a_program_does_not_choose_how_its_run_ends(engine: Stage, class_: str) -> None:
    """An error that is called like one of the engine's own is a failure like any other."""
    run_id = accepted(engine, work())
    engine.services.report.fail(sent(engine), run_id, {"message": "m", "class": class_}, retryable=False)
    engine.play()
    assert engine.status(run_id) is RunStatus.FAILED


def test_a_failure_for_good_is_not_tried_again(engine: Stage) -> None:
    """The program knows that it would not help."""
    run_id = accepted(engine, work(retry=TWICE))
    engine.services.report.fail(sent(engine), run_id, "no such customer", retryable=False)
    engine.play()
    assert engine.status(run_id) is RunStatus.FAILED
    assert engine.http.count(url("call")) == 1


@pytest.mark.parametrize("error", ["", {}, {"message": ""}, {"message": 3}, {"message": "x", "class": 3}])
def test_a_failure_says_what_failed(engine: Stage, error: Any) -> None:
    """And one that does not settles nothing."""
    run_id = accepted(engine, work())
    with pytest.raises(Invalid):
        engine.services.report.fail(sent(engine), run_id, error)
    assert engine.steps(run_id) == {"call": StepStatus.WAITING}


def test_a_reported_result_is_judged_like_an_answered_one(engine: Stage) -> None:
    """One that breaks the schema fails the step for good."""
    schema = {"type": "object", "required": ["id"]}
    config = {"url": url("call"), "result_schema": schema}
    run_id = accepted(engine, step("call", kind="endpoint", config=config, retry=TWICE))
    engine.services.report.complete(sent(engine), run_id, {})
    engine.play()
    run = engine.of(run_id)
    assert (run.status, run.error and run.error["type"]) == (RunStatus.FAILED, "InvalidResult")


def test_a_large_result_lies_outside_the_journal(engine: Stage) -> None:
    """As any other."""
    run_id = accepted(engine, work())
    engine.services.report.complete(sent(engine), run_id, "x" * 100_000)
    engine.play()
    assert engine.result(run_id, "call") == "x" * 100_000
    assert isinstance(engine.state(run_id).steps["call"].result, dict)


def test_a_report_after_the_attempts_time_is_refused(engine: Stage) -> None:
    """Before the sweep has seen it too."""
    run_id = accepted(engine, work(timeout=100.0))
    engine.clock.advance(100)
    with pytest.raises(Conflict, match="time"):
        engine.services.report.complete(sent(engine), run_id)


def test_a_step_that_never_reports_times_out_in_spite_of_heartbeats(engine: Stage) -> None:
    """The attempt's time is that of the whole work."""
    run_id = accepted(engine, work(timeout=100.0))
    beat(engine, run_id, 30, 3)
    assert engine.status(run_id) is RunStatus.WAITING
    engine.sweep(every=30, times=2)
    run = engine.of(run_id)
    assert (run.status, run.error and run.error["type"]) == (RunStatus.TIMED_OUT, "Timeout")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["runs.postpone", "runs.append", "runs.wake", "bursts.start"])
def test_a_report_survives_the_death_of_whoever_took_it(engine: Stage, when: str, call: str) -> None:
    """Once it is in the journal the sweep goes on with it; before that the program reports again."""
    run_id = accepted(engine, work())
    token = sent(engine)
    engine.die_at(when, call)
    with pytest.raises(ProcessDied):
        engine.services.report.complete(token, run_id, "done")
    engine.hooks.clear()
    if engine.steps(run_id)["call"] is not StepStatus.COMPLETED:
        engine.services.report.complete(token, run_id, "done")
    engine.sweep(times=3)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "call") == "done"
    assert engine.http.count(url("call")) == 1


# --- whom a token speaks for -------------------------------------------------------------------------------------------------

CALLS: dict[str, Callable[[Report, RunToken, str], Any]] = {
    "heartbeat": lambda report, token, run_id: report.heartbeat(token, run_id),
    "payload": lambda report, token, run_id: report.payload(token, run_id),
    "log": lambda report, token, run_id: report.log(token, run_id, "x"),
    "progress": lambda report, token, run_id: report.progress(token, run_id, 1),
    "annotate": lambda report, token, run_id: report.annotate(token, run_id, {"a": 1}),
    "checkpoint": lambda report, token, run_id: report.checkpoint(token, run_id, "s", {}),
    "output": lambda report, token, run_id: report.output(token, run_id, "k", 1),
    "spawn": lambda report, token, run_id: report.spawn(token, run_id, "nothing"),
    "complete": lambda report, token, run_id: report.complete(token, run_id),
    "fail": lambda report, token, run_id: report.fail(token, run_id, "x"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_token_serves_its_own_run_only(engine: Stage, call: Callable[..., Any]) -> None:
    """Another's is refused, and is no sign of life."""
    run_id, other = accepted(engine, work()), accepted(engine, work())
    with pytest.raises(Unauthenticated):
        call(engine.services.report, RunToken(other), run_id)
    with pytest.raises(NotFound):
        call(engine.services.report, RunToken("nowhere"), "nowhere")
    assert engine.stores["runs"].beaten(run_id) is None


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("whose", ["call", "run"])
@pytest.mark.parametrize("end", ["cancel", "complete"])
def test_an_ended_run_hears_nothing_more(engine: Stage, call: Callable[..., Any], whose: str, end: str) -> None:
    """A cancel reaches the endpoint with its next call."""
    run_id = accepted(engine, work())
    token = sent(engine) if whose == "call" else RunToken(run_id)
    if end == "cancel":
        engine.services.cancel_run(PROJECT, run_id, "ada")
    else:
        engine.services.report.complete(token, run_id)
    engine.play()
    before = engine.events(run_id)
    with pytest.raises(Conflict, match="run has ended"):
        call(engine.services.report, token, run_id)
    assert engine.events(run_id) == before


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_token_of_an_attempt_ends_with_it(engine: Stage, call: Callable[..., Any]) -> None:
    """While it rests, and when the next one is under way; that one's own token serves."""
    run_id = accepted(engine, work(retry=RetryPolicy(2, Strategy.FIXED, 30.0)))
    old = sent(engine)
    engine.services.report.fail(old, run_id, "x")
    engine.play(1)
    with pytest.raises(Conflict, match="over"):
        call(engine.services.report, old, run_id)
    engine.play(30)
    assert engine.http.count(url("call")) == 2
    with pytest.raises(Conflict, match="over"):
        call(engine.services.report, old, run_id)
    engine.services.report.complete(sent(engine), run_id)
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED


def test_of_several_endpoints_each_reports_with_its_own_token(engine: Stage) -> None:
    """The run's token can't say which is meant, but may still log and beat."""
    run_id = accepted(engine, work("a"), work("b"))
    report = engine.services.report
    with pytest.raises(Conflict, match="several"):
        report.complete(RunToken(run_id), run_id)
    report.log(RunToken(run_id), run_id, "from whom?")
    report.complete(sent(engine, "b"), run_id, "b's")
    report.complete(sent(engine, "a"), run_id, "a's")
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert (engine.result(run_id, "a"), engine.result(run_id, "b")) == ("a's", "b's")


def test_a_run_without_an_endpoint_at_work_takes_no_end(engine: Stage) -> None:
    """It waits for a person, not for a program."""
    run_id = engine.run(step("ask", kind="input"))
    with pytest.raises(Conflict, match="no endpoint"):
        engine.services.report.complete(RunToken(run_id), run_id)
    with pytest.raises(Conflict, match="no endpoint"):
        engine.services.report.progress(RunToken(run_id), run_id, 5)


def test_an_endpoint_in_a_loop_reports_for_its_own_iteration(engine: Stage) -> None:
    """Its token holds the path; the one of the iteration before is over."""
    loop = step("again", kind="loop", config={"until": "iteration = 2"}, body=(work(),))
    engine.http.on(url("call"), 202)
    run_id = engine.trigger(engine.define(loop))
    engine.play(1)
    first = sent(engine)
    engine.services.report.complete(first, run_id, 1)
    engine.play(1)
    second = sent(engine)
    assert (first.path, second.path) == ("again[1].call", "again[2].call")
    with pytest.raises(Conflict):
        engine.services.report.complete(first, run_id, 2)
    engine.services.report.complete(second, run_id, 2)
    engine.play()
    assert engine.result(run_id, "again")["last"]["call"] == 2


# --- signs of life -----------------------------------------------------------------------------------------------------------


def test_an_endpoint_that_falls_silent_has_crashed(engine: Stage) -> None:
    """Within two minutes, and for good: nobody knows how far it came."""
    run_id = accepted(engine, work(retry=TWICE))
    engine.sweep(every=58.5)
    assert engine.status(run_id) is RunStatus.WAITING
    engine.sweep()
    run = engine.of(run_id)
    assert (run.status, run.error and run.error["type"]) == (RunStatus.CRASHED, "HeartbeatLost")
    assert run.duration == 119.5
    assert engine.http.count(url("call")) == 1


@pytest.mark.parametrize("call", [name for name in CALLS if name not in ("complete", "fail", "spawn")])
def test_every_call_is_a_sign_of_life(engine: Stage, call: str) -> None:
    """A program that reports need not beat as well."""
    run_id = accepted(engine, work())
    for _ in range(4):
        engine.play(50)
        CALLS[call](engine.services.report, RunToken(run_id), run_id)
        engine.services.sweep()
    assert engine.status(run_id) is RunStatus.WAITING
    assert engine.stores["runs"].beaten(run_id) == engine.clock.now()


def test_beats_keep_a_run_alive_and_their_end_is_noticed(engine: Stage) -> None:
    """From the last one on."""
    run_id = accepted(engine, work(timeout=3600.0))
    beat(engine, run_id, 30, 40)
    assert engine.status(run_id) is RunStatus.WAITING
    last = engine.clock.now()
    engine.sweep(times=3)
    run = engine.of(run_id)
    assert run.status is RunStatus.CRASHED
    assert run.ended_at is not None
    assert timedelta(seconds=60) <= run.ended_at - last <= timedelta(seconds=121)


def test_one_silent_step_of_several_fails_by_its_own_policy(engine: Stage) -> None:
    """The run goes on where the plan says so."""
    run_id = accepted(engine, work("a", on_failure=OnFailure.CONTINUE), step("b", "a"))
    engine.sweep(times=3)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.steps(run_id) == {"a": StepStatus.FAILED, "b": StepStatus.COMPLETED}


def test_an_endpoint_that_still_answers_owes_no_sign(engine: Stage) -> None:
    """The open connection is one; its time is the call's."""
    engine.http.on(url("call"), 200, seconds=250)
    run_id = engine.trigger(engine.define(work()))
    for seconds in range(60, 250, 60):
        engine.later(seconds, engine.services.sweep)
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED


# --- what it says meanwhile --------------------------------------------------------------------------------------------------


def test_lines_of_a_program_stand_in_the_runs_log(engine: Stage) -> None:
    """With the step they belong to, their level, and their data."""
    run_id = accepted(engine, work())
    report = engine.services.report
    report.log(sent(engine), run_id, "hello")
    report.log(RunToken(run_id), run_id, "numbers", "warn", {"n": [1, 2]})
    with pytest.raises(Invalid):
        report.log(sent(engine), run_id, "x", "loud")
    lines = engine.stores["logs"].read(run_id, None, 100)
    ours = [line for line in lines if "POST" not in line.message]
    told = [(line.path, line.level, line.message, line.data) for line in ours]
    assert told == [("call", "info", "hello", None), ("call", "warn", "numbers", {"n": [1, 2]})]
    assert [line.text for line in ours] == ["hello", 'numbers {"n":[1,2]}']


def test_progress_is_an_event_of_the_live_step(engine: Stage) -> None:
    """In percent and in words; the same again is nothing new; a new attempt begins with none."""
    run_id = accepted(engine, work(retry=TWICE))
    report = engine.services.report
    for _ in range(2):
        report.progress(sent(engine), run_id, 40, "loading", "load", 12.5)
    report.progress(RunToken(run_id), run_id, 50.5)
    for percent in (-1, 101, float("nan")):
        with pytest.raises(Invalid):
            report.progress(sent(engine), run_id, percent)
    assert [event.data for event in engine.events(run_id, EventType.STEP_PROGRESS)] == [
        {"done": 40, "total": 100, "percent": 40, "message": "loading", "step": "load", "eta": 12.5},
        {"done": 50.5, "total": 100, "percent": 50.5},
    ]
    assert engine.state(run_id).steps["call"].progress == {"done": 50.5, "total": 100, "percent": 50.5}
    report.fail(sent(engine), run_id, "x")
    engine.play(2)
    assert engine.state(run_id).steps["call"].progress is None


def test_notes_become_metadata_of_the_run(engine: Stage) -> None:
    """They lie over what was there, as texts; null takes a name out; what says nothing new is no event."""
    engine.http.on(url("call"), 202)
    job = engine.define(work())
    run_id = engine.submit(job, metadata={"env": "prod", "old": "x"}).run.id
    engine.play(1)
    report = engine.services.report
    report.annotate(sent(engine), run_id, {"env": "test", "n": 3, "old": None, "never": None})
    report.annotate(RunToken(run_id), run_id, {"n": 3, "ok": True})
    report.annotate(RunToken(run_id), run_id, {"n": 3, "ok": True})
    wanted = {"env": "test", "n": "3", "ok": "true"}
    assert engine.of(run_id).asked["metadata"] == wanted
    assert len(engine.events(run_id, EventType.RUN_NOTED)) == 2
    report.complete(sent(engine), run_id)
    engine.play()
    assert engine.of(run_id).asked["metadata"] == wanted


@pytest.mark.parametrize(
    ("notes", "error"),
    [
        ({"": 1}, Invalid),
        ({"a" * 65: 1}, Invalid),
        ({"a": "x" * 1025}, Invalid),
        ({"a": [1]}, Invalid),
        ({"a": {}}, Invalid),
        ({"a": float("inf")}, Invalid),
        ({f"k{number}": 1 for number in range(65)}, TooLarge),
        ({f"k{number}": "x" * 1000 for number in range(9)}, TooLarge),
    ],
)
def test_notes_are_bounded(engine: Stage, notes: dict[str, Any], error: type[Exception]) -> None:
    """Every list of runs carries them."""
    run_id = accepted(engine, work())
    with pytest.raises(error):
        engine.services.report.annotate(sent(engine), run_id, notes)
    assert engine.events(run_id, EventType.RUN_NOTED) == []


def test_checkpoints_and_outputs_are_kept(engine: Stage) -> None:
    """Every checkpoint, in order; the last output of a name; large ones outside the record."""
    run_id = accepted(engine, work())
    report, records, payloads = engine.services.report, engine.stores["records"], engine.services.payloads
    ids = [report.checkpoint(sent(engine), run_id, "loader", {"at": number}) for number in range(3)]
    for value in ("old", "x" * 100_000):
        report.output(sent(engine), run_id, "file", value)
    kept = records.page(run_id, "checkpoint", 10, None)
    assert [(id_, body["source"], payloads.get(body["state"])) for id_, body in kept] == [
        (id_, "loader", {"at": number}) for number, id_ in enumerate(ids)
    ]
    ((key, body),) = records.page(run_id, "output", 10, None)
    assert (key, body["output_key"], payloads.get(body["value"])) == ("file", "file", "x" * 100_000)
    assert len(str(body)) < 1000
    for name in ("", " ", "x" * 257):
        with pytest.raises(Invalid):
            report.output(sent(engine), run_id, name, 1)
        with pytest.raises(Invalid):
            report.checkpoint(sent(engine), run_id, name, 1)


def test_a_program_reads_the_input_it_works_on(engine: Stage) -> None:
    """However large."""
    run_id = accepted(engine, work(), given={"a": "x" * 100_000})
    assert engine.services.report.payload(sent(engine), run_id) == {"a": "x" * 100_000}


def test_a_program_starts_further_runs(engine: Stage) -> None:
    """Of jobs of its run's project, one deeper, found from their parent; not without end."""
    child = engine.define(step("only"), name="child")
    run_id = accepted(engine, work())
    report = engine.services.report
    made = report.spawn(sent(engine), run_id, child.id, {"a": 1}, 7).run
    assert (made.trigger, made.depth, made.priority) == (Trigger("spawn", "run", run_id), 1, 7)
    engine.play(1)
    assert engine.services.payloads.get(engine.state(made.id).input) == {"a": 1}
    with pytest.raises(NotFound):
        report.spawn(sent(engine), run_id, "no such job")


# --- the trace ---------------------------------------------------------------------------------------------------------------


def test_the_journal_keeps_where_an_attempts_time_went(engine: Stage) -> None:
    """Of each attempt in its events, of the last one in the state, also of one that goes on after a 202."""
    engine.http.on(url("call"), 500, 202, seconds=2)
    run_id = engine.trigger(engine.define(work(retry=RetryPolicy(2, Strategy.FIXED, 30.0))))
    engine.play(10)
    (failed,) = engine.events(run_id, EventType.STEP_FAILED)
    assert failed.data["trace"]["total_ms"] == 2000.0
    assert engine.state(run_id).steps["call"].trace == failed.data["trace"]
    engine.play(30)
    (waiting,) = engine.events(run_id, EventType.STEP_WAITING)
    assert waiting.data["trace"]["dequeue_ms"] == 0.0  # from the end of the rest
    assert "trace" not in engine.state(run_id).steps["call"].wait
    engine.services.report.complete(sent(engine), run_id)
    engine.play()
    assert engine.state(run_id).steps["call"].trace == waiting.data["trace"]


def test_items_of_a_large_map_report_for_themselves(engine: Stage) -> None:
    """Each is a run of its own, with its own tokens; its lines stand in the log of the map's run."""
    each = step("each", kind="map", config={"items": "{% input %}", "max_concurrency": 100}, body=(work(),))
    engine.http.on(url("call"), 202)
    run_id = engine.trigger(engine.define(each), list(range(65)))
    engine.play(1)
    tokens = [engine.services.run_tokens.read(request.headers["X-Run-Token"]) for request in engine.http.calls]
    assert len({token.run_id for token in tokens}) == 65
    for number, token in enumerate(tokens):
        engine.services.report.log(token, token.run_id, f"line {number}")
        engine.services.report.complete(token, token.run_id, number)
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert len(engine.result(run_id, "each")) == 65
    lines = [line for line in engine.stores["logs"].read(run_id, None, 1000) if line.message.startswith("line")]
    assert {line.path for line in lines} == {f"each[{number}].call" for number in range(65)}
