"""Port Jobs: slugs, labels, lists by cursor, versions by id."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from quintet.adapters.aws import client
from quintet.adapters.dynamodb.jobs import DynamoJobs
from quintet.adapters.memory import MemoryJobs
from quintet.adapters.memory import jobs as memory_jobs
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.domain.events import to_millis
from quintet.domain.job import Job
from quintet.domain.run import VersionPolicy
from quintet.domain.terms import QueueStrategy, RateLimit, Terms
from quintet.services.ports.jobs import Jobs, Taken

from .conftest import Stores, make_table
from .samples import a_job, a_version, after

FULL_TERMS = Terms(
    max_concurrency=1,
    max_concurrency_per_key=2,
    rates=(RateLimit(10, 60), RateLimit(3, 1, "user.id")),
    dedup_window=4,
    debounce_window=5,
    batch_window=6,
    batch_size=7,
    window_cron="* 9-17 * * *",
    timezone="Asia/Kathmandu",
    ttl=8,
    policy=VersionPolicy.MINOR,
    compatible=True,
    skip_if_running=True,
    payload_schema={"type": "object", "title": "größer"},
    group="g-1",
    follows=True,
    queue_limit=9,
    queue_strategy=QueueStrategy.PARTITIONED_REPLACE,
    queue_partition_limit=2,
    start_delay=10,
)


def _create(jobs: Jobs, **changes: Any) -> Job:
    job = a_job(dialect="jobs", **changes)
    jobs.create(job, a_version(job))
    return job


def _walk(jobs: Jobs, label: str | None, limit: int) -> list[Job]:
    found: list[Job] = []
    cursor = None
    while True:
        page = jobs.browse("acme", "jobs", label, limit, cursor)
        assert len(page.jobs) <= limit
        found += page.jobs
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("schema", [None, False, True, {}, {"enum": [None, 1.5]}])
def test_slug_labels_and_terms_are_read_back_whole(jobs: Jobs, schema: object) -> None:
    """Every field of the terms survives, a schema of `false` too."""
    terms = replace(FULL_TERMS, payload_schema=schema)
    job = _create(jobs, slug="a-job", labels=frozenset({"tag:env=größe", "tag:env", "group:g-1"}), terms=terms)
    found = jobs.get("acme", job.id)
    assert found == jobs.by_slug("acme", "jobs", "a-job") == job
    assert type(found.terms.payload_schema) is type(schema)


@pytest.mark.parametrize("size", [10, 500, 700, 900, 1_100, 5_000, 65_000])
def test_a_face_of_any_size_comes_back_whole(jobs: Jobs, size: int) -> None:
    """With a payload schema of up to 64 KiB, now and after a change."""
    job = _create(jobs, terms=Terms(payload_schema={"description": "ö" * (size // 2), "enum": list(range(size // 10))}))
    assert jobs.get("acme", job.id) == job
    smaller = replace(job, terms=Terms(), updated_at=after(1))
    jobs.update(smaller, None, job)
    assert jobs.get("acme", job.id) == smaller


def test_a_slug_is_taken_once_in_a_project_and_api(jobs: Jobs) -> None:
    """A second job of that slug is refused and named; other projects and APIs have their own."""
    first = _create(jobs, slug="same")
    with pytest.raises(Taken, match=r"^slug 'same' is taken$"):
        _create(jobs, slug="same", labels=frozenset({"tag:a"}))
    assert jobs.count("acme", "jobs", None) == 1
    assert jobs.browse("acme", "jobs", "tag:a", 10).jobs == []
    other = a_job(dialect="workflows", slug="same")
    jobs.create(other, a_version(other))
    foreign = _create(jobs, project="other", slug="same")
    assert jobs.by_slug("acme", "jobs", "same") == first
    assert jobs.by_slug("acme", "workflows", "same") == other
    assert jobs.by_slug("other", "jobs", "same") == foreign
    with pytest.raises(NotFound):
        jobs.by_slug("other", "workflows", "same")


def test_a_slug_given_up_is_free_again(jobs: Jobs) -> None:
    """After a change of slug, and after deletion; a refused change changes nothing."""
    first, second = _create(jobs, slug="one"), _create(jobs, slug="two", labels=frozenset({"tag:x"}))
    renamed = replace(second, slug="one", labels=frozenset({"tag:y"}), version=2, version_id="ver_000000000002")
    with pytest.raises(Taken):
        jobs.update(renamed, a_version(renamed), second)
    assert jobs.by_slug("acme", "jobs", "two") == second
    assert jobs.browse("acme", "jobs", "tag:y", 10).jobs == []
    with pytest.raises(NotFound):
        jobs.version_by_id(second.id, "ver_000000000002")
    moved = replace(first, slug="three")
    jobs.update(moved, None, first)
    jobs.update(renamed, a_version(renamed), second)
    assert jobs.by_slug("acme", "jobs", "one") == renamed
    assert jobs.by_slug("acme", "jobs", "three") == moved
    jobs.delete(renamed)
    with pytest.raises(NotFound):
        jobs.by_slug("acme", "jobs", "one")
    _create(jobs, slug="one")
    without = replace(moved, slug=None)
    jobs.update(without, None, moved)
    _create(jobs, slug="three")


def test_of_racing_jobs_one_gets_the_slug(jobs: Jobs) -> None:
    """However many ask for it at once."""

    def create(_: int) -> bool:
        try:
            _create(jobs, slug="wanted")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(create, range(10))) == 1
    assert jobs.count("acme", "jobs", None) == 1
    assert jobs.by_slug("acme", "jobs", "wanted") == jobs.page("acme", "jobs", None, 5, 0)[0]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 50])
def test_pages_follow_each_other_by_cursor(jobs: Jobs, limit: int) -> None:
    """All jobs of the project and API, or of a label, newest first, each once, whatever the limit."""
    made = [_create(jobs, labels=frozenset({"tag:a", f"tag:a={place % 2}"})) for place in range(7)]
    _create(jobs, project="other", labels=frozenset({"tag:a"}))
    other = a_job(dialect="workflows", labels=frozenset({"tag:a"}))
    jobs.create(other, a_version(other))
    assert _walk(jobs, None, limit) == _walk(jobs, "tag:a", limit) == made[::-1]
    assert _walk(jobs, "tag:a=1", limit) == made[1::2][::-1]
    assert _walk(jobs, "tag:b", limit) == []


def test_a_list_that_changes_while_it_is_read_shows_the_rest_once(jobs: Jobs) -> None:
    """New jobs come before the first page, deleted ones are missing, also the one that the cursor stands on."""
    made = [_create(jobs, labels=frozenset({"tag:a"})) for _ in range(6)]
    for label in (None, "tag:a"):
        page = jobs.browse("acme", "jobs", label, 2)
        assert page.jobs == made[:3:-1]
        late = _create(jobs, labels=frozenset({"tag:a"}))
        jobs.delete(made[4])
        jobs.delete(made[2])
        rest = jobs.browse("acme", "jobs", label, 10, page.cursor)
        assert (rest.jobs, rest.cursor) == ([made[3], made[1], made[0]], None)
        made = [*made[:2], made[3], made[5], late, _create(jobs, labels=frozenset({"tag:a"}))]


def test_labels_follow_the_job(jobs: Jobs) -> None:
    """A change of labels moves the job between lists, deletion takes it out of all."""
    job = _create(jobs, labels=frozenset({"tag:a", "tag:b"}))
    moved = replace(job, labels=frozenset({"tag:b", "tag:c"}))
    jobs.update(moved, None, job)
    for label, there in (("tag:a", []), ("tag:b", [moved]), ("tag:c", [moved])):
        assert jobs.browse("acme", "jobs", label, 10).jobs == there
    jobs.delete(moved)
    for label in ("tag:b", "tag:c"):
        assert jobs.browse("acme", "jobs", label, 10).jobs == []


def test_all_labels_of_a_job_change_at_once(jobs: Jobs) -> None:
    """45 labels, the slug, the webhook path, the status and the version: one transaction holds it all."""
    settings = [{"webhook": {"path": path}} for path in ("one", "two")]
    before = frozenset(f"tag:k{place}={'ä' * 256}" for place in range(45))
    job = _create(jobs, labels=before, slug="one", settings=settings[0])
    changed = replace(
        job,
        labels=frozenset(f"tag:n{place}" for place in range(45)),
        slug="two",
        settings=settings[1],
        status="disabled",
        version=2,
        version_id="ver_000000000002",
    )
    jobs.update(changed, a_version(changed), job)
    assert jobs.browse("acme", "jobs", "tag:n44", 10).jobs == [changed]
    assert jobs.browse("acme", "jobs", min(before), 10).jobs == []
    assert jobs.count("acme", "jobs", "disabled") == 1


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "ä",
        "\ud800",
        "====",
        "a" * 10_000,
        base64.b64encode(b"jobs:").decode(),
        base64.b64encode(b"other:abc").decode(),
        base64.b64encode(b"jobs:a b").decode(),
        base64.b64encode(b"versions:-1").decode(),
        base64.b64encode("versions:²".encode()).decode(),
        base64.b64encode(b"jobs:abc\n").decode(),
        base64.b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_cursor_that_is_none_is_invalid(jobs: Jobs, cursor: str) -> None:
    """Whatever text it is, the place is told."""
    for read in (
        lambda: jobs.browse("acme", "jobs", None, 10, cursor),
        lambda: jobs.browse("acme", "jobs", "tag:a", 10, cursor),
        lambda: jobs.versions_page("job", 10, cursor),
    ):
        with pytest.raises(Invalid) as refusal:
            read()
        assert [problem.place for problem in refusal.value.problems] == [("cursor",)]


def test_a_cursor_of_another_list_is_invalid(jobs: Jobs) -> None:
    """A place among versions is none among jobs."""
    for _ in range(2):
        job = _create(jobs)
    cursor = jobs.browse("acme", "jobs", None, 1).cursor
    assert cursor is not None
    with pytest.raises(Invalid):
        jobs.versions_page(job.id, 1, cursor)


def test_nothing_is_asked_for_nothing(jobs: Jobs) -> None:
    """A limit of none gives an empty page without a cursor."""
    job = _create(jobs)
    assert jobs.browse("acme", "jobs", None, 0).jobs == []
    assert jobs.versions_page(job.id, 0).versions == []


def test_many_jobs_are_got_at_once(jobs: Jobs) -> None:
    """Those of the project that are there, in the order asked for, each once."""
    one, two, foreign = _create(jobs), _create(jobs), _create(jobs, project="other")
    asked = [two.id, "nobody", one.id, foreign.id, two.id]
    assert jobs.get_many("acme", asked) == [two, one]
    assert jobs.get_many("acme", []) == []


def test_a_version_is_found_by_its_id(jobs: Jobs) -> None:
    """Every version of the job by the id it got, also after the job is deleted; never another job's."""
    job = _create(jobs)
    second = replace(job, version=2, version_id="ver_abcdefghij01")
    jobs.update(second, a_version(second), job)
    assert jobs.version_by_id(job.id, job.version_id) == a_version(job)
    assert jobs.version_by_id(job.id, "ver_abcdefghij01") == a_version(second)
    other = _create(jobs)
    for job_id, version_id in ((other.id, job.version_id), (job.id, "ver_000000000000"), ("nobody", job.version_id)):
        with pytest.raises(NotFound):
            jobs.version_by_id(job_id, version_id)
    jobs.delete(second)
    assert jobs.version_by_id(job.id, "ver_abcdefghij01") == a_version(second)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_versions_follow_each_other_by_cursor(jobs: Jobs, limit: int) -> None:
    """Newest first, each once; nothing else that lies beside them."""
    job = _create(jobs)
    made = [a_version(job)]
    for number in range(2, 6):
        was, job = job, replace(job, version=number, version_id=f"ver_{number:012d}")
        jobs.update(job, a_version(job), was)
        made.insert(0, a_version(job))
    found, cursor = [], None
    while True:
        page = jobs.versions_page(job.id, limit, cursor)
        found += page.versions
        cursor = page.cursor
        if cursor is None:
            break
    assert found == made
    assert jobs.versions_page("nobody", limit).versions == []


