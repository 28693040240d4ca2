"""Queue terms: how many runs may wait, and what becomes of one more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_stage import PROJECT, ProcessDied, Stage, call, rest, step, url

from quintet.domain.definition import Plan
from quintet.domain.errors import Conflict, Invalid, NoQueue, QueueFull, Throttled
from quintet.domain.events import EventType
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.status import RunStatus as S
from quintet.domain.terms import MOST_WAITING, QueueStrategy, Terms
from quintet.services.asks import Ask, Submitted
from quintet.services.jobs import JobDraft
from quintet.services.upkeep import Tick

APPEND, REPLACE, PARTITIONED = QueueStrategy.APPEND, QueueStrategy.REPLACE, QueueStrategy.PARTITIONED_REPLACE
WAITING = {S.QUEUED, S.DELAYED, S.WAITING, S.PAUSED}


def job_with(engine: Stage, *, seconds: float = 100, **terms: Any) -> Job:
    """A job of one step that rests; one run at a time, unless said otherwise."""
    return engine.define(rest("w", seconds=seconds), terms=Terms(follows=True, **{"max_concurrency": 1, **terms}))


def waiting(engine: Stage) -> list[str]:
    """The runs that have not started, oldest first."""
    runs = engine.services.runs.page(PROJECT, None, 1000, 0)
    return sorted(run.id for run in runs if run.status in WAITING and run.started_at is None)


def held(engine: Stage) -> set[str]:
    """Who holds a waiting slot of any kind."""
    names = {slot.name for run in engine.services.runs.page(PROJECT, None, 1000, 0) for slot in run.waits}
    found: dict[str, frozenset[str]] = engine.stores["runs"].holders(sorted(names))
    return set().union(*found.values())


def reason(engine: Stage, run_id: str) -> str:
    """Why a run was canceled."""
    (event,) = engine.events(run_id, EventType.RUN_CANCELED)
    assert event.data["by"] == "engine"
    return str(event.data["reason"])


def tried(engine: Stage, job: Job, times: int, **fields: Any) -> list[Run | None]:
    """The runs of so many triggers; None for one that the queue refused."""
    made: list[Run | None] = []
    for _ in range(times):
        try:
            made.append(engine.submit(job, **fields).run)
        except (QueueFull, NoQueue):
            made.append(None)
    return made


# --- append --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("concurrency", "limit"), [(1, 1), (1, 2), (3, 2), (2, 5)])
def test_as_many_wait_as_may_and_one_more_is_refused(engine: Stage, concurrency: int, limit: int) -> None:
    """At the bound, and again after one has been let in; all that was taken ends."""
    job = job_with(engine, max_concurrency=concurrency, queue_limit=limit)
    made = tried(engine, job, concurrency + limit + 2)
    assert [run is not None for run in made] == [True] * (concurrency + limit) + [False] * 2
    with pytest.raises(QueueFull, match=f"{limit} of its runs wait"):
        engine.submit(job)
    engine.play(101)  # as many end, and as many are let in
    assert len(waiting(engine)) == limit - min(concurrency, limit)
    assert [run is not None for run in tried(engine, job, concurrency + 1)] == [True] * concurrency + [False]
    engine.play()
    ended = engine.services.runs.page(PROJECT, None, 99, 0)
    assert {run.status for run in ended} == {S.COMPLETED}
    assert held(engine) == set()


def test_without_a_limit_all_wait(engine: Stage) -> None:
    """None is no bound, and waiting costs no slot then."""
    job = job_with(engine)
    runs = [run for run in tried(engine, job, 30) if run]
    assert len(runs) == 30
    assert all(run.waits == () for run in runs)


def test_a_refused_trigger_leaves_nothing_behind(engine: Stage) -> None:
    """No run, no count, no idempotency key: the same key may be used once there is room."""
    job = job_with(engine, queue_limit=1)
    engine.submit(job)
    engine.submit(job)
    with pytest.raises(QueueFull):
        engine.submit(job, {"n": 1}, idempotency_key="k")
    assert engine.services.runs.count(PROJECT, None) == 2
    engine.play(101)
    assert engine.submit(job, {"n": 1}, idempotency_key="k").how == "created"
    again = engine.submit(job, {"n": 1}, idempotency_key="k")  # the queue is full by the first
    assert again.how == "idempotent"


def test_they_are_let_in_in_their_order(engine: Stage) -> None:
    """By priority, then age, as without queue terms."""
    job = job_with(engine, queue_limit=5)
    first = engine.submit(job).run
    rest_ = [engine.submit(job, priority=priority).run for priority in (0, 5, 5, 9)]
    engine.play()
    order = sorted((first, *rest_), key=lambda run: str(engine.of(run.id).started_at))
    assert [run.id for run in order] == [first.id, rest_[3].id, rest_[1].id, rest_[2].id, rest_[0].id]


def test_a_place_is_given_back_by_every_end_before_the_start(engine: Stage) -> None:
    """By a cancel, by an expiry; a pause keeps it."""
    job = job_with(engine, seconds=1000, queue_limit=1)
    engine.submit(job)
    canceled = engine.submit(job).run
    engine.services.cancel_run(PROJECT, canceled.id, "ada")
    expired = engine.submit(job, ttl=30).run
    engine.sweep(times=2)
    assert engine.status(expired.id) is S.EXPIRED
    paused = engine.submit(job).run
    engine.services.hold.pause(PROJECT, paused.id, "ada")
    assert tried(engine, job, 1) == [None]
    engine.services.hold.resume(PROJECT, paused.id, "ada")
    assert tried(engine, job, 1) == [None]
    engine.play()
    assert engine.status(paused.id) is S.COMPLETED
    assert held(engine) == set()


def test_delayed_runs_and_those_behind_dependencies_wait_too(engine: Stage) -> None:
    """Each takes a place from its trigger on, and gives it back when it starts."""
    upstream = engine.define(call("up"), name="up", terms=Terms(follows=True))
    job = job_with(engine, queue_limit=2)
    engine.services.dependencies.add(PROJECT, job.id, upstream.id, "completed")
    behind = engine.submit(job).run
    assert behind.status is S.WAITING
    delayed = engine.submit(job, at=engine.clock.now() + timedelta(seconds=50)).run
    assert delayed.status is S.DELAYED
    assert held(engine) == {behind.id, delayed.id}
    assert tried(engine, job, 1) == [None]
    engine.submit(
        upstream
    )  # its end starts a run for itself, which the queue has no place for, and releases those that wait
    engine.play()
    assert engine.status(behind.id) is engine.status(delayed.id) is S.COMPLETED
    assert held(engine) == set()


@pytest.mark.parametrize("strategy", [APPEND, REPLACE])
def test_a_run_that_could_have_started_makes_room(engine: Stage, strategy: QueueStrategy) -> None:
    """Whoever died before letting it in is made up for by the next trigger: the place to start is free, so nobody is in its way."""
    job = job_with(engine, queue_limit=1, queue_strategy=strategy)
    first, second = (engine.submit(job).run for _ in range(2))
    engine.die_at("before", "runs.next_queued")
    engine.play(101)
    assert (engine.status(first.id), engine.status(second.id)) == (S.COMPLETED, S.QUEUED)
    third = engine.submit(job).run
    assert engine.of(second.id).started_at is not None
    assert engine.status(third.id) is S.QUEUED


# --- no queue ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", list(QueueStrategy))
def test_without_a_queue_nobody_waits(engine: Stage, strategy: QueueStrategy) -> None:
    """What can't start at once is refused, under each strategy; nobody's place is taken."""
    job = job_with(engine, max_concurrency=2, queue_limit=0, queue_strategy=strategy)
    assert [run is not None for run in tried(engine, job, 4)] == [True, True, False, False]
    with pytest.raises(NoQueue, match="has no queue"):
        engine.submit(job)
    engine.play(101)
    assert [run is not None for run in tried(engine, job, 3)] == [True, True, False]


def test_a_delay_can_not_be_waited_for_without_a_queue(engine: Stage) -> None:
    """Nor what must come before: a run that may not begin now is refused, though there is room."""
    with pytest.raises(NoQueue):
        engine.submit(job_with(engine, queue_limit=0, start_delay=5))
    upstream = engine.define(call("up"), name="up", terms=Terms(follows=True))
    job = job_with(engine, queue_limit=0)
    engine.services.dependencies.add(PROJECT, job.id, upstream.id, "completed")
    answers = engine.services.submit.many(job, [Ask(), Ask()])
    assert [type(answer) for answer in answers] == [NoQueue, NoQueue]
    later = engine.submit(job, at=engine.clock.now() + timedelta(seconds=50)).run
    engine.play()
    assert (engine.status(later.id), engine.of(later.id).started_at) == (S.CANCELED, None)


def test_a_run_for_later_is_refused_at_its_time(engine: Stage) -> None:
    """It was asked to start then: whether it can is seen then. That of a schedule, too."""
    job = job_with(engine, queue_limit=0, max_concurrency_per_key=1)
    engine.submit(job)
    busy = engine.submit(job, at=engine.clock.now() + timedelta(seconds=50), concurrency_key="k").run
    free = engine.submit(job, at=engine.clock.now() + timedelta(seconds=150)).run
    engine.play()
    assert (engine.status(busy.id), engine.status(free.id)) == (S.CANCELED, S.COMPLETED)
    assert reason(engine, busy.id) == "it could not start at its time, and its job has no queue"


def test_jobs_that_skip_say_so(engine: Stage) -> None:
    """A queue's terms beside do not change what is refused, nor by which word."""
    job = job_with(engine, max_concurrency=None, skip_if_running=True, queue_limit=0)
    engine.submit(job)
    with pytest.raises(Conflict, match="skips") as refused:
        engine.submit(job)
    assert not isinstance(refused.value, NoQueue)
    engine.play()
    assert engine.submit(job).run.status is S.EXECUTING


