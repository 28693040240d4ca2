"""All APIs over one engine in memory, a project with one thing of every kind in it, and requests to every route that name those things."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.contract import etl_things
from tests.contract.route_table import BODIES, DIALECTS, MARK, ROUTES, AskedRoute, builder
from tests.unit.jobs.jobs_desk import ADMIN, URL, Answer, Desk

from quintet.adapters.memory import SeededIds
from quintet.web.api import Api

REPORTING_URL, BAD_URL = "https://example.com/reports", "https://example.com/bad"
LATER = "2026-01-01T05:00:00Z"
STRANGER, PARENT = "secret-of-a-stranger", ADMIN
AT_ONCE = {"x-quintet-stream": "1"}
"""Event streams answer with what there is, so that no time passes."""

_DIALECTS = (("/api/v1/", "automations"), ("/webrobot/", "etl"), ("/api/strapi-tables/", "etl"))


@dataclass
class Things:
    """The ids of what is in the owner's project; `paths` holds, by rule or noun and by parameters, all that a route's path may name."""

    ids: dict[str, str] = field(default_factory=dict)
    paths: dict[tuple[str, tuple[str, ...]], list[dict[str, str]]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.ids[name]

    def all_paths(self, route: AskedRoute) -> list[str]:
        """The route's path with each thing that it may name; a name without things fails, so that a new route gets its own."""
        if not route.parameters:
            return [route.rule]
        of_rule = (route.rule, route.parameters)
        found = self.paths[of_rule if of_rule in self.paths else (route.noun, route.parameters)]
        return [re.sub(r"<(\w+)>", lambda name: values[name[1]], route.rule) for values in found]  # noqa: B023


