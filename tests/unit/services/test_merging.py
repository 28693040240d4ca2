"""Debounce and batch: many triggers, one run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from engine_stage import Stage, call, rest, url

from quintet.domain.errors import Conflict
from quintet.domain.job import Job
from quintet.domain.limits import RateLimited
from quintet.domain.status import RunStatus
from quintet.domain.terms import RateLimit, Terms


def job_with(engine: Stage, **terms: Any) -> Job:
    """A job of one call on these terms."""
    return engine.define(call("a"), terms=Terms(follows=True, **terms))


def test_a_debounced_job_runs_once_with_the_last_payload(engine: Stage) -> None:
    """Each trigger moves the start to a whole window after it."""
    job = job_with(engine, debounce_window=10)
    ids = set()
    for number in range(5):
        answer = engine.submit(job, {"n": number})
        assert (answer.how, answer.fire_at) == ("debounced", engine.clock.now() + timedelta(seconds=10))
        ids.add(answer.run.id)
        engine.play(8)
    (run_id,) = ids
    assert engine.status(run_id) is RunStatus.DELAYED
    engine.play(2.5)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert (engine.state(run_id).input, engine.of(run_id).started_by) == ({"n": 4}, "debounce")


def test_after_its_start_the_next_trigger_is_debounced_anew(engine: Stage) -> None:
    """A run that has started is not touched."""
    job = job_with(engine, debounce_window=10)
    first = engine.submit(job, 1).run.id
    engine.play(11)
    second = engine.submit(job, 2).run.id
    engine.play()
    assert first != second
    assert engine.http.count(url("a")) == 2


def test_debounce_keys_are_apart(engine: Stage) -> None:
    """Each key has its own run."""
    job = job_with(engine, debounce_window=10)
    ids = {engine.submit(job, 1, debounce_key=key).run.id for key in ("a", "b", "a", "")}
    assert len(ids) == 3


def test_debounced_triggers_count_under_the_rate(engine: Stage) -> None:
    """The rate is checked before the debounce, once for each trigger."""
    job = job_with(engine, debounce_window=10, rates=(RateLimit(3, 3600),))
    for _ in range(3):
        engine.submit(job)
        engine.play(11)
    with pytest.raises(RateLimited):
        engine.submit(job)


def test_an_idempotency_key_holds_in_a_debounce(engine: Stage) -> None:
    """A repeated trigger neither moves the start nor changes the payload; with another payload it is a conflict."""
    job = job_with(engine, debounce_window=10)
    engine.submit(job, 1, idempotency_key="first")
    second = engine.submit(job, 2, idempotency_key="second")
    engine.play(5)
    assert engine.submit(job, 2, idempotency_key="second").how == "idempotent"
    with pytest.raises(Conflict):
        engine.submit(job, 3, idempotency_key="first")
    engine.play(6)
    assert engine.status(second.run.id) is RunStatus.COMPLETED
    assert engine.state(second.run.id).input == 2


def test_a_batch_takes_all_payloads_of_its_window(engine: Stage) -> None:
    """It starts a window after its first, with the payloads in order."""
    job = job_with(engine, batch_window=10, batch_size=50)
    ids = set()
    for number in range(5):
        answer = engine.submit(job, {"n": number})
        assert answer.how == "batched"
        ids.add(answer.run.id)
        engine.play(1.9)
    (run_id,) = ids
    engine.play(1)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.state(run_id).input == {"items": [{"n": number} for number in range(5)]}
    assert engine.of(run_id).started_by == "batch"


def test_a_full_batch_starts_at_once(engine: Stage) -> None:
    """The payload after it begins the next batch."""
    job = job_with(engine, batch_window=1000, batch_size=3)
    ids = [engine.submit(job, number).run.id for number in range(7)]
    engine.play(1)
    assert [len(set(ids[:3])), len(set(ids[3:6])), len(set(ids))] == [1, 1, 3]
    assert [engine.status(run_id) for run_id in (ids[0], ids[3], ids[6])] == [
        RunStatus.COMPLETED,
        RunStatus.COMPLETED,
        RunStatus.DELAYED,
    ]


def test_large_payloads_lie_apart_in_a_batch(engine: Stage) -> None:
    """A batch holds payloads that no journal item could hold together."""
    job = job_with(engine, batch_window=10)
    for number in range(20):
        run_id = engine.submit(job, {"n": number, "text": "x" * 40_000}).run.id
    engine.play()
    batch = engine.services.payloads.get(engine.state(run_id).input)
    assert [item["n"] for item in batch["items"]] == list(range(20))


def test_a_step_that_waits_for_its_run_is_not_merged(engine: Stage) -> None:
    """A job called by another's step runs for that step, whatever it debounces otherwise."""
    job = job_with(engine, debounce_window=1000, dedup_window=1000)
    parent = engine.run(rest("w", seconds=1), replace(call("c"), kind="subrun", config={"job_id": job.id}))
    assert engine.status(parent) is RunStatus.COMPLETED
    assert engine.http.count(url("a")) == 1


@pytest.mark.parametrize("terms", [{"debounce_window": 10}, {"batch_window": 10}])
def test_a_merged_run_starts_within_the_window(engine: Stage, terms: dict[str, int]) -> None:
    """The execution window comes after the debounce or batch."""
    engine.clock.advance_to(datetime(2026, 5, 1, 7, 0, tzinfo=UTC))
    job = job_with(engine, window_cron="30 * * * *", **terms)
    answer = engine.submit(job, 1)
    assert answer.fire_at == answer.run.scheduled_at == datetime(2026, 5, 1, 7, 30, tzinfo=UTC)
    later = engine.submit(job, 2, at=datetime(2026, 5, 1, 9, 10, tzinfo=UTC), debounce_key="k", batch_key="k")
    assert later.fire_at == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    engine.play()
    assert engine.of(later.run.id).started_at == datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def test_a_full_batch_starts_within_the_window(engine: Stage) -> None:
    """It does not start outside because it is full."""
    engine.clock.advance_to(datetime(2026, 5, 1, 7, 0, tzinfo=UTC))
    job = job_with(engine, window_cron="30 * * * *", batch_window=7200, batch_size=2)
    run_id, _ = [engine.submit(job, number).run.id for number in range(2)]
    engine.play(600)
    assert engine.status(run_id) is RunStatus.DELAYED
    engine.play()
    assert engine.of(run_id).started_at == datetime(2026, 5, 1, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize("terms", [{"debounce_window": 10}, {"batch_window": 10}])
def test_a_merged_run_waits_for_dependencies_as_one(engine: Stage, terms: dict[str, int]) -> None:
    """The triggers are merged first; what they became waits, and goes on when the upstream has run."""
    upstream = engine.define(call("up"), name="up", terms=Terms(follows=True))
    job = job_with(engine, **terms)
    engine.services.dependencies.add("project", job.id, upstream.id, "completed")
    job = engine.services.jobs.get("project", job.id)
    ids = {engine.submit(job, number).run.id for number in range(3)}
    (run_id,) = ids
    engine.play(20)
    assert engine.status(run_id) is RunStatus.WAITING
    engine.submit(upstream)
    engine.play(1)
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.state(run_id).input == (2 if "debounce_window" in terms else {"items": [0, 1, 2]})