# --- replace -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 1, 7])
def test_the_last_one_takes_the_place_of_who_waits(engine: Stage, limit: int | None) -> None:
    """One waits, whatever the limit; those replaced are canceled by the engine, each by the one that came after it."""
    job = job_with(engine, queue_strategy=REPLACE, queue_limit=limit)
    runs = [engine.submit(job, {"n": number}).run for number in range(4)]
    assert waiting(engine) == [runs[3].id]
    for replaced, by in ((runs[1], runs[2]), (runs[2], runs[3])):
        assert engine.status(replaced.id) is S.CANCELED
        assert reason(engine, replaced.id) == f"replaced by run {by.id}"
        assert engine.of(replaced.id).started_at is None
    engine.play()
    assert [engine.status(run.id) for run in runs] == [S.COMPLETED, S.CANCELED, S.CANCELED, S.COMPLETED]
    assert held(engine) == set()


def test_a_replaced_run_ends_as_others_do(engine: Stage) -> None:
    """Its followers hear of it, its steps are canceled, and nothing is left to do for it."""
    job = job_with(engine, queue_strategy=REPLACE)
    behind = engine.define(call("a"), name="behind", terms=Terms(follows=True))
    engine.services.dependencies.add(PROJECT, behind.id, job.id, "any")
    runs = [engine.submit(job).run for _ in range(3)]
    engine.play(1)
    replaced = engine.state(runs[1].id)
    assert (replaced.status, replaced.canceled_by) == (S.CANCELED, "engine")
    followed = engine.services.runs.page(PROJECT, None, 99, 0)
    assert [run.trigger.source_id for run in followed if run.job_id == behind.id] == [runs[1].id]
    due = engine.stores["runs"].due(engine.clock.now() + timedelta(days=9), 99)
    assert runs[1].id not in {lapse.run_id for lapse in due}