class Stage:
    """The owner's project, made by the parent's key; a child project, made by the owner's; and a stranger."""

    asked: "Stage"
    """The stage that the APIs work on at the moment: building an API takes longer than filling a stage, so all stages share theirs."""
    _apis: Mapping[str, Api] = {dialect: builder(dialect)(lambda: Stage.asked.desk.services) for dialect in DIALECTS}
    _seeds = count(100)

    def __init__(self) -> None:
        self.desk = Desk()
        # An API keeps versions of jobs by id, so that no two stages may have the same.
        self.desk.services.ids = SeededIds(next(self._seeds), self.desk.clock)
        etl_things.stand_in(self.desk)
        self.desks = {dialect: copy.copy(self.desk) for dialect in DIALECTS}
        for dialect, desk in self.desks.items():
            desk.api = self._apis[dialect]
        self.desk.add_key(STRANGER, "admin", project="strangers")
        self.things = Things()
        self.project, self.owner = self._project("owners", PARENT)
        self.child_project, self.child = self._project("child", self.owner)
        self.tokens: dict[str, str] = {}
        self._fill_jobs()
        self._fill_runs()
        self._fill_workflows()
        self._fill_automations()
        self._fill_around()
        self._name_paths()
        self.things.paths |= etl_things.fill(self.desk, self._made)

    # --- asking ----------------------------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None, **more: Any) -> Answer:
        """A request; by the owner unless another key is named."""
        dialect = next((name for start, name in _DIALECTS if path.startswith(start)), "jobs")
        Stage.asked = self
        return self.desks[dialect].send(method, path, body, key=key or self.owner, **more)

    def make(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """What a POST made, as answered."""
        answer = self.ask("POST", path, body, key=key)
        assert answer.status in (200, 201, 204), (path, answer.text)
        return answer.json if answer.text else None

    def _made(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status in (200, 201), (path, answer.text)
        return answer.json

    def send(self, route: AskedRoute, path: str, key: str | None, **more: Any) -> Answer:
        """A valid request to a route."""
        headers = {**AT_ONCE, **more.pop("headers", {})}
        if route.name in etl_things.TYPES:
            headers["content-type"] = etl_things.TYPES[route.name]
        body = more.pop("body", self.body(route))
        Stage.asked = self
        return self.desks[route.dialect].send(route.method, path, body, key=key, headers=headers, **more)

    def body(self, route: AskedRoute) -> Any:
        """A body that the route takes; None where it needs none."""
        made = {**BODIES, **etl_things.BODIES}.get(route.name)
        return made(self) if callable(made) else made

    def hides(self, answer: Answer) -> bool:
        """True for an answer in which nothing is the owner's."""
        text = answer.text + str(answer.headers)
        return not any(said in text for said in (MARK, self.project, *self.things.ids.values()))

    def everything(self) -> dict[str, str]:
        """All that the owner can read, by path."""
        return {
            path: self.send(route, path, self.owner).text
            for route in ROUTES
            if route.method == "GET" and not route.run_side
            for path in self.things.all_paths(route)
        }

    # --- making things ---------------------------------------------------------------------------------------------------------

    def _project(self, name: str, by: str) -> tuple[str, str]:
        project = self.make("/v1/projects", {"name": name}, key=by)["id"]
        body = {"project_id": project, "name": name, "scopes": ["admin"]}
        return project, self.make("/v1/api-keys", body, key=by)["key"]

    def _job(self, name: str, **fields: Any) -> str:
        given = {"name": f"{MARK} {name}", "endpoint_url": URL, **fields}
        return str(self.make("/v1/jobs", given)["id"])

    def _fill_jobs(self) -> None:
        ids = self.things.ids
        ids["group"] = self.make("/v1/job-groups", {"name": MARK})["id"]
        ids["spare_group"] = self.make("/v1/job-groups", {"name": f"{MARK} spare"})["id"]
        told = {"webhook_url": "https://example.org/done", "webhook_secret": "a secret of theirs"}
        ids["job"] = self._job("a", slug=MARK, group_id=ids["group"], tags={MARK: "x"}, **told)
        ids["spare_job"] = self._job("spare")
        ids["down_job"] = self._job("down")
        ids["version"] = self.ask("GET", f"/v1/jobs/{ids['job']}").json["version_id"]
        body = {"depends_on_job_id": ids["job"]}
        ids["dependency"] = self.make(f"/v1/jobs/{ids['down_job']}/dependencies", body)["id"]
        ids["upload"] = self.make(f"/v1/jobs/{ids['job']}/payload-uploads")["payload_ref"]
        upload = f"uploads/{self.project}/{ids['job']}/{ids['upload']}.json"
        self.desk.services.blobs.put(upload, f'"{MARK}"'.encode())

    def _trigger(self, job: str, **body: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.make(f"/v1/jobs/{job}/trigger", {"payload": {"n": MARK}, **body})
        return made

    def _fill_runs(self) -> None:
        ids, replies = self.things.ids, self.desk.endpoints.replies
        replies |= {REPORTING_URL: [(202, None)], BAD_URL: [(400, None)], URL: [(200, {"said": MARK})]}
        bulk = self.make(
            f"/v1/jobs/{ids['job']}/trigger/bulk", {"items": [{"tags": {MARK: "x"}, "metadata": {MARK: "x"}}]}
        )
        ids["run"], ids["batch"] = bulk["results"][0]["id"], bulk["batch_id"]
        failing = ids["failing_job"] = self._job("failing", endpoint_url=BAD_URL)
        reporting = self._job("reporting", endpoint_url=REPORTING_URL)
        ids["failed_run"] = self._trigger(failing)["id"]
        waiting, other = self._trigger(reporting), self._trigger(reporting)
        ids["waiting_run"], ids["delayed_run"] = waiting["id"], self._trigger(ids["job"], scheduled_at=LATER)["id"]
        self.tokens = {"own": waiting["run_token"], "of another run": other["run_token"]}
        self.desk.drive()
        sent = self.desk.endpoints.calls[-1].headers
        self.tokens["sent with another run"] = {name.lower(): value for name, value in sent.items()}["x-run-token"]
        for what, body in (
            ("log", {"message": MARK}),
            ("checkpoint", {"source": MARK, "state": MARK}),
            ("output", {"output_key": MARK, "value": MARK}),
            ("spawn", {"job_id": ids["spare_job"], "payload": MARK}),
        ):
            self.make(f"/sdk/v1/runs/{ids['waiting_run']}/{what}", body, key=self.tokens["own"])
        self.desk.drive()
        paused = self._trigger(ids["job"])["id"]
        ids["paused_run"] = self.make(f"/v1/runs/{paused}/pause")["id"]
        self.desk.drive()
        ids["queued_run"] = self._trigger(ids["job"])["id"]

    def _fill_workflows(self) -> None:
        ids = self.things.ids
        gate = {"step_ref": "gate", "step_type": "approval", "message": MARK}
        ids["workflow"] = self.make("/v1/workflows", {"name": MARK, "tags": {MARK: "x"}, "steps": [gate]})["id"]
        event = {"step_ref": "heard", "step_type": "wait_for_event", "event_key": MARK}
        ids["spare_workflow"] = self.make("/v1/workflows", {"name": f"{MARK} spare", "steps": [event]})["id"]
        listening = self.make("/v1/workflows", {"name": f"{MARK} listening", "steps": [event]})["id"]
        ids["workflow_version"] = self.ask("GET", f"/v1/workflows/{ids['workflow']}").json["version_id"]
        trigger = f"/v1/workflows/{ids['workflow']}/trigger"
        for name in ("workflow_run", "refused_run", "paused_workflow_run"):
            ids[name] = self.make(trigger, {"payload": MARK})["id"]
            self.desk.drive()
        ids["listening_run"] = self.make(f"/v1/workflows/{listening}/trigger")["id"]
        self.desk.drive()
        self.make(f"/v1/workflow-runs/{ids['refused_run']}/steps/gate/approve", {"approved": False})
        self.desk.drive()
        ids["paused_workflow_run"] = self.make(trigger)["id"]
        self.make(f"/v1/workflow-runs/{ids['paused_workflow_run']}/pause")
        ids["queued_workflow_run"] = self.make(trigger)["id"]

    def _fill_automations(self) -> None:
        ids = self.things.ids
        steps = [{"key": "gate", "kind": "approval_gate", "config": {"message": MARK}}]
        body = {"name": MARK, "config": {"steps": steps}}
        ids["automation"] = self.make("/api/v1/automations", body)["id"]
        ids["spare_automation"] = self.make("/api/v1/automations", body)["id"]
        hooked = self.make("/api/v1/automations", {**body, "triggerType": "webhook"})
        ids["hook"] = hooked["webhookPath"]
        for name in ("automation_run", "refused_automation_run"):
            ids[name] = self.make(f"/api/v1/automations/{ids['automation']}/run", {"input": MARK})["id"]
            self.desk.drive()
        self.make(f"/api/v1/automation-runs/{ids['refused_automation_run']}/steps/gate/reject")
        self.desk.drive()

    def _fill_around(self) -> None:
        ids = self.things.ids
        ids["key"] = self.make("/v1/api-keys", {"name": MARK, "scopes": ["jobs:read"]})["id"]
        ids["spare_project"] = self.make("/v1/projects", {"name": MARK})["id"]
        ids["delivery"] = self.ask("GET", "/v1/webhook-deliveries").json[0]["id"]

    def _name_paths(self) -> None:
        ids = self.things.ids

        def of(name: str, *kinds: str) -> list[dict[str, str]]:
            return [{name: ids[kind]} for kind in kinds]

        jobs = of("job_id", "job", "spare_job")
        any_jobs = [*jobs, *of("job_id", "automation", "workflow")]
        runs = of("run_id", "run", "failed_run", "waiting_run", "delayed_run", "paused_run", "queued_run", "workflow_run",
                  "automation_run")  # fmt: skip
        workflow_runs = of(
            "run_id", "workflow_run", "refused_run", "paused_workflow_run", "queued_workflow_run", "listening_run"
        )
        gates = [{"run_id": ids[kind], "step_ref": "gate"} for kind in ("workflow_run", "refused_run")]
        automation_gates = [
            {"run_id": ids[kind], "key": "gate"} for kind in ("automation_run", "refused_automation_run")
        ]
        self.things.paths = {
            ("/v1/jobs", ("job_id",)): jobs,
            ("/v1/jobs/<job_id>/health", ("job_id",)): any_jobs,
            ("/v1/jobs/<job_id>/dependencies", ("job_id",)): any_jobs,
            ("/v1/jobs", ("job_id", "version_id")): [{"job_id": ids["job"], "version_id": ids["version"]}],
            ("/v1/jobs", ("job_id", "dependency_id")): [
                {"job_id": ids["down_job"], "dependency_id": ids["dependency"]}
            ],
            ("/v1/runs", ("run_id",)): runs,
            ("/sdk/v1/runs", ("run_id",)): of("run_id", "waiting_run"),
            ("/v1/workflows", ("workflow_id",)): of("workflow_id", "workflow", "spare_workflow"),
            ("/v1/workflows", ("workflow_id", "version_id")): [
                {"workflow_id": ids["workflow"], "version_id": ids["workflow_version"]}
            ],
            ("/v1/workflow-runs", ("run_id",)): workflow_runs,
            ("/v1/workflow-runs", ("run_id", "step_ref")): gates,
            ("/v1/job-groups", ("group_id",)): of("group_id", "group", "spare_group"),
            ("/v1/projects", ("project_id",)): [{"project_id": self.project}, *of("project_id", "spare_project")],
            ("/v1/api-keys", ("key_id",)): of("key_id", "key"),
            ("/v1/webhook-deliveries", ("delivery_id",)): of("delivery_id", "delivery"),
            ("/api/v1/automations", ("automation_id",)): of("automation_id", "automation", "spare_automation", "job"),
            ("/api/v1/automations", ("automation_id", "version_number")): [
                {"automation_id": ids["automation"], "version_number": "1"}
            ],
            ("/api/v1/automation-runs", ("run_id",)): of("run_id", "automation_run", "refused_automation_run", "run"),
            ("/api/v1/automation-runs", ("run_id", "key")): automation_gates,
            ("/api/v1/webhooks", ("path",)): of("path", "hook"),
        }
