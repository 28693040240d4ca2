"""Jobs on the whole deployment, over HTTP: definitions, limits on who may, lists, health, what is around them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.local_cloud.client import Client
from tests.local_cloud.endpoint import Endpoint


class Jobs:
    """A client of the Jobs API with a project of its own."""

    def __init__(self, cloud: Client, url: str) -> None:
        self._cloud = cloud
        self._base = f"{url}/v1"
        self.project = self.good(self.ask("POST", "/projects", {"name": f"e2e {uuid4()}"}, key="local-dev-key"), 201)[
            "id"
        ]
        body = {"project_id": self.project, "name": "all", "scopes": ["admin"]}
        self.key = self.good(self.ask("POST", "/api-keys", body, key="local-dev-key"), 201)["key"]

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None, **more: Any) -> httpx.Response:
        """One request."""
        headers = {"authorization": f"Bearer {key or self.key}", **more.pop("headers", {})}
        return self._cloud.request(method, self._base + path, json=body, headers=headers, **more)

    def good(self, response: httpx.Response, status: int = 200) -> Any:
        """The JSON of a response that has this status."""
        return self._cloud.good(response, status)

    def job(self, name: str, url: str, **fields: Any) -> dict[str, Any]:
        """A new job."""
        made: dict[str, Any] = self.good(self.ask("POST", "/jobs", {"name": name, "endpoint_url": url, **fields}), 201)
        return made

    def ended(self, run_id: str) -> dict[str, Any]:
        """The run once it is completed."""
        self._cloud.until(lambda: self.good(self.ask("GET", f"/runs/{run_id}"))["status"] == "completed")
        run: dict[str, Any] = self.good(self.ask("GET", f"/runs/{run_id}"))
        return run


@pytest.fixture
def jobs(client: Client, url: str) -> Iterator[Jobs]:
    """The Jobs API, in an empty project."""
    yield Jobs(client, url)


def test_a_job_lives_from_its_definition_to_its_deletion(jobs: Jobs, endpoint: Endpoint) -> None:
    """Written, changed, run, judged, copied, disabled, deleted: on the real tables, queues and machines."""
    job = jobs.job(
        "Nightly",
        f"{endpoint.url}/work",
        tags={"team": "ops"},
        cron="30 2 * * *",
        timezone="Europe/Berlin",
        webhook_secret="a secret of mine",
        environment_id="prod",
        payload_schema={"type": "object", "required": ["n"]},
    )
    path = f"/jobs/{job['id']}"
    assert jobs.good(jobs.ask("GET", f"/jobs/nightly?project_id={jobs.project}")) == job
    changed = jobs.good(jobs.ask("PATCH", path, {"max_attempts": 5, "webhook_secret": "another secret"}))
    assert changed["version"] == 2
    versions = jobs.good(jobs.ask("GET", f"{path}/versions"))
    assert [one["version"] for one in versions] == [2, 1]
    assert jobs.good(jobs.ask("GET", f"{path}/versions/{job['version_id']}"))["max_attempts"] == 3
    run = jobs.good(jobs.ask("POST", f"{path}/trigger", {"payload": {"n": 1}}), 201)
    assert jobs.ended(run["id"])["job_version"] == 2
    health = jobs.good(jobs.ask("GET", f"{path}/health?window=1h"))
    assert (health["total_runs"], health["success_rate"]) == (1, 100.0)
    assert health["avg_duration_secs"] > 0
    copy = jobs.good(jobs.ask("POST", f"{path}/clone"), 201)
    assert (copy["slug"], copy["tags"]) == ("nightly-copy", {"team": "ops"})
    switched = jobs.good(jobs.ask("POST", "/jobs/batch-disable", {"tag_key": "team"}))
    assert switched == {"updated": 2}
    refused = jobs.ask("POST", f"{path}/trigger", {"payload": {"n": 1}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")
    assert jobs.ask("DELETE", path).status_code == 204
    assert jobs.ask("GET", path).status_code == 404
    assert jobs.good(jobs.ask("GET", "/jobs")) == [{**copy, "enabled": False, "updated_by": "all",
                                                    "updated_at": jobs.good(jobs.ask("GET", "/jobs"))[0]["updated_at"]}]  # fmt: skip


def test_lists_are_paged_and_filtered_by_index(jobs: Jobs, endpoint: Endpoint) -> None:
    """A batch of thirty, in pages of seven, by the link of each page."""
    bodies = [{"name": f"j{n}", "endpoint_url": endpoint.url, "tags": {"odd": str(n % 2)}} for n in range(30)]
    made = jobs.good(jobs.ask("POST", "/jobs/batch", bodies), 201)
    assert len({one["slug"] for one in made}) == 30
    seen: list[str] = []
    path = "/jobs?tag_key=odd&tag_value=1&limit=7"
    while path:
        answer = jobs.ask("GET", path)
        seen += [one["name"] for one in jobs.good(answer)]
        path = answer.links["next"]["url"].removeprefix("/v1") if "next" in answer.links else ""
    assert sorted(seen) == sorted(f"j{n}" for n in range(30) if n % 2)
    bad = jobs.ask("POST", "/jobs/batch", [*bodies[:2], {"name": "broken"}])
    assert (bad.status_code, bad.json()["error"]["details"][0]["field"]) == (400, "[2].endpoint_url")
    some = jobs.good(jobs.ask("POST", "/jobs/batch", {"jobs": [bodies[0], {"name": "broken"}]}), 201)
    assert (len(some["created"]), [one["index"] for one in some["errors"]]) == (1, [1])


def test_a_chain_of_jobs_and_a_group(jobs: Jobs, endpoint: Endpoint) -> None:
    """The downstream job is triggered; a cycle is refused; the group counts, pauses and resumes."""
    group = jobs.good(jobs.ask("POST", "/job-groups", {"name": "G"}), 201)["id"]
    up = jobs.job("up", endpoint.url, group_id=group)["id"]
    down = jobs.job("down", endpoint.url, group_id=group)["id"]
    edge = jobs.good(jobs.ask("POST", f"/jobs/{down}/dependencies", {"depends_on_job_id": up}), 201)
    cycle = jobs.ask("POST", f"/jobs/{up}/dependencies", {"depends_on_job_id": down})
    assert (cycle.status_code, cycle.json()["error"]["details"][0]["field"]) == (400, "depends_on_job_id")
    jobs.ended(jobs.good(jobs.ask("POST", f"/jobs/{up}/trigger", {}), 201)["id"])
    followed: list[dict[str, Any]] = []

    def came() -> bool:
        followed[:] = jobs.good(jobs.ask("GET", f"/runs?job_id={down}"))
        return bool(followed)

    jobs._cloud.until(came)
    assert followed[0]["triggered_by"] == "job_completion"
    jobs.ended(followed[0]["id"])
    stats = jobs.good(jobs.ask("GET", f"/job-groups/{group}/stats"))
    assert (stats["total_runs"], stats["by_status"]["completed"]) == (2, 2)
    assert jobs.good(jobs.ask("POST", f"/job-groups/{group}/pause-all")) == {"updated": 2}
    assert jobs.ask("POST", f"/jobs/{up}/trigger", {}).status_code == 400
    assert jobs.good(jobs.ask("POST", f"/job-groups/{group}/resume-all")) == {"updated": 2}
    assert jobs.ask("DELETE", f"/jobs/{down}/dependencies/{edge['id']}").status_code == 204


def test_keys_do_what_they_may_in_their_project_only(jobs: Jobs, endpoint: Endpoint) -> None:
    """A weak key is refused with the scope's name, a foreign one finds nothing, a rotated one is out."""
    made = jobs.good(jobs.ask("POST", "/api-keys", {"name": "weak", "scopes": ["jobs:read"]}), 201)
    job = jobs.job("a", endpoint.url)
    assert jobs.ask("GET", f"/jobs/{job['id']}", key=made["key"]).status_code == 200
    refused = jobs.ask("DELETE", f"/jobs/{job['id']}", key=made["key"])
    assert (refused.status_code, "jobs:write" in refused.json()["error"]["message"]) == (403, True)
    assert refused.json()["request_id"] == refused.headers["x-request-id"]
    assert jobs.ask("GET", f"/jobs/{job['id']}", key="local-dev-key").status_code == 404
    rotated = jobs.good(jobs.ask("POST", f"/api-keys/{made['id']}/rotate"))
    assert jobs.ask("GET", "/jobs", key=rotated["key"]).status_code == 200
    nobody = jobs.ask("GET", "/jobs", key="unknown")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")


def test_one_slug_goes_to_one_of_many_who_want_it(jobs: Jobs, endpoint: Endpoint) -> None:
    """Exactly one is created; changes at the same time are all kept."""
    with ThreadPoolExecutor(8) as pool:
        body = {"name": "x", "slug": "wanted", "endpoint_url": endpoint.url}
        answers = list(pool.map(lambda _: jobs.ask("POST", "/jobs", body).status_code, range(8)))
        assert sorted(answers) == [201] + [409] * 7
        path = f"/jobs/wanted?project_id={jobs.project}"
        fields = [{"description": "d"}, {"max_attempts": 7}, {"run_ttl_secs": 9}]
        changed = list(pool.map(lambda change: jobs.ask("PATCH", path, change).status_code, fields))
    assert changed == [200] * 3
    job = jobs.good(jobs.ask("GET", path))
    assert (job["description"], job["max_attempts"], job["run_ttl_secs"], job["version"]) == ("d", 7, 9, 4)