@pytest.mark.parametrize("state", [S.DELAYED, S.WAITING, S.PAUSED])
def test_whoever_has_not_started_can_be_replaced(engine: Stage, state: S) -> None:
    """Delayed, behind dependencies, paused."""
    job = job_with(engine, queue_strategy=REPLACE)
    engine.submit(job)
    old = engine.submit(job, at=engine.clock.now() + timedelta(seconds=50) if state is S.DELAYED else None).run
    if state is S.PAUSED:
        engine.services.hold.pause(PROJECT, old.id, "ada")
    if state is S.WAITING:
        engine.services.cancel_run(PROJECT, old.id, "ada")
        upstream = engine.define(call("up"), name="up", terms=Terms(follows=True))
        engine.services.dependencies.add(PROJECT, job.id, upstream.id, "completed")
        old = engine.submit(job).run
    assert engine.status(old.id) is state
    new = engine.submit(job).run
    assert (engine.status(old.id), waiting(engine)) == (S.CANCELED, [new.id])


def test_the_timer_of_a_replaced_run_starts_nothing(engine: Stage) -> None:
    """Debounce: of many triggers in a row the last one runs, once its own delay is over; a trigger later than that is another run."""
    job = job_with(engine, seconds=1, queue_strategy=REPLACE, start_delay=10)
    runs = []
    for number in range(4):
        runs.append(engine.submit(job, {"n": number}).run)
        assert runs[-1].status is S.DELAYED
        engine.play(7)
    assert [engine.status(run.id) for run in runs] == [S.CANCELED] * 3 + [S.DELAYED]
    engine.play(3)
    assert engine.of(runs[3].id).started_at == runs[3].created_at + timedelta(seconds=10)
    late = engine.submit(job).run
    engine.play()
    assert [engine.status(run.id) for run in (runs[3], late)] == [S.COMPLETED] * 2


