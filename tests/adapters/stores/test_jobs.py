"""Port Jobs."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from quintet.adapters.ids import SystemIds
from quintet.adapters.job_records import job_from_text, job_to_text
from quintet.adapters.memory import ManualClock, SeededIds
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.events import to_millis
from quintet.domain.job import Job
from quintet.domain.terms import Terms
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.world import Ids

from .samples import NOW, a_job, a_version, after


def _create(jobs: Jobs, **changes: object) -> Job:
    job = a_job(**changes)
    jobs.create(job, a_version(job))
    return job


def _hooked(path: str) -> dict[str, object]:
    return {"webhook": {"path": path}, "other": [1]}


def test_a_job_and_its_version_are_read_back_whole(jobs: Jobs) -> None:
    """Every field survives storing."""
    job = a_job(description="ü", status="paused", trigger_type="webhook", settings=_hooked("p"), updated_at=after(1))
    version = a_version(job)
    jobs.create(job, version)
    assert jobs.get("acme", job.id) == jobs.by_hook("p") == job
    assert jobs.version(job.id, 1) == version
    assert jobs.versions(job.id, 10, 0) == [version]


def test_what_is_not_there_is_not_found(jobs: Jobs) -> None:
    """Unknown jobs, versions and hooks, and another project's job, are NotFound alike."""
    job = _create(jobs)
    for read in (
        lambda: jobs.get("acme", "nobody"),
        lambda: jobs.get("other", job.id),
        lambda: jobs.version(job.id, 2),
        lambda: jobs.version("nobody", 1),
        lambda: jobs.by_hook("nowhere"),
        lambda: jobs.delete(a_job()),
        lambda: jobs.delete(replace(job, project="other")),
        lambda: jobs.update(replace(job, project="other"), None, job),
    ):
        with pytest.raises(NotFound):
            read()
    assert jobs.versions("nobody", 10, 0) == []


def test_the_same_job_is_created_once(jobs: Jobs) -> None:
    """A second creation is a Conflict and changes nothing."""
    job = _create(jobs)
    with pytest.raises(Conflict):
        jobs.create(replace(job, name="other"), a_version(job))
    assert jobs.get("acme", job.id) == job
    assert jobs.count("acme", "automations", None) == 1


def test_a_revision_adds_a_version(jobs: Jobs) -> None:
    """The new face and the new version come together; earlier versions stay."""
    job = _create(jobs)
    second = replace(job, version=2, version_id="v2", name="new", updated_at=after(5))
    jobs.update(second, a_version(second), job)
    third = replace(second, name="newer")
    jobs.update(third, None, second)
    assert jobs.get("acme", job.id) == third
    assert jobs.versions(job.id, 10, 0) == [a_version(second), a_version(job)]
    assert jobs.version(job.id, 1) == a_version(job)


def test_a_revision_of_an_old_version_is_refused(jobs: Jobs) -> None:
    """Of two who revise the same version the second is told."""
    job = _create(jobs)
    second = replace(job, version=2, version_id="v2")
    jobs.update(second, a_version(second), job)
    with pytest.raises(Conflict):
        jobs.update(replace(second, version_id="v2b"), a_version(replace(second, version_id="v2b")), job)
    assert jobs.get("acme", job.id) == second
    assert jobs.version(job.id, 2) == a_version(second)


def test_racing_revisions_make_one_version(jobs: Jobs) -> None:
    """Of many who revise at once one wins."""
    job = _create(jobs)

    def revise(number: int) -> bool:
        mine = replace(job, version=2, version_id=f"v2-{number}")
        try:
            jobs.update(mine, a_version(mine), job)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(revise, range(10))) == 1
    assert jobs.get("acme", job.id).version_id == jobs.version(job.id, 2).id


def test_versions_are_paged_newest_first(jobs: Jobs) -> None:
    """Every page is a part of the one list."""
    job = _create(jobs)
    made = [a_version(job)]
    for number in range(2, 8):
        was, job = job, replace(job, version=number, version_id=f"v{number}")
        jobs.update(job, a_version(job), was)
        made.insert(0, a_version(job))
    for limit, offset in [(10, 0), (2, 0), (2, 2), (3, 5), (1, 6), (5, 7), (5, 70)]:
        assert jobs.versions(job.id, limit, offset) == made[offset : offset + limit]


def test_a_large_version_comes_back_whole(jobs: Jobs) -> None:
    """A definition of a megabyte of text is kept."""
    job = a_job()
    version = a_version(job, 1_000_000)
    jobs.create(job, version)
    assert jobs.version(job.id, 1) == version


@pytest.mark.parametrize("status", [None, "active", "paused", "unknown"])
def test_pages_are_cut_from_one_list(jobs: Jobs, status: str | None) -> None:
    """For every limit and offset a page is that part of the API's jobs, newest first; the count is their number."""
    made = [_create(jobs, status=("active", "active", "paused")[place % 3]) for place in range(8)]
    _create(jobs, project="other")
    _create(jobs, dialect="etl")
    wanted = [job for job in made[::-1] if status in {None, job.status}]
    assert jobs.count("acme", "automations", status) == len(wanted)
    for limit, offset in [(100, 0), (2, 1), (3, 3), (4, 7), (5, 8), (5, 50), (0, 0)]:
        assert jobs.page("acme", "automations", status, limit, offset) == wanted[offset : offset + limit]


