"""What generated requests need to get past 404: a project on a running cloud, with things of every kind, and their ids in the requests.

Nothing here leads out of the machine: every URL that a request may save is replaced by that of a local endpoint.
"""

import re
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
from tests.contract.conformance import etl_things
from tests.local_cloud.endpoint import Endpoint

LATER = "/later"
URLS = ("endpoint_url", "fallback_endpoint_url", "webhook_url", "endpoint", "url")
YEARLY = "0 3 1 1 *"
_AHEAD_S = 3600


class Later(Endpoint):
    """An endpoint that promises to report when it is called at LATER, and else answers at once."""

    def answer(self, path: str, key: str) -> tuple[int, dict[str, str]]:
        """One call's status and body."""
        status, body = super().answer(path, key)
        return (202 if path == LATER else status), body


class World:
    """A project's things. What a request may use up is made anew for each operation."""

    def __init__(self, client: httpx.Client, endpoint: Later) -> None:
        self.url, self._client, self._endpoint = str(client.base_url), client, endpoint
        self._bearer("local-dev-key")
        self.project = self.make("/v1/projects", {"name": f"conformance {uuid4()}"})["id"]
        body = {"project_id": self.project, "name": "all", "scopes": ["admin"]}
        self.key = self.make("/v1/api-keys", body)["key"]
        self._bearer(self.key)
        self.work_url, self.later_url = f"{endpoint.url}/work", f"{endpoint.url}{LATER}"
        self._slugs = count()
        self._kept: dict[str, dict[str, str]] = {}
        self._operation = ""

    def _bearer(self, key: str) -> None:
        self._client.headers["authorization"] = f"Bearer {key}"

    def make(self, path: str, body: Any = None) -> Any:
        """What a POST made."""
        answer = self._client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def read(self, path: str) -> Any:
        """What a GET answered."""
        answer = self._client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def keep(self, path: str, body: str, type_: str) -> Any:
        """What a PUT of bytes answered."""
        answer = self._client.put(path, content=body, headers={"content-type": type_})
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def until(self, path: str, *statuses: str) -> Any:
        """A run once it has one of these statuses."""
        end = time.monotonic() + 60
        while (found := self._client.get(path).json())["status"] not in statuses:
            assert time.monotonic() < end, found
            time.sleep(0.02)
        return found

    def start(self, operation: str) -> None:
        """What follows is of another operation: what it uses up is made anew."""
        if operation != self._operation:
            self._operation = operation
            for name in _USED_UP:
                self._kept.pop(name, None)

    def thing(self, name: str) -> dict[str, str]:
        """The parameters that name a thing, made when first asked for."""
        if name not in self._kept:
            self._kept[name] = _MAKERS[name](self)
        return self._kept[name]

    def token(self) -> str:
        """The token of the run that reports."""
        return self.thing("reporting")["token"]

    def free_slug(self) -> str:
        """A slug that nothing has."""
        return f"slug-{next(self._slugs)}"

    def later(self) -> str:
        """A time in the near future."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + _AHEAD_S))

    # --- the requests ----------------------------------------------------------------------------------------------------------

    def parameters(self, operation: str, path: Mapping[str, Any]) -> dict[str, str]:
        """The operation's path parameters, naming things that are there."""
        kind = next(kind for pattern, kind in _PATHS if re.match(pattern, operation))
        if operation.startswith("DELETE") and kind in _USED_UP:
            self._kept.pop(kind, None)
        found = self.thing(kind)
        return {name: found[name] for name in path}

    def settle(self, value: Any, name: str = "") -> Any:
        """A generated value of a body or a query, with ids of things that are there and the local endpoint's URL."""
        if isinstance(value, dict):
            return {key: self.settle(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            if name in ("steps", "tasks") and value and all(isinstance(one, dict) for one in value):
                return self._steps(value)
            return [self.settle(inner, name) for inner in value]
        if not isinstance(value, str):
            return value
        if name in URLS:
            return self.work_url
        if name in ("cron", "execution_window_cron"):
            return YEARLY if name == "cron" else "* * * * *"
        if name == "timezone":
            return "Europe/Paris"
        if name == "project_id":
            return self.project
        if (kind := _NAMED.get(name)) is not None:
            return self.thing(kind[0])[kind[1]]
        return value

    def _steps(self, steps: list[Any]) -> list[Any]:
        """Steps that are taken: generated ones hardly ever make a plan."""
        if "key" in steps[0]:
            return [{"key": f"s{n}", "kind": "set", "config": {"values": {}}} for n in range(min(len(steps), 3))]
        return [{"step_ref": f"s{n}", "step_type": "sleep", "duration_secs": 1} for n in range(min(len(steps), 3))]

    # --- the things ------------------------------------------------------------------------------------------------------------

    def job(self, path: str = "/work", **fields: Any) -> str:
        """A new job."""
        url = f"{self._endpoint.url}{path}"
        return str(self.make("/v1/jobs", {"name": f"job {uuid4()}", "endpoint_url": url, **fields})["id"])

    def trigger(self, job: str, **body: Any) -> dict[str, Any]:
        """A new run."""
        made: dict[str, Any] = self.make(f"/v1/jobs/{job}/trigger", {"payload": {"a": 1}, **body})
        return made

    def _whole_job(self) -> dict[str, str]:
        job = self.job(tags={"t": "v"}, webhook_url=f"{self._endpoint.url}/told", webhook_secret="a secret of mine")
        version = self._client.get(f"/v1/jobs/{job}").json()["version_id"]
        edge = self.make(f"/v1/jobs/{job}/dependencies", {"depends_on_job_id": self.thing("other_job")["job_id"]})
        return {"job_id": job, "version_id": version, "dependency_id": edge["id"]}

    def _ended(self) -> dict[str, str]:
        job = self.job(tags={"t": "v"}, webhook_url=f"{self._endpoint.url}/told", webhook_secret="a secret of mine")
        run = self.trigger(job, tags={"t": "v"})["id"]
        self.until(f"/v1/runs/{run}", "completed")
        end = time.monotonic() + 60
        while not (told := self._client.get(f"/v1/webhook-deliveries?run_id={run}").json()):
            assert time.monotonic() < end
            time.sleep(0.02)
        return {"run_id": run, "delivery_id": told[0]["id"]}

    def _delayed(self) -> dict[str, str]:
        return {"run_id": self.trigger(self.thing("other_job")["job_id"], scheduled_at=self.later())["id"]}

    def _reporting(self) -> dict[str, str]:
        run = self.trigger(self.job(LATER))
        self.until(f"/v1/runs/{run['id']}", "waiting")
        return {"run_id": run["id"], "token": run["run_token"]}

    def _workflow(self) -> dict[str, str]:
        gate = {"step_ref": "gate", "step_type": "approval"}
        made = self.make("/v1/workflows", {"name": f"flow {uuid4()}", "tags": {"t": "v"}, "steps": [gate]})
        return {"workflow_id": made["id"], "version_id": made["version_id"]}

    def _workflow_run(self) -> dict[str, str]:
        run = self.make(f"/v1/workflows/{self._workflow()['workflow_id']}/trigger")["id"]
        self.until(f"/v1/workflow-runs/{run}", "waiting")
        return {"run_id": run, "step_ref": "gate"}

    def _ended_workflow_run(self) -> dict[str, str]:
        found = self._workflow_run()
        self.make(f"/v1/workflow-runs/{found['run_id']}/steps/gate/approve", {"approved": False})
        self.until(f"/v1/workflow-runs/{found['run_id']}", "failed")
        return found

    def _automation(self) -> dict[str, str]:
        steps = [{"key": "gate", "kind": "approval_gate", "config": {}}]
        made = self.make("/api/v1/automations", {"name": "a", "config": {"steps": steps}})
        return {"automation_id": made["id"], "version_number": "1"}

    def _automation_run(self) -> dict[str, str]:
        run = self.make(f"/api/v1/automations/{self._automation()['automation_id']}/run", {})["id"]
        steps = f"/api/v1/automation-runs/{run}/waiting"
        end = time.monotonic() + 60
        while not self._client.get(steps).json()["waiting"]:
            assert time.monotonic() < end
            time.sleep(0.02)
        return {"run_id": run, "key": "gate"}

    def _ended_automation_run(self) -> dict[str, str]:
        found = self._automation_run()
        self.make(f"/api/v1/automation-runs/{found['run_id']}/steps/gate/reject", {})
        self.until(f"/api/v1/automation-runs/{found['run_id']}", "failed")
        return found

    def _hook(self) -> dict[str, str]:
        steps = [{"key": "a", "kind": "set", "config": {"values": {}}}]
        body = {"name": "h", "triggerType": "webhook", "config": {"steps": steps}}
        return {"path": self.make("/api/v1/automations", body)["webhookPath"]}


Maker = Callable[[World], dict[str, str]]
_MAKERS: dict[str, Maker] = {
    "job": World._whole_job,
    "changed_job": World._whole_job,
    "triggered_job": World._whole_job,
    "other_job": lambda world: {"job_id": world.job()},
    "group": lambda world: {"group_id": world.make("/v1/job-groups", {"name": f"group {uuid4()}"})["id"]},
    "own_project": lambda world: {"project_id": world.project},
    "key": lambda world: {"key_id": world.make("/v1/api-keys", {"name": "used", "scopes": ["jobs:read"]})["id"]},
    "ended": World._ended,
    "delayed": World._delayed,
    "reporting": World._reporting,
    "workflow": World._workflow,
    "triggered_workflow": World._workflow,
    "workflow_run": World._workflow_run,
    "ended_workflow_run": World._ended_workflow_run,
    "automation": World._automation,
    "changed_automation": World._automation,
    "triggered_automation": World._automation,
    "automation_run": World._automation_run,
    "ended_automation_run": World._ended_automation_run,
    "hook": World._hook,
    **etl_things.MAKERS,
}
_USED_UP = ("changed_job", "triggered_job", "key", "delayed", "reporting", "triggered_workflow", "workflow_run", "changed_automation",
            "triggered_automation", "automation_run", "group", *etl_things.USED_UP)  # fmt: skip
"""Made anew for each operation, which may change, delete or end them."""

_PATHS: tuple[tuple[str, str], ...] = (
    (r"GET /v1/jobs/", "job"),
    (r"POST /v1/jobs/\{job_id\}/(trigger|payload)", "triggered_job"),
    (r"\w+ /v1/jobs/", "changed_job"),
    (r"GET /v1/runs/\{run_id\}/(logs|checkpoints|outputs)", "reporting"),
    (r"(GET /v1/runs/|POST /v1/runs/\{run_id\}/replay)", "ended"),
    (r"\w+ /v1/runs/", "delayed"),
    (r"\w+ /sdk/", "reporting"),
    (r"(GET|POST) /v1/workflows/\{workflow_id\}/(versions|plan|graph|dry-run)|GET /v1/workflows", "workflow"),
    (r"\w+ /v1/workflows/", "triggered_workflow"),
    (r"(GET /v1/workflow-runs/|POST /v1/workflow-runs/\{run_id\}/(steps/\{step_ref\}/)?retry)", "ended_workflow_run"),
    (r"\w+ /v1/workflow-runs/", "workflow_run"),
    (r"\w+ /v1/job-groups/", "group"),
    (r"\w+ /v1/projects/", "own_project"),
    (r"\w+ /v1/api-keys/", "key"),
    (r"\w+ /v1/webhook-deliveries/", "ended"),
    (r"GET /api/v1/automations/", "automation"),
    (r"POST /api/v1/automations/\{automation_id\}/run", "triggered_automation"),
    (r"\w+ /api/v1/automations/", "changed_automation"),
    (r"(GET /api/v1/automation-runs/|POST /api/v1/automation-runs/\{run_id\}/retry)", "ended_automation_run"),
    (r"\w+ /api/v1/automation-runs/", "automation_run"),
    (r"\w+ /api/v1/webhooks/", "hook"),
    *etl_things.PATHS,
)
"""What the path of an operation names: the first that fits."""

_NAMED: dict[str, tuple[str, str]] = {
    "job_id": ("other_job", "job_id"),
    "depends_on_job_id": ("other_job", "job_id"),
    "ids": ("changed_job", "job_id"),
    "job_ids": ("changed_job", "job_id"),
    "group_id": ("group", "group_id"),
    "workflow_id": ("workflow", "workflow_id"),
    "run_ids": ("ended", "run_id"),
    "run_id": ("ended", "run_id"),
    "automationId": ("automation", "automation_id"),
}
"""What a field of a body or a query names."""
