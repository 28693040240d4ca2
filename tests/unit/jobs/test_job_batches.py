"""Many jobs at once: created as a whole or as far as can be, enabled and disabled."""

from typing import Any

import pytest
from jobs_desk import URL, Desk


def jobs(*names: str, **fields: Any) -> list[dict[str, Any]]:
    """Bodies of jobs."""
    return [{"name": name, "endpoint_url": URL, **fields} for name in names]


def names(desk: Desk) -> set[str]:
    """The names of all jobs."""
    return {job["name"] for job in desk.get("/jobs").json}


def test_an_array_gets_an_array(desk: Desk) -> None:
    """201 with the jobs in the order asked for; equal names get slugs of their own."""
    made = desk.post("/jobs/batch", jobs("a", "b", "a", cron="0 0 * * *"))
    assert made.status == 201
    assert [(job["name"], job["slug"]) for job in made.json] == [("a", "a"), ("b", "b"), ("a", "a-2")]
    assert [desk.get(f"/jobs/{job['id']}").json for job in made.json] == made.json
    assert desk.services.jobs.get("default", made.json[0]["id"]).settings["schedule"]["next_at"]


@pytest.mark.parametrize(
    ("broken", "status", "said"),
    [
        ({"name": "b"}, 400, "[1].endpoint_url"),
        ({"name": "b", "endpoint_url": URL, "x": 1}, 400, "[1].x"),
        ({"name": "b", "endpoint_url": "https://internal"}, 400, "[1].endpoint_url"),
        ({"name": "b", "endpoint_url": URL, "slug": "taken"}, 409, "[1]"),
        ({"name": "b", "endpoint_url": URL, "project_id": "elsewhere"}, 404, ""),
        (
            {"name": "b", "tasks": [{"step_ref": "a", "endpoint": URL, "condition": "1 +"}]},
            400,
            "[1].tasks[0].condition",
        ),
        (7, 400, "[1]"),
    ],
)
def test_an_array_is_created_as_a_whole_or_not_at_all(desk: Desk, broken: Any, status: int, said: str) -> None:
    """The first error names its index; nothing of the rest is left, and their slugs are free."""
    desk.job("taken")
    refused = desk.post("/jobs/batch", [*jobs("a"), broken, *jobs("c")])
    assert refused.status == status, refused.text
    assert refused.error["message"].startswith(said), refused.text
    if status == 400:
        assert refused.fields == {said}
    assert names(desk) == {"taken"}
    assert [job["slug"] for job in desk.post("/jobs/batch", jobs("a", "c")).json] == ["a", "c"]


def test_an_object_gets_what_could_be_created_and_what_not(desk: Desk) -> None:
    """{created, errors: [{index, message}]}, the good ones created in spite of the bad ones."""
    desk.job("taken")
    body = [
        *jobs("a"),
        {"name": "b"},
        *jobs("c", slug="taken"),
        *jobs("d"),
        {"name": "e", "endpoint_url": URL, "zz": 1},
        {"name": "f", "tasks": [{"step_ref": "a", "endpoint": URL, "condition": "1 +"}]},
        *jobs("g", project_id="elsewhere"),
    ]
    made = desk.post("/jobs/batch", {"jobs": body})
    assert made.status == 201
    assert [job["name"] for job in made.json["created"]] == ["a", "d"]
    errors = made.json["errors"]
    assert [error["index"] for error in errors] == [1, 2, 4, 5, 6]
    assert [error["message"].split(":")[0] for error in errors] == [
        "endpoint_url", "Slug 'taken' is taken", "zz", "tasks[0].condition", "No such project"
    ]  # fmt: skip
    assert names(desk) == {"taken", "a", "d"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        (jobs(*["a"] * 101), "body"),
        ({"jobs": []}, "jobs"),
        ({"jobs": jobs(*["a"] * 51)}, "jobs"),
        ({"jobs": {}}, "jobs"),
        ({}, "jobs"),
        ({"jobs": jobs("a"), "x": 1}, "x"),
    ],
)
def test_a_batch_has_bounds(desk: Desk, body: Any, field: str) -> None:
    """1 to 100 in an array, 1 to 50 in an object, nothing unknown."""
    refused = desk.post("/jobs/batch", body)
    assert (refused.status, refused.fields) == (400, {field})
    assert names(desk) == set()
    assert desk.post("/jobs/batch", raw="{").fields == {"body"}


def test_jobs_are_written_in_batches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one by one."""
    counted: list[int] = []
    create_many = desk.services.jobs.create_many

    def count(made: Any) -> Any:
        counted.append(len(made))
        return create_many(made)

    monkeypatch.setattr(desk.services.jobs, "create_many", count)
    assert len(desk.post("/jobs/batch", jobs(*"abcdefghij")).json) == 10
    assert len(desk.post("/jobs/batch", {"jobs": jobs(*"klmno")}).json["created"]) == 5
    assert counted == [10, 5]


@pytest.mark.parametrize("field", ["ids", "job_ids"])
def test_jobs_are_switched_by_id(desk: Desk, field: str) -> None:
    """How many changed; unknown ones and those that were so already count for nothing; no new versions; no schedule while disabled."""
    made = [desk.job(name, cron="0 0 * * *") for name in "abc"]
    ids = [job["id"] for job in made]
    assert desk.post("/jobs/batch-disable", {field: [*ids[:2], "unknown"]}).json == {"updated": 2}
    assert desk.post("/jobs/batch-disable", {field: ids[:2]}).json == {"updated": 0}
    shown = [desk.get(f"/jobs/{job_id}").json for job_id in ids]
    assert [(job["enabled"], job["version"]) for job in shown] == [(False, 1), (False, 1), (True, 1)]
    assert shown[0]["updated_by"] == "secret-of-admin"
    assert len(desk.services.jobs.scheduled(desk.clock.now().replace(year=2027), 9)) == 1
    assert desk.post("/jobs/batch-enable", {field: ids}).json == {"updated": 2}
    assert len(desk.services.jobs.scheduled(desk.clock.now().replace(year=2027), 9)) == 3


def test_jobs_are_switched_by_tag(desk: Desk) -> None:
    """By key, by value, and narrowed to ids."""
    made = [desk.job(name, tags={"env": env}) for name, env in (("a", "prod"), ("b", "prod"), ("c", "test"))]
    assert desk.post("/jobs/batch-disable", {"tag_key": "env", "tag_value": "prod"}).json == {"updated": 2}
    assert desk.post("/jobs/batch-disable", {"project_id": "default", "tag_key": "env"}).json == {"updated": 1}
    body = {"tag_key": "env", "tag_value": "prod", "ids": [job["id"] for job in made[1:]]}
    assert desk.post("/jobs/batch-enable", body).json == {"updated": 1}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "ids"),
        ({"ids": []}, 400, "ids"),
        ({"project_id": "default"}, 400, "ids"),
        ({"tag_value": "v"}, 400, "tag_key"),
        ({"ids": ["x"] * 51}, 400, "ids"),
        ({"project_id": "elsewhere", "ids": ["x"]}, 404, ""),
    ],
)
def test_switching_names_what_it_means(desk: Desk, body: Any, status: int, field: str) -> None:
    """Nothing named is no wish to switch everything."""
    for verb in ("enable", "disable"):
        refused = desk.post(f"/jobs/batch-{verb}", body)
        assert refused.status == status
        assert not field or refused.fields == {field}
