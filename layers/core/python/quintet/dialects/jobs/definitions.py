"""Translates a job's fields into what the engine enacts: plan, terms, labels, settings; and the places of its faults back. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quintet.dialects.jobs import workflow_steps
from quintet.dialects.jobs.models import DAY
from quintet.domain.definition import Plan, RetryPolicy, StepDef, Strategy
from quintet.domain.errors import Invalid, Problem
from quintet.domain.job import JobVersion
from quintet.domain.jsontext import compact
from quintet.domain.run import VersionPolicy
from quintet.domain.terms import RateLimit, Terms
from quintet.services.hooks import SealedSecret, hook_settings

DIALECT = "jobs"
CALL = "call"
"""The key of the one step of a job without tasks."""
UNVERSIONED = frozenset({"enabled", "group_id"})
"""What may change without a new version."""
_ELSEWHERE = frozenset({"enabled", "name", "slug", "description", "payload_schema", "default_run_metadata"})
"""What the job's face keeps in places of their own."""
_HEAVY = frozenset({"tasks", "result_schema"})
"""What only versions keep: a job's face is read for every trigger."""

_SCHEMA_BYTES = 64 * 1024
_MAX_REST = 3600.0
_JITTER = 0.2
_OF_TASKS = (
    "endpoint_url",
    "fallback_endpoint_url",
    "max_attempts",
    "retry_strategy",
    "retry_delays_secs",
    "result_schema",
)
_PLACES: dict[tuple[str | int, ...], str] = {
    ("config", "url"): "endpoint_url",
    ("config", "fallback_url"): "fallback_endpoint_url",
    ("config", "result_schema"): "result_schema",
    ("config", "headers"): "environment_id",
    ("retry", "max_attempts"): "max_attempts",
    ("retry", "delays"): "retry_delays_secs",
    ("timeout",): "timeout_secs",
}

Fields = Mapping[str, Any]
"""A job's fields by this API's names, as its author gave them: nothing null, no defaults, no secret."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the engine needs to know of a job's fields."""

    plan: Plan
    source: Mapping[str, Any]
    terms: Terms
    labels: frozenset[str]
    settings: Mapping[str, Any]


def defaults(fields: Fields) -> dict[str, Any]:
    """What holds where an author said nothing. A job without an endpoint is one of tasks."""
    shared = {"enabled": True, "version_policy": "pin"}
    if "endpoint_url" not in fields:
        return {**shared, "endpoint_url": "", "max_attempts": 1, "timeout_secs": DAY}
    return {**shared, "max_attempts": 3, "timeout_secs": 300, "retry_strategy": "exponential"}


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the defaults: two ways to say the same are the same definition."""
    named = {name: value for name, value in fields.items() if value is not None and value not in ({}, [])}
    usual = defaults(named)
    return {name: value for name, value in named.items() if name not in usual or value != usual[name]}


def complete(fields: Fields) -> dict[str, Any]:
    """The fields with their defaults."""
    return {**defaults(fields), **fields}


def fields_of(version: JobVersion) -> dict[str, Any]:
    """The versioned fields as their author gave them."""
    return dict(version.source["fields"])


def faults(fields: Fields) -> Iterator[Problem]:
    """What is wrong with fields that are each well-formed, seen together."""
    yield from _faults_of_calls(fields)
    yield from _faults_of_limits(fields)
    for field in ("payload_schema", "result_schema"):
        if field in fields and len(compact(fields[field]).encode()) > _SCHEMA_BYTES:
            yield Problem((field,), f"larger than {_SCHEMA_BYTES} bytes")


def _faults_of_calls(fields: Fields) -> Iterator[Problem]:
    if "tasks" in fields:
        for field in _OF_TASKS:
            if field in fields:
                yield Problem((field,), "not used by a job of tasks: each task has its own")
        return
    if "endpoint_url" not in fields:
        yield Problem(("endpoint_url",), "field required")
    if fields.get("timeout_secs", 0) > DAY:
        yield Problem(("timeout_secs",), f"an attempt lasts at most {DAY} seconds")
    custom = fields.get("retry_strategy") == Strategy.CUSTOM
    if custom and "retry_delays_secs" not in fields:
        yield Problem(("retry_delays_secs",), "field required when retry_strategy is custom")
    if not custom and "retry_delays_secs" in fields:
        yield Problem(("retry_delays_secs",), "only used when retry_strategy is custom")


def _faults_of_limits(fields: Fields) -> Iterator[Problem]:
    pair = ("rate_limit_max", "rate_limit_window_secs")
    for field, other in (pair, pair[::-1]):
        if other in fields and field not in fields:
            yield Problem((field,), f"field required beside {other}")
    seen: set[str] = set()
    for index, limit in enumerate(fields.get("rate_limit_keys", ())):
        if limit["name"] in seen:
            yield Problem(("rate_limit_keys", index, "name"), "this name has a limit already")
        seen.add(limit["name"])
    if "batch_max_size" in fields and "batch_window_secs" not in fields:
        yield Problem(("batch_max_size",), "only used beside batch_window_secs")
    if "debounce_window_secs" in fields and "batch_window_secs" in fields:
        yield Problem(("batch_window_secs",), "a job debounces or batches, not both")


def compiled(fields: Fields, secrets: Sequence[SealedSecret]) -> Compiled:
    """What the fields come to; `settings` still without who wrote it and without the schedule's next moment. Raises Invalid for tasks."""
    whole = complete(fields)
    versioned = {name: value for name, value in fields.items() if name not in UNVERSIONED}
    source: dict[str, Any] = {"dialect": DIALECT, "fields": versioned}
    settings: dict[str, Any] = {
        "fields": {name: value for name, value in fields.items() if name not in _ELSEWHERE | _HEAVY},
        **hook_settings(fields.get("webhook_url"), secrets),
    }
    if "default_run_metadata" in fields:
        settings["default_run_metadata"] = fields["default_run_metadata"]
    if "cron" in fields:
        settings["schedule"] = {"cron": fields["cron"], "timezone": fields.get("timezone", "UTC"), "next_at": None}
    return Compiled(_plan(whole), source, _terms(whole), _labels(fields), settings)


