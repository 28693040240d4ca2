"""The table of all routes of all APIs, read from the APIs themselves, with a body for each that needs one."""

import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.unit.jobs.jobs_desk import URL

import quintet.dialects
from quintet.web.api import Api
from quintet.web.gate import scope_of

DIALECTS = sorted(
    module.name
    for module in pkgutil.iter_modules(quintet.dialects.__path__)
    if importlib.util.find_spec(f"quintet.dialects.{module.name}.app")
)
"""Those that are served: what another is to stand on has no app yet."""
MARK = "marked-as-the-owners"
"""Is in the name, slug, tag or payload of every thing of the owner's project."""


@dataclass(frozen=True)
class AskedRoute:
    """One route of one API."""

    dialect: str
    method: str
    rule: str
    scope: str

    @property
    def name(self) -> str:
        """As the tables below name it."""
        return f"{self.method} {self.rule}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in its path."""
        return tuple(re.findall(r"<(\w+)>", self.rule))

    @property
    def noun(self) -> str:
        """The path before the first name."""
        return self.rule.partition("/<")[0]

    @property
    def run_side(self) -> bool:
        """True for a route that a run's own token opens."""
        return self.rule.startswith("/sdk/")


def builder(dialect: str) -> Callable[..., Api]:
    """What makes a dialect's API."""
    found: Callable[..., Api] = importlib.import_module(f"quintet.dialects.{dialect}.app").build
    return found


def _no_engine() -> Any:
    raise RuntimeError("the table of routes needs no engine")


ROUTES = [
    AskedRoute(dialect, route.method, route.path, scope_of(route.func))
    for dialect in DIALECTS
    for route in builder(dialect)(_no_engine).every_route
]


@cache
def documented(dialect: str) -> dict[str, Any]:
    """A dialect's OpenAPI document."""
    made: dict[str, Any] = importlib.import_module(f"quintet.dialects.{dialect}.openapi").document()
    return made


def operation(route: AskedRoute) -> dict[str, Any]:
    """What the document says of a route."""
    found: dict[str, Any] = documented(route.dialect)["paths"][route.rule.replace("<", "{").replace(">", "}")]
    return dict(found[route.method.lower()])


def schema_of(route: AskedRoute, shape: dict[str, Any]) -> dict[str, Any]:
    """A schema of the document, behind references and nulls."""
    while True:
        if "$ref" in shape:
            shape = documented(route.dialect)["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
        elif found := next((one for one in shape.get("anyOf", ()) if "$ref" in one), None):
            shape = found
        else:
            return shape


_STEPS = {"config": {"steps": [{"key": "a", "kind": "set", "config": {"values": {}}}]}}
BODIES: Mapping[str, Any] = {
    "POST /v1/jobs": {"name": "new", "endpoint_url": URL},
    "PATCH /v1/jobs/<job_id>": {"description": "changed"},
    "POST /v1/jobs/batch": [{"name": "new", "endpoint_url": URL}],
    "POST /v1/jobs/batch-enable": lambda stage: {"ids": [stage.things["job"]]},
    "POST /v1/jobs/batch-disable": lambda stage: {"ids": [stage.things["job"]]},
    "POST /v1/jobs/<job_id>/trigger/bulk": {"items": [{}]},
    "POST /v1/jobs/<job_id>/dependencies": lambda stage: {"depends_on_job_id": stage.things["failing_job"]},
    "POST /v1/runs/bulk-cancel": lambda stage: {"run_ids": [stage.things["waiting_run"]]},
    "POST /v1/runs/bulk-replay": lambda stage: {"run_ids": [stage.things["run"]]},
    "POST /v1/runs/<run_id>/reschedule": {"scheduled_at": "2026-01-02T00:00:00Z"},
    "POST /v1/workflows": {"name": "new", "steps": [{"step_ref": "a", "step_type": "approval"}]},
    "PATCH /v1/workflows/<workflow_id>": {"description": "changed"},
    "POST /v1/events": {"event_key": MARK},
    "POST /v1/job-groups": {"name": "new"},
    "PATCH /v1/job-groups/<group_id>": {"description": "changed"},
    "POST /v1/projects": {"name": "new"},
    "PATCH /v1/projects/<project_id>": {"description": "changed"},
    "POST /v1/api-keys": {"name": "new", "scopes": ["jobs:read"]},
    "POST /sdk/v1/runs/<run_id>/log": {"message": "said"},
    "POST /sdk/v1/runs/<run_id>/progress": {"percent": 1},
    "POST /sdk/v1/runs/<run_id>/annotate": {"a": 1},
    "POST /sdk/v1/runs/<run_id>/checkpoint": {"source": "s", "state": 1},
    "POST /sdk/v1/runs/<run_id>/output": {"output_key": "k", "value": 1},
    "POST /sdk/v1/runs/<run_id>/fail": {"error": "failed"},
    "POST /sdk/v1/runs/<run_id>/spawn": lambda stage: {"job_id": stage.things["spare_job"]},
    "POST /api/v1/automations": {"name": "new", **_STEPS},
    "PATCH /api/v1/automations/<automation_id>": {"description": "changed"},
}
"""A body that each route takes, where it needs one."""
