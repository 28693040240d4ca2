"""What makes a generated request one that can succeed: fields that go together, and none that exclude each other.

A schema says what each field may be, not how fields hang together; requests as they were generated mostly end at the first such rule.
"""

from collections.abc import Callable
from typing import Any

from tests.contract.conformance import etl_things
from tests.contract.conformance.world import World

Body = dict[str, Any]


def mended(world: World, label: str, body: Any) -> Any:
    """A body of the operation that is taken, as near to the generated one as can be."""
    if isinstance(body, list):
        return [_job(world, one) if isinstance(one, dict) else one for one in body]
    if not isinstance(body, dict):
        return body
    mend = _MENDING.get(label.partition(" ")[2])
    return mend(world, dict(body)) if mend else body


def mended_query(query: Body) -> Body:
    """A query without a cursor that no list gave, and with the key of each value."""
    query.pop("cursor", None)
    for kind in ("tag", "metadata"):
        if f"{kind}_value" in query:
            query.setdefault(f"{kind}_key", "t")
    return query


def mended_headers(headers: Body, body: Any) -> Body:
    """Headers with at most one idempotency key, and none beside the body's."""
    named = isinstance(body, dict) and bool(body.get("idempotency_key"))
    for header in ("X-Idempotency-Key", "Idempotency-Key"):
        if header in headers and (named or len(headers.keys() & {"X-Idempotency-Key", "Idempotency-Key"}) > 1):
            del headers[header]
    return headers


def _named(world: World, body: Body) -> Body:
    if body.get("slug"):
        body["slug"] = world.free_slug()
    return body


def _job(world: World, body: Body) -> Body:
    _endpoint_or_tasks(world, _named(world, body))
    if body.get("retry_delays_secs"):
        body["retry_strategy"] = "custom"
    elif body.get("retry_strategy") == "custom":
        body["retry_strategy"] = "linear"
    if isinstance(body.get("timeout_secs"), int):
        body["timeout_secs"] = min(body["timeout_secs"], 86_400)
    batches = body.get("batch_window_secs") and not body.get("debounce_window_secs")
    limited = body.get("rate_limit_max") and body.get("rate_limit_window_secs")
    for fields, whole in ((_OF_BATCHES, batches), (_OF_RATES, limited)):
        for field in () if whole else fields & body.keys():
            del body[field]
    if body.get("enabled", True) is None:
        del body["enabled"]
    return body | {field: {"type": "object"} for field in _SCHEMAS & body.keys()}


def _endpoint_or_tasks(world: World, body: Body) -> None:
    if body.get("tasks") and body.get("endpoint_url"):
        del body["tasks"]
    if body.get("tasks"):
        for field in _OF_ENDPOINTS & body.keys():
            del body[field]
    else:
        body["endpoint_url"] = world.work_url


_SCHEMAS = {"payload_schema", "result_schema"}
_OF_BATCHES = {"batch_window_secs", "batch_max_size"}
_OF_RATES = {"rate_limit_max", "rate_limit_window_secs"}
_OF_ENDPOINTS = {
    "endpoint_url",
    "fallback_endpoint_url",
    "environment_id",
    "max_attempts",
    "retry_strategy",
    "retry_delays_secs",
    "result_schema",
}


def _batch(world: World, body: Body) -> Body:
    body["jobs"] = [_job(world, one) if isinstance(one, dict) else one for one in body.get("jobs", [])]
    return body


def _switch(world: World, body: Body) -> Body:
    if not (body.get("ids") or body.get("job_ids") or body.get("tag_key")):
        body["ids"] = [world.thing("changed_job")["job_id"]]
    return body


def _trigger(world: World, body: Body) -> Body:
    body.pop("payload_ref", None)
    if body.get("scheduled_at"):
        body["scheduled_at"] = world.later()
    return body


def _bulk(world: World, body: Body) -> Body:
    return {**body, "items": [_trigger(world, dict(one)) for one in body.get("items", [])]}


def _key(world: World, body: Body) -> Body:
    if "scopes" in body:
        body["scopes"] = ["jobs:read"]
    if body.get("expires_at"):
        body["expires_at"] = world.later()
    return body


def _retry(_world: World, body: Body) -> Body:
    return {**body, "from_step": "gate"} if body.get("from_step") else body


def _automation(_world: World, body: Body) -> Body:
    if body.get("triggerType") in ("event", "schedule"):
        body["triggerType"] = "manual"
    if isinstance(body.get("config"), dict):
        step = {"key": "s", "kind": "set", "config": {"values": {}}}
        body["config"] = {"steps": body["config"].get("steps") or [step]}
    return body


def _automation_retry(_world: World, body: Body) -> Body:
    if body.get("mode") == "from_step":
        body["stepKey"] = "gate"
    return body


_MENDING: dict[str, Callable[[World, Body], Body]] = {
    "/v1/jobs": _job,
    "/v1/jobs/{job_id}": _job,
    "/v1/jobs/batch": _batch,
    "/v1/jobs/batch-enable": _switch,
    "/v1/jobs/batch-disable": _switch,
    "/v1/jobs/{job_id}/clone": _named,
    "/v1/jobs/{job_id}/trigger": _trigger,
    "/v1/jobs/{job_id}/trigger/bulk": _bulk,
    "/v1/runs/{run_id}/reschedule": _trigger,
    "/v1/workflows": _named,
    "/v1/workflows/{workflow_id}": _named,
    "/v1/workflows/{workflow_id}/trigger": _trigger,
    "/v1/workflow-runs/{run_id}/retry": _retry,
    "/v1/job-groups": _named,
    "/v1/job-groups/{group_id}": _named,
    "/v1/projects": _named,
    "/v1/projects/{project_id}": _named,
    "/v1/api-keys": _key,
    "/api/v1/automations": _automation,
    "/api/v1/automations/{automation_id}": _automation,
    "/api/v1/automation-runs/{run_id}/retry": _automation_retry,
    **etl_things.MENDING,
}