@pytest.mark.parametrize("key", ["k", None])
def test_a_repeated_trigger_replaces_nobody(engine: Stage, key: str | None) -> None:
    """A known idempotency key, or a payload within its window, is the run that it was."""
    job = job_with(engine, queue_strategy=REPLACE, dedup_window=None if key else 500)
    engine.submit(job, {"n": 0})
    old = engine.submit(job, {"n": 1}, idempotency_key=key).run
    again = engine.submit(job, {"n": 1}, idempotency_key=key)
    assert (again.run.id, again.how) == (old.id, "idempotent" if key else "duplicate")
    assert waiting(engine) == [old.id]


# --- partitions ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [None, 1, 2])
def test_partitions_replace_their_own(engine: Stage, most: int | None) -> None:
    """Once as many of a partition wait as may, its last one makes room; the others' runs stay, and so do its older ones."""
    job = job_with(engine, queue_strategy=PARTITIONED, queue_partition_limit=most)
    engine.submit(job)
    runs = {name: [engine.submit(job, queue_partition=name).run for _ in range(4)] for name in ("a", "b")}
    whole = [engine.submit(job).run for _ in range(3)]  # no partition is one, too
    stay = {1: [3], 2: [0, 3]}[most or 1]
    expected = [runs[name][place].id for name in ("a", "b") for place in stay]
    expected += [whole[-1].id] if most != 2 else [whole[0].id, whole[-1].id]
    assert waiting(engine) == sorted(expected)
    assert reason(engine, runs["a"][2].id) == f"replaced by run {runs['a'][3].id}"
    engine.play()
    assert {engine.status(run_id) for run_id in expected} == {S.COMPLETED}
    assert held(engine) == set()


def test_a_limit_bounds_all_partitions_together(engine: Stage) -> None:
    """A new partition is refused when the queue is full; in one that is full, a run is replaced all the same."""
    job = job_with(engine, queue_strategy=PARTITIONED, queue_limit=2)
    engine.submit(job)
    a, b = (engine.submit(job, queue_partition=name).run for name in "ab")
    with pytest.raises(QueueFull, match="2 of its runs wait"):
        engine.submit(job, queue_partition="c")
    newer = engine.submit(job, queue_partition="a").run
    assert waiting(engine) == [b.id, newer.id]
    engine.services.cancel_run(PROJECT, newer.id, "ada")
    c = engine.submit(job, queue_partition="c").run
    assert waiting(engine) == [b.id, c.id]
    assert engine.status(a.id) is S.CANCELED


def test_a_partition_is_kept_with_its_run(engine: Stage) -> None:
    """Readers see it, also of a job that nobody follows; its name may be anything."""
    job = engine.define(call("a"), terms=Terms(queue_strategy=PARTITIONED, max_concurrency=1))
    name = "kunde/größer #1 " * 100
    assert engine.submit(job, queue_partition=name).run.asked == {"queue_partition": name}
    assert engine.submit(job).run.asked == {}
    assert engine.submit(job, queue_partition="").run.asked == {"queue_partition": ""}


# --- start delay ---------------------------------------------------------------------------------------------------------------


