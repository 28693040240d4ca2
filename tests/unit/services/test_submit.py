"""Triggers and their jobs' terms: schema, idempotency, rates, deduplication, windows, slots."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from engine_stage import Stage, call, rest, url

from quintet.domain.errors import Conflict, Disabled, QuintetError, Unprocessable
from quintet.domain.job import Job
from quintet.domain.limits import RateLimited
from quintet.domain.run import Trigger
from quintet.domain.status import RunStatus
from quintet.domain.terms import RateLimit, Terms
from quintet.services.asks import Ask, Submitted


def job_with(engine: Stage, seconds: float = 0.0, **terms: Any) -> Job:
    """A job of one call, or of one rest, on these terms."""
    body = rest("w", seconds=seconds) if seconds else call("a")
    return engine.define(body, terms=Terms(follows=True, **terms))


def hows(answers: list[Submitted | QuintetError]) -> list[str]:
    """What became of many triggers."""
    return [answer.how if isinstance(answer, Submitted) else type(answer).__name__ for answer in answers]


def test_a_disabled_job_takes_no_triggers(engine: Stage) -> None:
    """It is refused before anything else is looked at."""
    job = replace(job_with(engine, payload_schema=False), status="disabled")
    with pytest.raises(Disabled, match="is disabled"):
        engine.submit(job)


def test_a_payload_is_judged_by_the_jobs_schema(engine: Stage) -> None:
    """Every fault is named with its place below `payload`, and nothing is started."""
    job = job_with(
        engine, payload_schema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    )
    with pytest.raises(Unprocessable) as refused:
        engine.submit(job, {"n": "one"})
    assert [fault.place for fault in refused.value.problems] == [("payload", "n")]
    assert engine.submit(job, {"n": 1}).how == "created"
    assert engine.services.runs.count("project", None) == 1


def test_an_idempotency_key_makes_one_run(engine: Stage) -> None:
    """The same key with the same payload is the same run, for ever; with another payload it is a conflict."""
    job = job_with(engine)
    first = engine.submit(job, {"n": 1}, idempotency_key="k")
    engine.play(10 * 86_400)
    again = engine.submit(job, {"n": 1}, idempotency_key="k")
    assert (again.how, again.run.id) == ("idempotent", first.run.id)
    with pytest.raises(Conflict, match="another payload"):
        engine.submit(job, {"n": 2}, idempotency_key="k")
    other = job_with(engine)
    assert engine.submit(other, {"n": 1}, idempotency_key="k").how == "created"
    assert engine.http.count(url("a")) == 1


def test_a_rate_holds_within_its_window(engine: Stage) -> None:
    """What is above the rate is refused until the window that the first run opened is over; the answer says when."""
    job = job_with(engine, rates=(RateLimit(2, 60),))
    begun = engine.clock.now()
    left = []
    for _ in range(2):
        allowance = engine.submit(job).limit
        assert allowance is not None
        left.append(allowance.remaining)
    engine.play(20)
    with pytest.raises(RateLimited) as refused:
        engine.submit(job)
    assert left == [1, 0]
    assert refused.value.allowance.resets_at == begun + timedelta(seconds=60)
    assert 39 <= refused.value.retry_after <= 40
    engine.play(41)
    assert engine.submit(job).how == "created"


def test_a_named_rate_counts_each_value_apart(engine: Stage) -> None:
    """The value is looked for in the payload, then in the tags; a run without it is not limited."""
    job = job_with(engine, rates=(RateLimit(1, 60, "user.id"),))
    engine.submit(job, {"user": {"id": 1}})
    engine.submit(job, {"user": {"id": 2}})
    engine.submit(job, {})
    engine.submit(job, {}, tags={"user.id": "x"})
    for given, tags in (({"user": {"id": 1}}, {}), ({}, {"user.id": "x"})):
        with pytest.raises(RateLimited):
            engine.submit(job, given, tags=tags)
    engine.submit(job, {})


def test_an_idempotent_trigger_costs_no_rate(engine: Stage) -> None:
    """The key is looked at before the rate: a repeated request is answered even when the rate is met."""
    job = job_with(engine, rates=(RateLimit(1, 60),))
    first = engine.submit(job, idempotency_key="k")
    assert engine.submit(job, idempotency_key="k").run.id == first.run.id


def test_a_duplicate_payload_is_the_same_run_for_a_while(engine: Stage) -> None:
    """Within the window, whatever the order of its keys; the rate comes first and counts it."""
    job = job_with(engine, dedup_window=60, rates=(RateLimit(2, 3600),))
    first = engine.submit(job, {"a": 1, "b": 2})
    again = engine.submit(job, {"b": 2, "a": 1})
    assert (again.how, again.run.id) == ("duplicate", first.run.id)
    with pytest.raises(RateLimited):
        engine.submit(job, {"a": 1, "b": 2})
    free = job_with(engine, dedup_window=60)
    known = engine.submit(free, {"a": 1})
    engine.play(61)
    assert engine.submit(free, {"a": 1}).run.id != known.run.id


def test_a_run_starts_within_the_window(engine: Stage) -> None:
    """Outside the execution window it is delayed to the window's next minute; inside it starts at once."""
    job = job_with(engine, window_cron="* 9-16 * * *", timezone="Europe/Berlin")
    engine.clock.advance_to(datetime.fromisoformat("2026-03-28T18:30:00+00:00"))
    outside = engine.submit(job).run
    assert (outside.status, outside.scheduled_at) == (
        RunStatus.DELAYED,
        datetime.fromisoformat("2026-03-29T07:00:00+00:00"),
    )
    engine.clock.advance_to(datetime.fromisoformat("2026-03-29T14:59:59+00:00"))
    assert engine.submit(job).run.status is RunStatus.EXECUTING
    later = engine.submit(job, at=datetime.fromisoformat("2026-03-30T03:00:00+00:00")).run
    assert later.scheduled_at == datetime.fromisoformat("2026-03-30T07:00:00+00:00")


