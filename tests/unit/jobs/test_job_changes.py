"""Changing jobs: what makes a version, what clears, what survives, who wins."""

from datetime import timedelta
from typing import Any

import pytest
from jobs_desk import URL, Desk

from quintet.domain.errors import Conflict
from quintet.domain.job import Job, JobVersion

SECRET = "a secret of mine"


def versions(desk: Desk, job_id: str) -> list[int]:
    """The numbers of a job's versions, newest first."""
    return [version["version"] for version in desk.get(f"/jobs/{job_id}/versions").json]


def test_a_change_makes_one_version_and_leaves_those_before_as_they_were(desk: Desk) -> None:
    """Each version can be read by its id, without its secret."""
    made = desk.job(description="one", webhook_secret=SECRET)
    desk.clock.advance(1)
    changed = desk.patch(f"/jobs/{made['id']}", {"description": "two", "max_attempts": 7}).json
    assert (changed["version"], changed["description"], changed["max_attempts"]) == (2, "two", 7)
    assert changed["version_id"] != made["version_id"]
    assert changed["updated_at"] > made["updated_at"]
    assert changed["updated_by"] == "secret-of-admin"
    new, old = desk.get(f"/jobs/{made['id']}/versions").json
    assert (new["version"], new["description"], new["max_attempts"]) == (2, "two", 7)
    assert (old["version"], old["description"], old["max_attempts"]) == (1, "one", 3)
    assert desk.get(f"/jobs/{made['id']}/versions/{made['version_id']}").json == old
    assert desk.get(f"/jobs/{made['id']}/versions/{changed['version_id']}").json == new
    assert desk.get(f"/jobs/{made['id']}/versions/ver_000000000000").status == 404
    other = desk.job("b")
    assert desk.get(f"/jobs/{made['id']}/versions/{other['version_id']}").status == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "a"},
        {"max_attempts": 3},
        {"enabled": True},
        {"retry_strategy": None},
        {"tags": {}},
        {"description": None},
        {"tags": {"k": "v"}},
        {"webhook_secret": SECRET},
    ],
)
def test_what_changes_nothing_makes_no_version(desk: Desk, body: dict[str, Any]) -> None:
    """Nor another updated_at or updated_by, however the same is said."""
    tags = {"k": "v"} if body.get("tags") else {}
    made = desk.job(tags=tags, webhook_secret=SECRET)
    desk.clock.advance(1)
    assert desk.patch(f"/jobs/{made['id']}", body).json == made
    assert versions(desk, made["id"]) == [1]


def test_enabling_disabling_and_grouping_make_no_version(desk: Desk) -> None:
    """All else that an author says belongs to the version."""
    group = desk.post("/job-groups", {"name": "g"}).json["id"]
    made = desk.job()
    for body in ({"enabled": False}, {"enabled": True}, {"group_id": group}, {"group_id": None}):
        changed = desk.patch(f"/jobs/{made['id']}", body)
        assert changed.status == 200
        assert changed.json["version"] == 1
        assert {name: changed.json.get(name) for name in body} == body
    assert desk.get("/jobs", query={"group_id": group}).json == []


def test_null_clears_what_can_be_cleared(desk: Desk) -> None:
    """Optional fields go, those with a default fall back to it; a name, a slug and whether it is enabled can't be nothing."""
    made = desk.job(description="d", tags={"a": "b"}, max_attempts=9, cron="0 0 * * *", webhook_url=URL, run_ttl_secs=5)
    cleared = dict.fromkeys(("description", "tags", "max_attempts", "cron", "webhook_url", "run_ttl_secs"))
    changed = desk.patch(f"/jobs/{made['id']}", cleared).json
    assert changed["max_attempts"] == 3
    assert not cleared.keys() - {"max_attempts"} & changed.keys()
    assert desk.get("/jobs", query={"tag_key": "a"}).json == []
    job = desk.services.jobs.get("default", made["id"])
    assert (job.trigger_type, job.terms.ttl) == ("manual", None)
    assert not {"schedule", "webhook_out"} & job.settings.keys()
    for field in ("name", "slug", "enabled"):
        assert desk.patch(f"/jobs/{made['id']}", {field: None}).fields == {field}