def _plan(whole: Fields) -> Plan:
    headers = {"X-Environment-ID": whole["environment_id"]} if "environment_id" in whole else {}
    if "tasks" in whole:
        steps = workflow_steps.to_plan(workflow_steps.read(whole["tasks"], ("tasks",)), ("tasks",))
        return Plan(tuple(_headed(step, headers) for step in steps), float(whole["timeout_secs"]))
    config: dict[str, Any] = {"url": whole["endpoint_url"], **({"headers": headers} if headers else {})}
    for name, field in (("fallback_url", "fallback_endpoint_url"), ("result_schema", "result_schema")):
        if field in whole:
            config[name] = whole[field]
    return Plan((StepDef(CALL, "endpoint", config=config, retry=_retry(whole), timeout=float(whole["timeout_secs"])),))


def _headed(step: StepDef, headers: Mapping[str, str]) -> StepDef:
    if step.kind != "endpoint" or not headers:
        return step
    return replace(step, config={**step.config, "headers": {**step.config.get("headers", {}), **headers}})


def _retry(whole: Fields) -> RetryPolicy:
    strategy = Strategy(whole["retry_strategy"])
    exponential = strategy is Strategy.EXPONENTIAL
    return RetryPolicy(
        max_attempts=whole["max_attempts"],
        strategy=strategy,
        initial_delay=1.0,
        max_delay=_MAX_REST if exponential else None,
        delays=tuple(float(delay) for delay in whole.get("retry_delays_secs", ())),
        jitter=_JITTER if exponential else 0.0,
    )


def _terms(whole: Fields) -> Terms:
    rates = [RateLimit(limit["max"], limit["window_secs"], limit["name"]) for limit in whole.get("rate_limit_keys", ())]
    if "rate_limit_max" in whole:
        rates.insert(0, RateLimit(whole["rate_limit_max"], whole["rate_limit_window_secs"]))
    return Terms(
        max_concurrency=whole.get("max_concurrency"),
        max_concurrency_per_key=whole.get("max_concurrency_per_key"),
        rates=tuple(rates),
        dedup_window=whole.get("dedup_window_secs"),
        debounce_window=whole.get("debounce_window_secs"),
        batch_window=whole.get("batch_window_secs"),
        batch_size=whole.get("batch_max_size"),
        window_cron=whole.get("execution_window_cron"),
        timezone=whole.get("timezone", "UTC"),
        ttl=whole.get("run_ttl_secs"),
        policy=VersionPolicy(whole["version_policy"]),
        compatible=whole.get("backwards_compatible", False),
        skip_if_running=whole.get("skip_if_running", False),
        payload_schema=whole.get("payload_schema"),
        group=whole.get("group_id"),
        follows=True,  # health figures are read from the index of followed runs
    )


def _labels(fields: Fields) -> frozenset[str]:
    found = set()
    for key, value in fields.get("tags", {}).items():
        found |= {f"tag:{key}", f"tag:{key}={value}"}
    if "group_id" in fields:
        found.add(f"group:{fields['group_id']}")
    return frozenset(found)


def wire_problems(error: Invalid, plan: Plan, fields: Fields) -> Invalid:
    """The core's faults of a plan, in this API's places."""
    if "tasks" in fields:
        return workflow_steps.wire_problems(error, plan.steps, ("tasks",))
    return Invalid([Problem(_wire_place(p.place), p.message, p.type) for p in error.problems])


def _wire_place(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where an author finds what the core calls e.g. ("steps", 0, "retry", "delays", 2)."""
    if place[:1] != ("steps",):
        return place
    inner = place[2:]
    for length in (2, 1):
        if field := _PLACES.get(inner[:length]):
            return (field, *inner[length:])
    return ("endpoint_url",)