# --- what reading costs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def examined(aws: Stores) -> Iterator[Callable[[], tuple[int, int]]]:
    """How many requests were made, and how many items they read, since it was last asked."""
    seen = [0, 0]

    def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        seen[0] += 1
        if model.name == "Query":
            seen[1] += parsed["ScannedCount"]
        elif model.name == "BatchGetItem":
            seen[1] += sum(len(items) for items in parsed["Responses"].values())

    def taken() -> tuple[int, int]:
        found = (seen[0], seen[1])
        seen[:] = [0, 0]
        return found

    events = client("dynamodb").meta.events
    events.register("after-call.dynamodb", count)
    yield taken
    events.unregister("after-call.dynamodb", count)


@pytest.mark.parametrize("label", [None, "tag:a"])
def test_the_first_page_costs_what_the_last_does(examined: Callable[[], tuple[int, int]], label: str | None) -> None:
    """Two requests, and two items for each job shown and one more, at whatever place of the list."""
    jobs = DynamoJobs(make_table("JobsTable"))
    made = [a_job(dialect="jobs", labels=frozenset({"tag:a"})) for _ in range(120)]
    assert jobs.create_many([(job, a_version(job)) for job in made]) == [None] * 120
    examined()
    costs, cursor = [], None
    while True:
        page = jobs.browse("acme", "jobs", label, 10, cursor)
        costs.append(examined())
        cursor = page.cursor
        if cursor is None:
            break
    assert costs == [(2, 21)] * 11 + [(2, 20)]