def test_a_delayed_run_starts_at_its_second(engine: Stage) -> None:
    """Not before, and with its slot."""
    job = job_with(engine, max_concurrency=1)
    run = engine.submit(job, at=engine.clock.now() + timedelta(seconds=90)).run
    engine.play(89)
    assert engine.status(run.id) is RunStatus.DELAYED
    engine.play(2)
    assert engine.status(run.id) is RunStatus.COMPLETED


def test_what_does_not_start_in_time_expires(engine: Stage) -> None:
    """A queued or delayed run past its time is expired by the sweep, and never starts."""
    job = job_with(engine, seconds=1000, max_concurrency=1, ttl=100)
    engine.submit(job)
    queued = engine.submit(job).run
    delayed = engine.submit(job, at=engine.clock.now() + timedelta(seconds=500), ttl=30).run
    engine.sweep(times=3)
    assert (engine.status(queued.id), engine.status(delayed.id)) == (RunStatus.EXPIRED, RunStatus.EXPIRED)
    engine.play()
    assert engine.of(queued.id).started_at is None


def test_an_expired_run_is_not_admitted(engine: Stage) -> None:
    """A slot that is freed after its time goes to the next, though no sweep has come by."""
    job = job_with(engine, seconds=100, max_concurrency=1)
    engine.submit(job)
    late = engine.submit(job, ttl=50).run
    patient = engine.submit(job).run
    engine.play(101)
    assert (engine.status(late.id), engine.of(patient.id).started_at is not None) == (RunStatus.EXPIRED, True)


@pytest.mark.parametrize("how", ["one by one", "at once"])
def test_a_jobs_concurrency_is_never_exceeded(engine: Stage, how: str) -> None:
    """Of many triggers as many run as the job allows, and all of them in the end, by priority and age."""
    job = job_with(engine, seconds=100, max_concurrency=3)
    asks = [Ask(priority=number % 3) for number in range(12)]
    runs = [
        answer.run
        for answer in (
            [engine.services.submit(job, ask) for ask in asks]
            if how == "one by one"
            else engine.services.submit.many(job, asks)
        )
        if isinstance(answer, Submitted)
    ]
    for _ in range(4):
        engine.play(50)
        live = [run for run in runs if engine.status(run.id) in {RunStatus.EXECUTING, RunStatus.WAITING}]
        assert len(live) == 3
        engine.play(50)
    engine.play()
    assert {engine.status(run.id) for run in runs} == {RunStatus.COMPLETED}
    begun = sorted(runs, key=lambda run: (engine.of(run.id).started_at, -run.priority, run.id))
    expected = sorted(runs if how == "at once" else runs[3:], key=lambda run: (-run.priority, run.id))
    assert [run.id for run in begun][-9:] == [run.id for run in expected][-9:]