def test_a_run_starts_after_its_delay(engine: Stage) -> None:
    """Counted from the moment that it was asked for; then it is let in as its slots allow, and waits until then."""
    job = job_with(engine, start_delay=30, queue_limit=3)
    now = engine.clock.now()
    first = engine.submit(job).run
    later = engine.submit(job, at=now + timedelta(seconds=100)).run
    assert (first.status, first.scheduled_at) == (S.DELAYED, now + timedelta(seconds=30))
    assert later.scheduled_at == now + timedelta(seconds=130)
    engine.play(60)
    assert engine.of(first.id).started_at == now + timedelta(seconds=30)
    second = engine.submit(job).run
    assert held(engine) == {later.id, second.id}
    engine.play(60)
    assert engine.reasons(second.id) == ["concurrency"]
    assert held(engine) == {later.id, second.id}
    engine.play()
    assert [engine.status(run.id) for run in (first, second, later)] == [S.COMPLETED] * 3


def test_delayed_runs_are_as_many_as_may_wait(engine: Stage) -> None:
    """A start delay makes every run wait, though nothing runs."""
    job = job_with(engine, start_delay=30, queue_limit=2)
    assert [run is not None for run in tried(engine, job, 3)] == [True, True, False]
    engine.play(40)
    assert [run is not None for run in tried(engine, job, 2)] == [True, False]


def test_a_delay_ends_within_the_window(engine: Stage) -> None:
    """The first minute of the execution window after the delay."""
    now = engine.clock.now()
    minute = (now.minute + 30) % 60
    job = job_with(engine, start_delay=30, window_cron=f"{minute} * * * *")
    run = engine.submit(job).run
    assert run.scheduled_at is not None
    assert run.scheduled_at.minute == minute


# --- who else triggers ---------------------------------------------------------------------------------------------------------


def test_many_at_once_start_and_wait_as_far_as_there_is_room(engine: Stage) -> None:
    """The first ones start, the next ones wait, the rest is refused, each in its place; known keys are known."""
    job = job_with(engine, max_concurrency=2, queue_limit=3)
    asks = [Ask(input={"n": number}, idempotency_key=f"k{number % 7}") for number in range(9)]
    asks[7] = replace(asks[0])
    answers = engine.services.submit.many(job, asks)
    kinds = [answer.how if isinstance(answer, Submitted) else type(answer).__name__ for answer in answers]
    assert kinds == ["created"] * 5 + ["QueueFull"] * 2 + ["idempotent", "Conflict"]
    more = engine.services.submit.many(job, asks[:6])
    assert [getattr(answer, "how", "refused") for answer in more] == ["idempotent"] * 5 + ["refused"]
    engine.play()
    assert engine.services.runs.count(PROJECT, [S.COMPLETED]) == 5
    assert held(engine) == set()


def test_many_behind_those_who_wait(engine: Stage) -> None:
    """Nobody passes a run that waits already."""
    job = job_with(engine, max_concurrency=1, queue_limit=3)
    engine.submit(job)
    first = engine.submit(job).run
    engine.die_at("before", "runs.next_queued")
    engine.play(101)  # there is room, and `first` was forgotten
    answers = engine.services.submit.many(job, [Ask(priority=0), Ask(), Ask()])
    assert [isinstance(answer, Submitted) for answer in answers] == [True, True, False]
    assert engine.of(first.id).started_at is not None


@pytest.mark.parametrize(("strategy", "limit"), [(REPLACE, None), (PARTITIONED, 2), (APPEND, 0)])
def test_many_under_the_other_strategies(engine: Stage, strategy: QueueStrategy, limit: int | None) -> None:
    """As one after the other: the last one of each partition waits, or nobody does."""
    job = job_with(engine, queue_strategy=strategy, queue_limit=limit)
    answers = engine.services.submit.many(job, [Ask(queue_partition=str(number % 2)) for number in range(7)])
    accepted = [answer.run.id for answer in answers if isinstance(answer, Submitted)]
    assert len(accepted) == (1 if limit == 0 else 7)
    assert waiting(engine) == {REPLACE: accepted[-1:], PARTITIONED: accepted[-2:], APPEND: []}[strategy]


def test_a_run_that_another_waits_for_is_made_in_any_case(engine: Stage) -> None:
    """It queues for its slots beside the terms of the queue: neither counted nor refused, neither put off nor replaced."""
    for terms in ({"queue_limit": 0}, {"queue_limit": 1}, {"queue_strategy": REPLACE}, {"start_delay": 500}):
        job = job_with(engine, seconds=10, **terms)
        parent = engine.define(step("sub", kind="subrun", config={"job_id": job.id}))
        callers = [engine.trigger(parent) for _ in range(3)]
        engine.play(1)
        tried(engine, job, 3)
        engine.play()
        assert [engine.status(run_id) for run_id in callers] == [S.COMPLETED] * 3