def test_a_tick_reads_only_what_is_due(examined: Callable[[], tuple[int, int]]) -> None:
    """One request a shard and one for the jobs; of a hundred schedules only those that are due are read."""
    jobs = DynamoJobs(make_table("JobsTable"))
    costs = []
    for later in (0, 100):
        made = [a_job(settings={"schedule": {"next_at": to_millis(after(7200 + place))}}) for place in range(later)]
        made += [a_job(settings={"schedule": {"next_at": to_millis(after(30))}}) for _ in range(0 if later else 3)]
        assert not any(jobs.create_many([(job, a_version(job)) for job in made]))
        examined()
        assert len(jobs.scheduled(after(60), 500)) == 3
        costs.append(examined())
    assert costs == [(5, 6), (5, 6)]


def test_ten_thousand_schedules_in_memory_cost_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory too opens only the jobs that it answers with."""
    jobs = MemoryJobs()
    for place in range(10_000):
        due = place % 2_500 == 0
        _create(jobs, settings={"schedule": {"next_at": to_millis(after(30 if due else 7200 + place))}})
    opened: list[str] = []
    read = memory_jobs.job_from_text
    monkeypatch.setattr(memory_jobs, "job_from_text", lambda text: opened.append(text) or read(text))
    assert len(jobs.scheduled(after(60), 500)) == len(opened) == 4