def test_a_full_key_is_in_nobody_elses_way(engine: Stage) -> None:
    """Runs of another key pass those that wait for theirs, though these are older and the job has room."""
    job = job_with(engine, seconds=100, max_concurrency=3, max_concurrency_per_key=1)
    busy = [engine.submit(job, concurrency_key="a").run for _ in range(5)]
    free = [engine.submit(job, concurrency_key=key).run for key in "bc"]
    engine.play(10)
    assert [engine.of(run.id).started_at is not None for run in busy] == [True, False, False, False, False]
    assert all(engine.of(run.id).started_at for run in free)
    engine.play(100)
    assert [engine.of(run.id).started_at is not None for run in busy] == [True, True, False, False, False]
    engine.play()
    assert {engine.status(run.id) for run in (*busy, *free)} == {RunStatus.COMPLETED}


def test_a_freed_place_goes_to_the_higher_priority_of_two_queues(engine: Stage) -> None:
    """A run that waits for its key is not passed by a lower one that waits for the job only."""
    job = job_with(engine, seconds=100, max_concurrency=1, max_concurrency_per_key=1)
    other = job_with(engine, seconds=100, max_concurrency_per_key=1)
    engine.submit(job, concurrency_key="k")
    engine.submit(other, concurrency_key="k")
    high = engine.submit(job, concurrency_key="k", priority=9).run
    low = engine.submit(job, priority=1).run
    engine.play(150)
    began = [engine.of(run.id).started_at for run in (high, low)]
    assert sum(moment is not None for moment in began) == 1


def test_a_job_that_skips_takes_one_run_at_a_time(engine: Stage) -> None:
    """A trigger while one is active is refused; a schedule's moment is passed over."""
    job = job_with(engine, seconds=100, skip_if_running=True)
    engine.submit(job)
    with pytest.raises(Conflict, match="skips"):
        engine.submit(job)
    engine.play(101)
    assert engine.submit(job).how == "created"


def test_a_scheduled_run_is_skipped_at_its_time_not_before(engine: Stage) -> None:
    """Whether a run is active then is what counts, not when the schedule was looked at a minute before."""
    job = job_with(engine, seconds=50, skip_if_running=True)
    engine.submit(job)
    free = engine.submit(job, at=engine.clock.now() + timedelta(seconds=60)).run
    busy = engine.submit(job, at=engine.clock.now() + timedelta(seconds=100)).run
    engine.play()
    assert (engine.status(free.id), engine.status(busy.id)) == (RunStatus.COMPLETED, RunStatus.CANCELED)
    assert engine.submit(job).how == "created"


def test_many_triggers_get_their_own_answers(engine: Stage) -> None:
    """Faults and hits stand in their places, and everything else is created."""
    job = job_with(engine, payload_schema={"type": "object"}, rates=(RateLimit(3, 60),))
    asks = [
        Ask(input={"n": 1}, idempotency_key="k"),
        Ask(input=[]),
        Ask(input={"n": 1}, idempotency_key="k"),
        Ask(input={"n": 2}, idempotency_key="k"),
        Ask(input={}),
        Ask(input={}),
        Ask(input={}),
    ]
    answers = engine.services.submit.many(job, asks)
    assert hows(answers) == ["created", "Unprocessable", "idempotent", "Conflict", "created", "created", "RateLimited"]
    engine.play()
    assert engine.http.count(url("a")) == 3