def test_a_retry_is_on_its_jobs_queue_terms(engine: Stage) -> None:
    """It waits, replaces, or is refused like a trigger of its partition; it is not put off, since it gathers nothing."""
    engine.http.on(url("a"), *[400] * 9)
    bad = {"name": "bad", "terms": Terms(follows=True, max_concurrency=1, queue_limit=1, start_delay=20)}
    job = engine.define(rest("w", seconds=50), call("a", "w"), **bad)
    first = engine.submit(job).run.id
    engine.play()
    running = engine.services.retry_run(PROJECT, first, "full")
    assert running.started_at is not None
    queued = engine.services.retry_run(PROJECT, first, "full")
    assert queued.status is S.QUEUED
    with pytest.raises(QueueFull):
        engine.services.retry_run(PROJECT, first, "full")
    replacing = replace(bad["terms"], queue_limit=None, queue_strategy=PARTITIONED)  # type: ignore[type-var]
    engine.services.define.revise(PROJECT, job.id, {"terms": replacing})
    newest = engine.services.retry_run(PROJECT, first, "full")
    assert (engine.status(queued.id), engine.status(newest.id)) == (S.QUEUED, S.QUEUED)
    last = engine.services.retry_run(PROJECT, first, "full")
    assert (engine.status(queued.id), engine.status(newest.id), engine.status(last.id)) == (
        S.QUEUED,
        S.CANCELED,
        S.QUEUED,
    )
    engine.services.define.revise(PROJECT, job.id, {"terms": replace(replacing, queue_limit=0)})
    with pytest.raises(NoQueue):
        engine.services.retry_run(PROJECT, first, "full")


def test_a_schedules_moment_is_passed_over_when_the_queue_is_full(
    engine: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """It is refused like any trigger, which the log tells, and the schedule goes on."""
    start = engine.clock.now()
    settings = {"schedule": {"next_at": start.isoformat()}}
    job = engine.define(
        rest("w", seconds=1000),
        terms=Terms(follows=True, max_concurrency=1, queue_limit=1),
        trigger_type="schedule",
        settings=settings,
    )
    tick = Tick(
        engine.stores["jobs"], engine.services.submit, engine.clock, lambda _job, at: at + timedelta(seconds=60)
    )
    for _ in range(5):
        assert tick()["failed"] == 0
        engine.play(60)
    assert engine.services.runs.count(PROJECT, None) == 2
    assert f"job {job.id} was not started" in caplog.text
    assert "2 of its runs" not in caplog.text


def test_jobs_say_whether_they_take_a_trigger(engine: Stage) -> None:
    """One read for all; as the next trigger finds."""
    kinds: list[dict[str, Any]] = [
        {"queue_limit": 0},
        {"queue_limit": 1},
        {"queue_strategy": REPLACE},
        {"queue_strategy": PARTITIONED, "queue_limit": 1},
        {"queue_limit": 1, "start_delay": 9},
        {"queue_limit": 0, "start_delay": 9},
        {},
    ]
    jobs = [job_with(engine, **terms) for terms in kinds]
    for _ in range(3):
        before = engine.calls.total()
        told = engine.services.queueing.accept(jobs)
        assert engine.calls.total() - before == 1
        rehearsed = [engine.services.submit.rehearse(job, Ask()).warnings for job in jobs]
        assert [not any("refused" in warning for warning in said) for said in rehearsed] == told
        assert [tried(engine, job, 1) != [None] for job in jobs] == told


# --- terms ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "place"),
    [
        ({"queue_limit": -1}, "queue_limit"),
        ({"queue_limit": MOST_WAITING + 1}, "queue_limit"),
        ({"queue_partition_limit": 0}, "queue_partition_limit"),
        ({"start_delay": -1}, "start_delay"),
        ({"start_delay": 10**9}, "start_delay"),
        ({"queue_limit": 1, "debounce_window": 5}, "queue_limit"),
        ({"queue_strategy": REPLACE, "batch_window": 5}, "queue_strategy"),
        ({"start_delay": 1, "batch_window": 5}, "start_delay"),
    ],
)
def test_terms_that_make_no_sense_are_refused(engine: Stage, terms: dict[str, Any], place: str) -> None:
    """Out of bounds, or beside merging; when a job is defined, alone or among many, and when it is changed."""
    bad = Terms(**terms)
    job = job_with(engine)
    with pytest.raises(Invalid) as refused:
        engine.define(call("a"), terms=bad)
    assert [problem.place for problem in refused.value.problems] == [("terms", place)]
    with pytest.raises(Invalid):
        engine.services.define.revise(PROJECT, job.id, {"terms": bad})