def test_a_job_becomes_one_of_tasks_and_back(desk: Desk) -> None:
    """The endpoint goes when the tasks come, both in one change."""
    made = desk.job(max_attempts=9)
    tasks = [{"step_ref": "a", "step_type": "sleep", "duration_secs": 1}]
    assert desk.patch(f"/jobs/{made['id']}", {"tasks": tasks}).fields == {"endpoint_url", "max_attempts"}
    body = {"tasks": tasks, "endpoint_url": None, "max_attempts": None}
    changed = desk.patch(f"/jobs/{made['id']}", body).json
    assert (changed["endpoint_url"], changed["max_attempts"], changed["timeout_secs"]) == ("", 1, 86_400)
    assert changed["tasks"] == tasks
    assert "tasks" not in desk.get("/jobs").json[0]
    assert desk.get("/jobs").json[0]["endpoint_url"] == ""
    back = desk.patch(f"/jobs/{made['id']}", {"tasks": None, "endpoint_url": URL}).json
    assert (back["endpoint_url"], back["max_attempts"], back["timeout_secs"]) == (URL, 3, 300)


def test_a_slug_can_change_and_is_unique(desk: Desk) -> None:
    """The old one is free at once."""
    first, second = desk.job("x"), desk.job("y")
    refused = desk.patch(f"/jobs/{second['id']}", {"slug": "x"})
    assert (refused.status, refused.error["code"]) == (409, "conflict")
    assert desk.patch(f"/jobs/{first['id']}", {"slug": "z"}).json["slug"] == "z"
    assert desk.patch(f"/jobs/{second['id']}", {"slug": "x"}).json["slug"] == "x"


def test_a_schedule_has_its_next_moment_while_the_job_is_enabled(desk: Desk) -> None:
    """In its zone; none while disabled; other changes don't move it."""
    made = desk.job(cron="30 6 * * *", timezone="Europe/Berlin")

    def next_at() -> Any:
        return desk.services.jobs.get("default", made["id"]).settings["schedule"]["next_at"]

    assert next_at() == "2026-01-01T05:30:00Z"
    desk.clock.advance(6 * 3600)  # the moment is due, and no tick has come yet
    desk.patch(f"/jobs/{made['id']}", {"description": "x"})
    assert next_at() == "2026-01-01T05:30:00Z"
    desk.patch(f"/jobs/{made['id']}", {"enabled": False})
    assert next_at() is None
    assert desk.services.jobs.scheduled(desk.clock.now() + timedelta(days=9), 9) == []
    desk.patch(f"/jobs/{made['id']}", {"enabled": True})
    assert next_at() == "2026-01-02T05:30:00Z"
    desk.patch(f"/jobs/{made['id']}", {"timezone": "UTC"})
    assert next_at() == "2026-01-01T06:30:00Z"


class Rival:
    """Jobs, with another writer who comes in between just before the first updates."""

    def __init__(self, desk: Desk, *acts: Any) -> None:
        self._jobs, self._acts = desk.services.jobs, list(acts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jobs, name)

    def update(self, job: Job, version: JobVersion | None, was: Job) -> None:
        if self._acts:
            self._acts.pop(0)()
            raise Conflict("changed meanwhile")
        self._jobs.update(job, version, was)


def test_changes_of_two_authors_at_once_are_both_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later one is merged into what the earlier one left, not into what it had read."""
    made = desk.job()
    define = desk.services.define
    jobs = desk.services.jobs

    def other() -> None:
        monkeypatch.setattr(define, "_jobs", jobs)
        assert desk.patch(f"/jobs/{made['id']}", {"description": "theirs"}).status == 200
        monkeypatch.setattr(define, "_jobs", rival)

    rival = Rival(desk, other)
    monkeypatch.setattr(define, "_jobs", rival)
    changed = desk.patch(f"/jobs/{made['id']}", {"tags": {"k": "mine"}}).json
    assert (changed["description"], changed["tags"], changed["version"]) == ("theirs", {"k": "mine"}, 3)


def test_a_tick_between_is_no_change_of_the_definition(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment that it moved the schedule to is kept."""
    made = desk.job(cron="0 * * * *")
    jobs = desk.services.jobs
    desk.clock.advance(3600)

    def tick() -> None:
        ((job, at),) = jobs.scheduled(desk.clock.now(), 1)
        assert jobs.reschedule(job, at, at + timedelta(hours=1))

    monkeypatch.setattr(desk.services.define, "_jobs", Rival(desk, tick))
    assert desk.patch(f"/jobs/{made['id']}", {"description": "x"}).json["version"] == 2
    assert jobs.get("default", made["id"]).settings["schedule"]["next_at"] == "2026-01-01T02:00:00Z"


def test_endless_rivals_end_in_a_conflict(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """409, not a loop."""
    made = desk.job()
    monkeypatch.setattr(desk.services.define, "_jobs", Rival(desk, *[lambda: None] * 1000))
    assert desk.patch(f"/jobs/{made['id']}", {"description": "x"}).status == 409
