"""Port Jobs: many jobs at once."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from quintet.adapters.aws import client
from quintet.adapters.dynamodb.jobs import DynamoJobs
from quintet.domain.errors import Conflict, NotFound, TooLarge
from quintet.domain.job import Job, JobVersion
from quintet.services.ports.jobs import Jobs, Taken

from .conftest import Stores, make_table
from .samples import a_job, a_version, after


def _with_version(**changes: Any) -> tuple[Job, JobVersion]:
    job = a_job(dialect="jobs", **changes)
    return job, a_version(job)


def test_many_jobs_are_created_as_each_alone_would_be(jobs: Jobs) -> None:
    """Faces, versions, slugs, labels, hooks and counts are there."""
    made = [
        _with_version(
            slug=f"s{place}",
            labels=frozenset({"tag:a", f"tag:a={place}"}),
            settings={"webhook": {"path": f"p{place}"}},
            status=("active", "disabled")[place % 2],
        )
        for place in range(60)
    ]
    assert jobs.create_many(made) == [None] * 60
    assert jobs.browse("acme", "jobs", None, 100).jobs == [job for job, _ in made][::-1]
    assert jobs.count("acme", "jobs", None) == 60
    assert jobs.count("acme", "jobs", "disabled") == 30
    for job, version in made[::7]:
        assert jobs.get("acme", job.id) == jobs.by_slug("acme", "jobs", str(job.slug)) == job
        assert jobs.by_hook(job.settings["webhook"]["path"]) == job
        assert jobs.version(job.id, 1) == jobs.version_by_id(job.id, job.version_id) == version
    assert jobs.create_many([]) == []


def test_each_gets_its_own_answer(jobs: Jobs) -> None:
    """A taken slug or path, an id that exists, and a name wanted twice refuse those that come with them, and no others."""
    first, _ = taken = _with_version(slug="taken", settings={"webhook": {"path": "taken"}})
    jobs.create(*taken)
    twin = _with_version(slug="twin")
    made = [
        _with_version(slug="a"),
        _with_version(slug="taken"),
        twin,
        _with_version(slug="twin"),
        _with_version(settings={"webhook": {"path": "taken"}}),
        (replace(first, slug="b", settings={}), a_version(first)),
        _with_version(slug="c"),
    ]
    answers = jobs.create_many(made)
    assert [type(answer) for answer in answers] == [
        type(None), Taken, type(None), Taken, Taken, Conflict, type(None)
    ]  # fmt: skip
    assert "slug 'taken'" in str(answers[1])
    assert "webhook path 'taken'" in str(answers[4])
    assert jobs.by_slug("acme", "jobs", "twin") == twin[0]
    assert jobs.get("acme", first.id) == first
    assert jobs.count("acme", "jobs", None) == 4


def test_projects_and_apis_are_counted_apart(jobs: Jobs) -> None:
    """Also when their jobs come together."""
    made = [_with_version(project=project) for project in ("acme", "other", "acme")]
    etl = a_job(dialect="etl")
    assert not any(jobs.create_many([*made, (etl, a_version(etl))]))
    assert (jobs.count("acme", "jobs", None), jobs.count("other", "jobs", None)) == (2, 1)
    assert jobs.count("acme", "etl", "active") == 1


def test_many_faces_change_as_each_alone_would(jobs: Jobs) -> None:
    """Status, lists and counts follow; who changed meanwhile or is gone is told, and stops no other."""
    made = [_with_version() for _ in range(130)]
    assert not any(jobs.create_many(made))
    was = [job for job, _ in made]
    jobs.delete(was[3])
    changed_meanwhile = replace(was[5], name="mine")
    jobs.update(changed_meanwhile, None, was[5])
    foreign = replace(was[7], project="other")
    wanted = [(replace(job, status="disabled", updated_at=after(9)), job) for job in was]
    wanted[7] = (replace(foreign, status="disabled"), foreign)
    answers = jobs.update_many(wanted)
    told = {place: type(answer) for place, answer in enumerate(answers) if answer is not None}
    assert told == {3: NotFound, 5: Conflict, 7: NotFound}
    assert jobs.count("acme", "jobs", "disabled") == 127
    assert jobs.count("acme", "jobs", "active") == 2
    assert jobs.get("acme", was[5].id) == changed_meanwhile
    assert jobs.get("acme", was[129].id) == wanted[129][0]
    assert jobs.update_many([]) == []


# --- on DynamoDB only ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def transactions(aws: Stores) -> Iterator[list[int]]:
    """The number of operations of each transaction that was sent."""
    sent: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        sent.append(len(params["TransactItems"]))

    events = client("dynamodb").meta.events
    events.register("provide-client-params.dynamodb.TransactWriteItems", note)
    yield sent
    events.unregister("provide-client-params.dynamodb.TransactWriteItems", note)


def test_fifty_jobs_are_few_transactions(transactions: list[int]) -> None:
    """As full as a transaction may be, with one counter for all; one write a job when one is refused."""
    jobs = DynamoJobs(make_table("JobsTable"))
    made = [_with_version(slug=f"s{place}") for place in range(50)]
    jobs.create_many(made)
    assert transactions == [97, 97, 9]
    transactions.clear()
    jobs.update_many([(replace(job, status="disabled"), job) for job, _ in made])
    assert transactions == [51]


def test_large_jobs_are_spread_over_transactions(transactions: list[int]) -> None:
    """A transaction holds 4 MB; one job that no item holds refuses itself alone."""
    jobs = DynamoJobs(make_table("JobsTable"))
    # Noise, which compresses to about a half.
    noise = "".join(f"{(place * 2654435761) % 2**32 ^ place * place:x}" for place in range(70_000))
    made = []
    for _ in range(14):
        job = a_job(dialect="jobs")
        version = a_version(job)
        made.append((job, replace(version, source={"noise": noise})))
    job = a_job(dialect="jobs")
    made.insert(2, (job, replace(a_version(job), source={"noise": noise * 3})))
    answers = jobs.create_many(made)
    assert [place for place, answer in enumerate(answers) if answer is not None] == [2]
    assert isinstance(answers[2], TooLarge)
    assert len(transactions) > 2
    assert jobs.count("acme", "jobs", None) == 14


def test_a_usual_job_costs_a_unit_a_write(aws: Stores) -> None:
    """Its face stays below 1 KB; a large payload schema is compressed."""
    table = make_table("JobsTable")
    jobs = DynamoJobs(table)
    plain, schema = (
        a_job(slug="nightly-report"),
        {"properties": {f"p{place}": {"type": "string"} for place in range(900)}},
    )
    large = replace(a_job(), settings={"fields": {"payload_schema": schema}})
    sizes = []
    for job in (plain, large):
        jobs.create(job, a_version(job))
        key = {"pk": {"S": f"JOB#{job.id}"}, "sk": {"S": "#META"}}
        item = client("dynamodb").get_item(TableName=table, Key=key)["Item"]
        sizes.append(sum(len(name) + len(next(iter(typed.values()))) for name, typed in item.items()))
        assert jobs.get("acme", job.id) == job
    assert sizes[0] < 600
    assert sizes[1] < 6_000


def test_a_group_that_meets_another_writer_is_done_job_by_job(
    just_before_batch: Callable[[Callable[[], object]], None],
) -> None:
    """Who changed a job between the read and the write costs the others nothing but a request each."""
    jobs = DynamoJobs(make_table("JobsTable"))
    made = [_with_version() for _ in range(4)]
    jobs.create_many(made)
    was = [job for job, _ in made]
    just_before_batch(lambda: jobs.update(replace(was[1], name="mine"), None, was[1]))
    answers = jobs.update_many([(replace(job, status="disabled"), job) for job in was])
    assert [type(answer) for answer in answers] == [type(None), Conflict, type(None), type(None)]
    assert jobs.count("acme", "jobs", "disabled") == 3
    assert jobs.get("acme", was[1].id).name == "mine"


@pytest.fixture
def just_before_batch(aws: Stores) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Has someone else act once, right before the next transaction."""
    events = client("dynamodb").meta.events
    waiting: list[Callable[[], object]] = []

    def intrude(**_: Any) -> None:
        if waiting:
            waiting.pop()()

    events.register_first("before-call.dynamodb.TransactWriteItems", intrude)
    yield waiting.append
    events.unregister("before-call.dynamodb.TransactWriteItems", intrude)