def test_terms_at_their_bounds_are_taken(engine: Stage) -> None:
    """Also a term that the strategy makes no use of."""
    for terms in (
        {"queue_limit": 0},
        {"queue_limit": MOST_WAITING},
        {"queue_partition_limit": 1},
        {"start_delay": 0},
        {"queue_limit": 3, "queue_partition_limit": 2},
    ):
        engine.define(call("a"), terms=Terms(**terms))  # type: ignore[arg-type]


def test_what_waits_keeps_its_place_when_terms_change(engine: Stage) -> None:
    """Nobody who was taken is canceled by a lower limit, nor by a queue that is closed: only what comes next is held to it."""
    job = job_with(engine, queue_limit=3)
    runs = [engine.submit(job).run for _ in range(4)]
    terms = replace(job.terms, queue_limit=0)
    closed = engine.services.define.revise(PROJECT, job.id, {"terms": terms})
    for run in runs[1:]:
        engine.services.wake_run(run.id)
    assert tried(engine, closed, 1) == [None]
    open_ = engine.services.define.revise(PROJECT, job.id, {"terms": replace(terms, queue_limit=1)})
    assert tried(engine, open_, 1) == [None]
    engine.play()
    assert [engine.status(run.id) for run in runs] == [S.COMPLETED] * 4
    assert held(engine) == set()


# --- races and deaths ----------------------------------------------------------------------------------------------------------


def at(engine: Stage, name: str, act: Any, nth: int = 1) -> list[str]:
    """Does something right before the nth call of a port from now; says when it was done."""
    left, done = [nth], list[str]()

    def hook(when: str, called: str) -> None:
        if (when, called) != ("before", name) or done:
            return
        left[0] -= 1
        if not left[0]:
            done.append(called)
            act()

    engine.hooks.append(hook)
    return done


def test_who_waits_starts_while_it_is_to_be_replaced(engine: Stage) -> None:
    """It runs, and the new one waits behind it: nobody is canceled."""
    job = job_with(engine, queue_strategy=REPLACE)
    first, second = (engine.submit(job).run for _ in range(2))
    done = at(engine, "runs.create", lambda: engine.services.cancel_run(PROJECT, first.id, "ada"), nth=2)
    third = engine.submit(job).run
    assert done
    assert engine.of(second.id).started_at is not None
    assert (engine.status(third.id), waiting(engine)) == (S.QUEUED, [third.id])


@pytest.mark.parametrize("what", ["cancel", "pause", "replace"])
def test_who_waits_changes_while_it_is_to_be_replaced(engine: Stage, what: str) -> None:
    """The trigger looks again, and finds a free place, or a run to replace."""
    job = job_with(engine, queue_strategy=REPLACE)
    engine.submit(job)
    old = engine.submit(job).run
    acts = {
        "cancel": lambda: engine.services.cancel_run(PROJECT, old.id, "ada"),
        "pause": lambda: engine.services.hold.pause(PROJECT, old.id, "ada"),
        "replace": lambda: engine.submit(job),
    }
    done = at(engine, "runs.create", acts[what], nth=2)
    new = engine.submit(job).run
    assert done
    assert (engine.status(old.id), waiting(engine)) == (S.CANCELED, [new.id])


def test_a_trigger_that_others_are_always_faster_than_gives_up(engine: Stage) -> None:
    """It is told to come again, and nothing of it stays."""
    job = job_with(engine, queue_strategy=REPLACE)
    for _ in range(2):
        engine.submit(job)
    nested = [False]

    def hook(when: str, called: str) -> None:
        if (when, called) == ("before", "runs.create") and not nested[0]:
            nested[0] = True
            (there,) = waiting(engine)
            hold = engine.services.hold
            (hold.pause if engine.status(there) is S.QUEUED else hold.resume)(PROJECT, there, "ada")
            nested[0] = False

    engine.hooks.append(hook)
    with pytest.raises(Throttled):
        engine.submit(job)
    engine.hooks.clear()
    assert engine.services.runs.count(PROJECT, None) == 2