def test_five_hundred_triggers_are_created_in_batches(engine: Stage) -> None:
    """Far fewer requests than runs, and every run ends."""
    job = job_with(engine)
    before = engine.calls.total()
    answers = engine.services.submit.many(job, [Ask(input={"n": number}) for number in range(500)])
    starts = engine.calls["bursts.start"]
    assert engine.calls.total() - before - starts < 10
    assert hows(answers) == ["created"] * 500
    engine.play()
    assert engine.services.runs.count("project", [RunStatus.COMPLETED]) == 500


def test_a_rehearsal_says_what_would_happen_and_does_nothing(engine: Stage) -> None:
    """Hash, times and what would hold the run back; nothing is counted or created."""
    job = job_with(engine, rates=(RateLimit(1, 60),), ttl=60, window_cron="0 0 1 7 *")
    seen = engine.services.submit.rehearse(job, Ask(input={"a": 1}))
    assert seen.payload_hash == engine.services.submit.rehearse(job, Ask(input={"a": 1})).payload_hash
    assert any("execution window" in warning for warning in seen.warnings)
    assert any("expire before" in warning for warning in seen.warnings)
    assert engine.services.runs.count("project", None) == 0
    allowance = engine.submit(job).limit
    assert allowance is not None
    assert allowance.remaining == 0


def test_a_run_is_found_by_its_tags_and_metadata(engine: Stage) -> None:
    """The job's default metadata is there too, and the trigger's own wins."""
    job = replace(job_with(engine), settings={"default_run_metadata": {"team": "a", "env": "x"}})
    run = engine.submit(job, tags={"k": "v"}, metadata={"env": "y"}).run
    assert run.asked["metadata"] == {"team": "a", "env": "y"}
    assert run.asked["tags"] == {"k": "v"}


@pytest.mark.parametrize(
    ("when", "name"), [("before", "runs.create"), ("after", "runs.create"), ("before", "bursts.start")]
)
def test_a_trigger_repeated_after_a_crash_is_one_run(engine: Stage, when: str, name: str) -> None:
    """Wherever the process died, the same key ends up as one run that runs once."""
    job = job_with(engine, max_concurrency=1)
    engine.die_at(when, name)
    with pytest.raises(BaseException, match=name):
        engine.submit(job, idempotency_key="k", trigger=Trigger())
    engine.submit(job, idempotency_key="k")
    engine.sweep(times=3)
    assert engine.http.count(url("a")) == 1
    assert engine.services.runs.count("project", [RunStatus.COMPLETED]) == 1


@pytest.mark.parametrize("cap", [3, None])
def test_raised_caps_let_in_at_once(engine: Stage, cap: int | None) -> None:
    """Nobody's end is waited for."""
    job = job_with(engine, seconds=100, max_concurrency=1)
    runs = [engine.submit(job).run for _ in range(3)]
    raised = engine.services.define.revise("project", job.id, {"terms": Terms(follows=True, max_concurrency=cap)})
    engine.services.hold.readmit(raised)
    engine.play(1)
    assert all(engine.of(run.id).started_at for run in runs)


def test_a_queued_run_starts_only_within_the_window(engine: Stage) -> None:
    """A place that is freed outside goes to nobody; within a minute of the opening the queue moves."""
    engine.clock.advance_to(datetime.fromisoformat("2026-05-01T09:59:30+00:00"))
    job = job_with(engine, seconds=100, max_concurrency=1, window_cron="* 9 * * *")
    engine.submit(job)
    queued = engine.submit(job).run
    engine.sweep(times=10)
    assert engine.status(queued.id) is RunStatus.QUEUED
    engine.clock.advance_to(datetime.fromisoformat("2026-05-02T08:59:30+00:00"))
    engine.sweep(times=3)
    assert engine.of(queued.id).started_at is not None


def test_a_replay_is_on_its_jobs_terms(engine: Stage) -> None:
    """It expires like a trigger's run, and is refused where one would be skipped."""
    job = job_with(engine, seconds=50, ttl=600, skip_if_running=True)
    first = engine.submit(job).run.id
    engine.play()
    again = engine.services.retry_run("project", first, "full")
    assert again.expires_at == again.created_at + timedelta(seconds=600)
    with pytest.raises(Conflict, match="skips"):
        engine.services.retry_run("project", first, "full")