def test_a_deleted_job_leaves_lists_but_not_its_runs(jobs: Jobs) -> None:
    """After deletion gets, lists, counts, hooks and schedules forget the job; its versions stay readable."""
    job = _create(jobs, settings={**_hooked("p"), "schedule": {"next_at": to_millis(after(1))}})
    kept = _create(jobs)
    jobs.delete(job)
    with pytest.raises(NotFound):
        jobs.get("acme", job.id)
    with pytest.raises(NotFound):
        jobs.by_hook("p")
    assert jobs.page("acme", "automations", None, 10, 0) == [kept]
    assert jobs.count("acme", "automations", None) == jobs.count("acme", "automations", "active") == 1
    assert jobs.scheduled(after(9), 10) == []
    assert jobs.version(job.id, 1) == a_version(job)
    with pytest.raises(NotFound):
        jobs.delete(job)


def test_counts_follow_a_change_of_status(jobs: Jobs) -> None:
    """A paused job moves from one list and count to the other."""
    job = _create(jobs)
    jobs.update(replace(job, status="paused"), None, job)
    for status, there in (("active", 0), ("paused", 1), (None, 1)):
        assert jobs.count("acme", "automations", status) == there
        assert len(jobs.page("acme", "automations", status, 9, 0)) == there


def test_a_webhook_path_is_claimed_once(jobs: Jobs) -> None:
    """A taken path refuses creation and revision whole; a path given up is free again."""
    first = _create(jobs, settings=_hooked("p"))
    with pytest.raises(Conflict):
        _create(jobs, settings=_hooked("p"))
    second = _create(jobs, settings=_hooked("q"))
    moved = replace(second, settings=_hooked("p"), version=2, version_id="v2")
    with pytest.raises(Conflict):
        jobs.update(moved, a_version(moved), second)
    assert jobs.get("acme", second.id) == jobs.by_hook("q") == second
    with pytest.raises(NotFound):
        jobs.version(second.id, 2)
    jobs.update(replace(first, settings={}), None, first)
    jobs.update(moved, a_version(moved), second)
    assert jobs.by_hook("p") == moved
    with pytest.raises(NotFound):
        jobs.by_hook("q")
    assert jobs.count("acme", "automations", None) == 2


def test_scheduled_jobs_come_when_due_earliest_first(jobs: Jobs) -> None:
    """Only jobs with a moment not after the asked one, in the order of their moments."""
    late, soon, text, never = (
        _create(jobs, settings=settings)
        for settings in (
            {"schedule": {"cron": "x", "next_at": to_millis(after(30))}},
            {"schedule": {"next_at": to_millis(after(10))}},
            {"schedule": {"next_at": after(20).isoformat().replace("+00:00", "Z")}},
            {"schedule": {"next_at": None}},
        )
    )
    assert jobs.scheduled(after(9), 10) == []
    assert jobs.scheduled(after(30), 10) == [(soon, after(10)), (text, after(20)), (late, after(30))]
    assert jobs.scheduled(after(30), 2) == [(soon, after(10)), (text, after(20))]
    assert never.id not in {job.id for job, _ in jobs.scheduled(after(99_999), 10)}


@pytest.mark.parametrize("written", [to_millis(after(10)), after(10).isoformat()])
def test_a_moment_is_moved_on_once(jobs: Jobs, written: object) -> None:
    """Of those who move the same moment one wins; the rest of the job stays."""
    job = _create(jobs, settings={**_hooked("p"), "schedule": {"cron": "* * * * *", "next_at": written}})
    with ThreadPoolExecutor(5) as pool:
        moved = list(pool.map(lambda _: jobs.reschedule(job, after(10), after(70)), range(10)))
    assert sum(moved) == 1
    ((found, moment),) = jobs.scheduled(after(70), 10)
    assert moment == after(70)
    assert found.settings["schedule"]["cron"] == "* * * * *"
    assert type(found.settings["schedule"]["next_at"]) is type(written)
    assert jobs.by_hook("p") == found
    assert jobs.reschedule(found, after(70), None)
    assert jobs.scheduled(after(99_999), 10) == []
    assert not jobs.reschedule(found, after(70), after(80))


def test_a_job_that_is_gone_is_not_rescheduled(jobs: Jobs) -> None:
    """A tick that comes after the deletion fires nothing."""
    job = _create(jobs, settings={"schedule": {"next_at": to_millis(after(10))}})
    jobs.delete(job)
    assert not jobs.reschedule(job, after(10), after(70))


def test_a_record_of_before_slugs_and_terms_still_reads() -> None:
    """What is not in it has its default; a job without any of them is still written as then."""
    record = (
        '{"id":"j","p":"acme","d":"automations","n":"nightly","v":3,"w":"01890a5d-ac96-7000-8000-000000000001",'
        '"c":1772366400123,"u":1772366400123,"st":"active","t":"manual","se":{"x":1}}'
    )
    job = job_from_text(record)
    assert (job.slug, job.labels, job.terms) == (None, frozenset(), Terms())
    assert (job.version, job.settings, job.created_at) == (3, {"x": 1}, NOW)
    assert job_to_text(job) == record


@pytest.mark.parametrize("ids", [SystemIds(), SeededIds(1, ManualClock())])
def test_version_ids_are_short_and_different(ids: Ids) -> None:
    """`ver_` and twelve characters; none of ten thousand twice."""
    made = {ids.version_id() for _ in range(10_000)}
    assert len(made) == 10_000
    assert all(re.fullmatch(r"ver_[0-9a-z]{12}", one) for one in made)
    assert set("".join(one[4:] for one in made)) == set("0123456789abcdefghijklmnopqrstuvwxyz")