def calls_of(engine: Stage, act: Any, when: str) -> Sequence[str]:
    """The port calls that something makes (after: those that answer), in order."""
    made: list[str] = []

    def note(at: str, name: str) -> None:
        if at == when:
            made.append(name)

    engine.hooks.append(note)
    act()
    engine.hooks.remove(note)
    return made


SCENES: dict[str, dict[str, Any]] = {
    "append": {"queue_limit": 1},
    "replace": {"queue_strategy": REPLACE},
    "partitioned": {"queue_strategy": PARTITIONED, "queue_limit": 2},
    "debounce": {"queue_strategy": REPLACE, "start_delay": 30},
    "no queue": {"queue_limit": 0},
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_death_anywhere_leaks_no_place(scene: str, when: str) -> None:
    """Wherever the third trigger's process dies: who was taken ends, nobody was canceled for nobody, and all places are free again."""
    sound = Stage()
    job = job_with(sound, **SCENES[scene])
    tried(sound, job, 2, queue_partition="a")
    made = calls_of(sound, lambda: tried(sound, job, 1, queue_partition="a"), when)
    for place, name in enumerate(made):
        engine = Stage()
        job = job_with(engine, **SCENES[scene])
        tried(engine, job, 2, queue_partition="a")
        engine.die_at(when, name, 1 + made[:place].count(name))
        with pytest.raises(ProcessDied):
            tried(engine, job, 1, queue_partition="a")
        for run in engine.services.runs.page(PROJECT, [S.CANCELED], 9, 0):
            engine.of(reason(engine, run.id).removeprefix("replaced by run "))  # it is there
        engine.sweep(times=10)
        engine.play()
        engine.sweep(times=2)
        runs = engine.services.runs.page(PROJECT, None, 9, 0)
        assert {run.status for run in runs} <= {S.COMPLETED, S.CANCELED}, (when, name, runs)
        assert runs[0].status is S.COMPLETED  # the newest: nobody came after it
        assert held(engine) == set()
        busy = {slot.name for run in runs for slot in run.slots}
        assert not any(engine.stores["runs"].holders(sorted(busy)).values())


@pytest.mark.parametrize("end", ["admitted", "canceled", "expired"])
def test_a_death_around_the_giving_back_leaks_no_place(end: str) -> None:
    """Whoever gives a place back may die before or after any of its calls: the sweep does what is left."""

    def scene(engine: Stage) -> Run:
        job = job_with(engine, seconds=200, queue_limit=1)
        engine.submit(job)
        return engine.submit(job, ttl=150 if end == "expired" else None).run

    def act(engine: Stage, run: Run) -> None:
        match end:
            case "canceled":
                engine.services.cancel_run(PROJECT, run.id, "ada")
            case "expired":
                engine.play(160)
                engine.services.sweep()
            case _:
                engine.play(201)

    for when in ("before", "after"):
        sound = Stage()
        was = scene(sound)
        made = calls_of(sound, lambda sound=sound, was=was: act(sound, was), when)  # type: ignore[misc]  # binds them
        for place, name in enumerate(made):
            engine = Stage()
            run = scene(engine)
            engine.die_at(when, name, 1 + made[:place].count(name))
            try:
                act(engine, run)
            except ProcessDied:
                engine.died.append(name)
            assert engine.died
            engine.sweep(times=40)
            engine.play()
            assert engine.status(run.id).terminal, (when, name)
            assert held(engine) == set(), (when, name)


def test_bounds_hold_for_a_definition_among_many(engine: Stage) -> None:
    """Each draft's faults are its own."""
    drafts = [
        JobDraft(PROJECT, "jobs", "n", Plan((call("a"),)), {"n": number}, terms=Terms(queue_limit=number - 1))
        for number in range(2)
    ]
    answers = engine.services.define.define_many(drafts, all_or_nothing=False)
    assert [type(answer) for answer in answers] == [Invalid, Job]
